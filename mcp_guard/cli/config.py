"""`mcp-guard config`: check a configuration file and say what it sets up; print its schema. Nothing is started."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_guard.cli.house import House
from mcp_guard.cli.options import AsJson
from mcp_guard.cli.output import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FINDING, print_json

if TYPE_CHECKING:
    from mcp_guard.config import GuardConfig, ServerConfig
    from mcp_guard.policy import Diagnostic, Source

app = House(help="Check configuration files: the servers behind the guard.", no_args_is_help=True)


@app.command(epilog="Example: mcp-guard config check guard.yaml")
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="guard.yaml, or a client's file with `mcpServers`.")],
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there are only warnings, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong with a configuration, and show the servers it names. Exits with 2 on any error."""
    from mcp_guard.cli.reading import read_file
    from mcp_guard.config import ConfigError, load
    from mcp_guard.policy import Source

    source = Source(file, read_file(file, "configuration"))
    try:
        config = load(source)
    except ConfigError as error:
        _print(error.diagnostics, None, as_json=as_json)
        raise SystemExit(EXIT_BAD_INPUT) from None
    refused, findings = _policy_findings(source, config.policy)
    found = (*config.warnings, *findings)
    _print(found, None if refused else config, as_json=as_json)
    raise SystemExit(EXIT_BAD_INPUT if refused else EXIT_FINDING if strict and found else EXIT_DONE)


@app.command(epilog="Example: mcp-guard config schema > guard.schema.json")
def schema() -> None:
    """Print the JSON Schema of a configuration file, for editors."""
    from mcp_guard.config.schema import json_schema

    print_json(json_schema())


def _policy_findings(source: "Source", named: "Sequence[str]") -> "tuple[bool, Sequence[Diagnostic]]":
    """What is wrong with the policy that a configuration names, and whether it is refused."""
    from mcp_guard.cli.policy_files import PolicyFiles
    from mcp_guard.errors import GuardError
    from mcp_guard.policy import PolicyError, Source, load

    texts: list[Source] = []
    for position, name in enumerate(named):
        try:
            read = PolicyFiles([os.path.join(os.path.dirname(source.path), name)]).read()
        except GuardError as error:
            return True, [_unreadable(source, position, error.message)]
        texts += [Source(path, text) for path, text in read]
    try:
        return False, load(texts).warnings if texts else ()
    except PolicyError as error:
        return True, error.diagnostics


def _unreadable(source: "Source", position: int, why: str) -> "Diagnostic":
    """A policy that is not there, at the place where it is named."""
    from mcp_guard.policy import Diagnostic
    from mcp_guard.policy.reading import read

    tree = read(source)
    place = tree.place(tree.find(("policy", position)))
    hint = "the path is relative to the directory of this file"
    return Diagnostic("error", "unreadable-policy", why, place, hint)


def _print(found: "Sequence[Diagnostic]", config: "GuardConfig | None", *, as_json: bool) -> None:
    from mcp_guard.cli import findings
    from mcp_guard.cli.columns import NOTHING, Columns

    servers = [] if config is None else _servers(config)
    if as_json:
        print_json({"ok": config is not None, "diagnostics": findings.as_json(found), "servers": servers})
        return
    findings.print_findings(found)
    if servers:
        rows = [(one["server"], one["names_begin_with"] or NOTHING, one["start"], one["reached"]) for one in servers]
        Columns(("SERVER", "NAMES BEGIN WITH", "STARTED", "REACHED"), rows)
    findings.print_counts(found)


def _servers(config: "GuardConfig") -> list[dict[str, str]]:
    from mcp_guard.gate.hub.naming import Naming

    naming = Naming(list(config.servers), config.prefix)
    return [
        {"server": slug, "names_begin_with": naming.prefix(slug), "start": server.start, "reached": _reached(server)}
        for slug, server in config.servers.items()
    ]


def _reached(server: "ServerConfig") -> str:
    """How a server is reached, as it stands in the file; what looks like a secret is masked."""
    from mcp_guard.config import StdioServer
    from mcp_guard.redaction.text import safe_text

    if isinstance(server, StdioServer):
        return safe_text(" ".join((server.command, *server.args)), 200)
    return safe_text(server.url.split("?")[0], 200)

"""`mcp-guard run`: the options as a person sees them. The work is done in `guard` and `switched`."""

from typing import Annotated, Literal

import typer

from mcp_guard.cli.run_arguments import REMOTE, RunArguments
from mcp_guard.cli.start import start
from mcp_guard.errors import GuardError

app = typer.Typer(add_completion=False)

_REMOTE = "Remote servers"

_EXAMPLES = """Examples:

mcp-guard run --policy policy.yaml -- npx -y @modelcontextprotocol/server-filesystem ~/project

mcp-guard run --policy policy.yaml --url https://mcp.example.com/mcp --header 'Authorization: Bearer ${TOKEN}'

mcp-guard run --config guard.yaml"""


@app.command(epilog=_EXAMPLES)
def run(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- CMD ARG…", help="The server to guard, after `--`.")
    ] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Guard a remote server instead.")] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Guard all servers of a guard.yaml or mcpServers JSON instead.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Policy file; several make one list."),
    ] = None,
    server: Annotated[str | None, typer.Option(metavar="SLUG", help="The server's name in policies and log.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="Pin the agent, whatever the client says.")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Who owns the client. Default: your login.")] = None,
    group: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group of the user; repeatable.")] = None,
    db: Annotated[str | None, typer.Option(metavar="FILE", help="Audit log. Default: in your data directory.")] = None,
    mode: Annotated[
        Literal["enforce", "observe"], typer.Option(help="`observe` decides and records, and forwards everything.")
    ] = "enforce",
    retain: Annotated[int | None, typer.Option(metavar="DAYS", min=1, help="Delete older events from the log.")] = None,
    audit_arguments: Annotated[
        Literal["full", "redacted", "hashed", "none"] | None,
        typer.Option(help="How arguments are kept in the log. Default: as the policy says, else redacted."),
    ] = None,
    max_message: Annotated[int, typer.Option(metavar="MIB", min=1, help="Largest message, in MiB.")] = 64,
    header: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME: VALUE'",
            help="A header for the remote server; repeatable. ${VARIABLE} and ${file:PATH} are filled in.",
            rich_help_panel=_REMOTE,
        ),
    ] = None,
    transport: Annotated[
        Literal["auto", "http", "sse"],
        typer.Option(help="`http` is streamable HTTP, `sse` the older HTTP with SSE.", rich_help_panel=_REMOTE),
    ] = "auto",
    auth: Annotated[
        Literal["auto", "oauth", "client-credentials", "none"],
        typer.Option(
            help="How to log in: `oauth` in a browser (`auto`: if the server asks for it).", rich_help_panel=_REMOTE
        ),
    ] = "auto",
    client_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The OAuth client's id.", rich_help_panel=_REMOTE)
    ] = None,
    client_secret: Annotated[
        str | None,
        typer.Option(
            metavar="SECRET",
            help="Its secret. Others can see a command line: write ${VARIABLE} or ${file:PATH}.",
            rich_help_panel=_REMOTE,
        ),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="An OAuth scope to ask for; repeatable.", rich_help_panel=_REMOTE),
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The authorization server that may see the secret. Default: the server's own origin.",
            rich_help_panel=_REMOTE,
        ),
    ] = None,
) -> None:
    """Guard an MCP server for a client on stdio: filter its tools, judge every call, record every decision."""
    arguments = RunArguments(
        tuple(policy or ()), server, agent, user, tuple(group or ()), db, mode, retain, audit_arguments, max_message,
        tuple(command or ()), url, tuple(header or ()), transport, auth, client_id, client_secret, tuple(scope or ()),
        config, issuer,
    )  # fmt: skip
    _check(arguments)
    raise SystemExit(start(arguments))


def _check(arguments: RunArguments) -> None:
    """Raise GuardError unless there is one upstream, and what is said of remote servers is said of one."""
    given = [
        option
        for option, value in (("-- CMD", arguments.command), ("--url", arguments.url), ("--config", arguments.config))
        if value
    ]
    if not given:
        raise GuardError("no server to guard", "Give its command after --, or --url URL, or --config FILE.")
    if len(given) > 1:
        raise GuardError(f"{' and '.join(given)} exclude each other", "Give one of them.")
    defaults = RunArguments()
    for option in REMOTE:
        if getattr(arguments, option) != getattr(defaults, option) and arguments.url is None:
            hint = "In a configuration file, it belongs to its server." if arguments.config else "Give --url URL."
            raise GuardError(f"--{option.replace('_', '-')} is for a remote server", hint)

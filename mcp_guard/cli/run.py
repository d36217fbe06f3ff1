"""`mcp-guard run`: guard one stdio server. Here are the options as a person sees them; the work is done in `guard`."""

from typing import Annotated, Literal

import typer

from mcp_guard.cli.run_arguments import RunArguments
from mcp_guard.cli.start import start

app = typer.Typer(add_completion=False)

_EXAMPLE = "Example: mcp-guard run --policy policy.yaml -- npx -y @modelcontextprotocol/server-filesystem ~/project"


@app.command(epilog=_EXAMPLE)
def run(
    command: Annotated[list[str], typer.Argument(metavar="-- CMD ARG…", help="The server to guard, after `--`.")],
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
) -> None:
    """Guard one MCP server over stdio: filter its tools, judge every call, record every decision."""
    arguments = RunArguments(
        tuple(policy or ()), server, agent, user, tuple(group or ()), db, mode, retain, audit_arguments, max_message,
        tuple(command),
    )  # fmt: skip
    raise SystemExit(start(arguments))

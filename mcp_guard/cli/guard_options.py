"""The options of a guard, as a person sees them: what `run` and `serve` both ask of whoever starts one."""

from typing import Annotated, Literal

import typer

from mcp_guard.cli.options import LOG_IS_AT, OWN_POLICY

_REMOTE = "Remote servers"

Command = Annotated[list[str] | None, typer.Argument(metavar="-- CMD ARG…", help="The server to guard, after `--`.")]
Url = Annotated[str | None, typer.Option(metavar="URL", help="Guard a remote server instead.")]
Config = Annotated[
    str | None, typer.Option(metavar="FILE", help="Guard all servers of a guard.yaml or mcpServers JSON instead.")
]
Policy = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help=f"The policy; several make one list of rules. {OWN_POLICY}"),
]
Server = Annotated[str | None, typer.Option(metavar="SLUG", help="The server's name in policies and log.")]
Agent = Annotated[str | None, typer.Option(metavar="SLUG", help="Pin the agent, whatever the client says.")]
ServedAgent = Annotated[
    str | None, typer.Option("--agent", metavar="SLUG", help="The agent, where no credential proves which.")
]
User = Annotated[str | None, typer.Option(metavar="ID", help="Who owns the client. Default: your login.")]
Group = Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group of the user; repeatable.")]
Database = Annotated[str | None, typer.Option(metavar="FILE", help=f"The audit log. {LOG_IS_AT}")]
Mode = Annotated[
    Literal["enforce", "observe"], typer.Option(help="`observe` decides and records, and forwards everything.")
]
Retain = Annotated[int | None, typer.Option(metavar="DAYS", min=1, help="Delete older events from the log.")]
AuditArguments = Annotated[
    Literal["full", "redacted", "hashed", "none"] | None,
    typer.Option(help="How arguments are kept in the log. Default: as the policy says, else redacted."),
]
MaxMessage = Annotated[int, typer.Option(metavar="MIB", min=1, help="Largest message, in MiB.")]
Header = Annotated[
    list[str] | None,
    typer.Option(
        metavar="'NAME: VALUE'",
        help="A header for the remote server; repeatable. ${VARIABLE} and ${file:PATH} are filled in (in a client's "
        "configuration: %{VARIABLE} and %{file:PATH}, which no client replaces).",
        rich_help_panel=_REMOTE,
    ),
]
Transport = Annotated[
    Literal["auto", "http", "sse"],
    typer.Option(help="`http` is streamable HTTP, `sse` the older HTTP with SSE.", rich_help_panel=_REMOTE),
]
Auth = Annotated[
    Literal["auto", "oauth", "client-credentials", "none"],
    typer.Option(
        help="How to log in: `oauth` in a browser (`auto`: if the server asks for it).", rich_help_panel=_REMOTE
    ),
]
ClientId = Annotated[str | None, typer.Option(metavar="ID", help="The OAuth client's id.", rich_help_panel=_REMOTE)]
ClientSecret = Annotated[
    str | None,
    typer.Option(
        metavar="SECRET",
        help="Its secret. Others can see a command line: write ${VARIABLE} or ${file:PATH}.",
        rich_help_panel=_REMOTE,
    ),
]
Scope = Annotated[
    list[str] | None,
    typer.Option(metavar="SCOPE", help="An OAuth scope to ask for; repeatable.", rich_help_panel=_REMOTE),
]
Issuer = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The authorization server that may see the secret. Default: the server's own origin.",
        rich_help_panel=_REMOTE,
    ),
]
Webhook = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="Tell this URL of budget alerts, approvals that wait, stops and quarantines; repeatable. %{VARIABLE} and "
        "%{file:PATH} are filled in. Signed with the secret in MCP_GUARD_WEBHOOK_SECRET.",
    ),
]

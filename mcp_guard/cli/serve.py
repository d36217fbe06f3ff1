"""`mcp-guard serve`: guard servers for clients over HTTP. Here are the options as a person sees them; see `serving`."""

from typing import Annotated, Literal

import typer

app = typer.Typer(add_completion=False)

_REMOTE, _ACCESS, _BESIDE = "Remote servers", "Who may connect", "Beside MCP"
_EXAMPLE = "Example: mcp-guard serve --policy policy.yaml -- npx -y @modelcontextprotocol/server-filesystem ~/project"


@app.command(epilog=_EXAMPLE)
def serve(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- CMD ARG…", help="The server to guard, after `--`.")
    ] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Guard a remote server instead.")] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Guard all servers of a guard.yaml or mcpServers JSON instead.")
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where to listen. Elsewhere than on this machine, tokens are required.",
            rich_help_panel=_ACCESS,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="0: any free port.", rich_help_panel=_ACCESS)
    ] = 8808,
    policy: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Policy file; several make one list.")
    ] = None,
    server: Annotated[str | None, typer.Option(metavar="SLUG", help="The server's name in policies and log.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="Pin the agent of all clients.")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Who owns the clients. Default: your login.")] = None,
    group: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group of the user; repeatable.")] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Bearer tokens: one a line, and after it what it proves (user=ID agent=SLUG group=GROUP), "
            "or, for the API, role=auditor or role=security.",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    token_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The environment variable that holds a bearer token.", rich_help_panel=_ACCESS
        ),
    ] = None,
    require_token: Annotated[
        bool,
        typer.Option(
            "--require-token",
            help="Hear nobody without a token or a key of the registry (`mcp-guard agents token`).",
            rich_help_panel=_ACCESS,
        ),
    ] = False,
    public_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="This server as clients know it, where a proxy stands in front: told to those who need a token.",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST", help="A further name this server is reached by; repeatable.", rich_help_panel=_ACCESS
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="A web page's origin that may connect; repeatable.", rich_help_panel=_ACCESS
        ),
    ] = None,
    tls_cert: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Certificate chain (PEM): serve HTTPS.", rich_help_panel=_ACCESS),
    ] = None,
    tls_key: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The certificate's private key (PEM).", rich_help_panel=_ACCESS),
    ] = None,
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
    max_clients: Annotated[int, typer.Option(metavar="N", min=1, help="Clients at a time.")] = 128,
    idle: Annotated[int, typer.Option(metavar="MINUTES", min=1, help="A session without a message ends then.")] = 30,
    grace: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long open calls may take when the server is ended.")
    ] = 10.0,
    metrics_open: Annotated[
        bool,
        typer.Option("--metrics-open", help="/metrics without a token, on this machine.", rich_help_panel=_BESIDE),
    ] = False,
    webhook: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Tell this URL of budget alerts, approvals that wait, stops and quarantines; repeatable. "
            "Signed with the secret in MCP_GUARD_WEBHOOK_SECRET.",
            rich_help_panel=_BESIDE,
        ),
    ] = None,
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
        typer.Option(metavar="SECRET", help="Its secret: write ${VARIABLE} or ${file:PATH}.", rich_help_panel=_REMOTE),
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
    """Guard MCP servers for clients over HTTP: streamable HTTP at /mcp, HTTP with SSE at /sse, health at /healthz.

    Beside them, for tokens with a role: the API at /api, metrics at /metrics; and telemetry at /v1/metrics.
    """
    from mcp_guard.cli.run_arguments import RunArguments
    from mcp_guard.cli.serving import ServeArguments, start

    guarded = RunArguments(
        tuple(policy or ()), server, agent, user, tuple(group or ()), db, mode, retain, audit_arguments, max_message,
        tuple(command or ()), url, tuple(header or ()), transport, auth, client_id, client_secret, tuple(scope or ()),
        config, issuer,
    )  # fmt: skip
    served = ServeArguments(
        guarded, host, port, token_file, token_env, tuple(allow_host or ()), tuple(allow_origin or ()), tls_cert,
        tls_key, max_clients, idle, grace, metrics_open, tuple(webhook or ()), require_token, public_url,
    )  # fmt: skip
    raise SystemExit(start(served))

"""`mcp-guard serve`: guard servers for clients over HTTP. Here are the options as a person sees them; see `serving`."""

from typing import Annotated

import typer

from mcp_guard.cli import guard_options
from mcp_guard.cli.house import House

app = House()

_ACCESS, _BESIDE = "Who may connect", "Beside MCP"
_EXAMPLE = "Example: mcp-guard serve --policy policy.yaml -- npx -y @modelcontextprotocol/server-filesystem ~/project"


@app.command(epilog=_EXAMPLE)
def serve(
    command: guard_options.Command = None,
    url: guard_options.Url = None,
    config: guard_options.Config = None,
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
    policy: guard_options.Policy = None,
    server: guard_options.Server = None,
    agent: guard_options.ServedAgent = None,
    user: guard_options.User = None,
    group: guard_options.Group = None,
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
    db: guard_options.Database = None,
    mode: guard_options.Mode = "enforce",
    retain: guard_options.Retain = None,
    audit_arguments: guard_options.AuditArguments = None,
    max_message: guard_options.MaxMessage = 64,
    webhook: guard_options.Webhook = None,
    max_clients: Annotated[int, typer.Option(metavar="N", min=1, help="Clients at a time.")] = 128,
    idle: Annotated[int, typer.Option(metavar="MINUTES", min=1, help="A session without a message ends then.")] = 30,
    grace: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long open calls may take when the server is ended.")
    ] = 10.0,
    poll_after: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="Let a client go whose call takes longer, to come back for the rest (sessions since 2025-11-25): "
            "for proxies that bound or buffer responses. Default: never.",
        ),
    ] = None,
    metrics_open: Annotated[
        bool,
        typer.Option("--metrics-open", help="/metrics without a token, on this machine.", rich_help_panel=_BESIDE),
    ] = False,
    header: guard_options.Header = None,
    transport: guard_options.Transport = "auto",
    auth: guard_options.Auth = "auto",
    client_id: guard_options.ClientId = None,
    client_secret: guard_options.ClientSecret = None,
    scope: guard_options.Scope = None,
    issuer: guard_options.Issuer = None,
) -> None:
    """Guard MCP servers for clients over HTTP: streamable HTTP at /mcp, HTTP with SSE at /sse, health at /healthz.

    Beside them, for tokens with a role: the API at /api, metrics at /metrics; and telemetry at /v1/metrics.
    """
    from mcp_guard.cli.run_arguments import RunArguments
    from mcp_guard.cli.serve_arguments import ServeArguments
    from mcp_guard.cli.serving import start

    guarded = RunArguments(
        tuple(policy or ()), server, agent, user, tuple(group or ()), db, mode, retain, audit_arguments, max_message,
        tuple(command or ()), url, tuple(header or ()), transport, auth, client_id, client_secret, tuple(scope or ()),
        config, issuer, tuple(webhook or ()),
    )  # fmt: skip
    served = ServeArguments(
        guarded, host, port, token_file, token_env, tuple(allow_host or ()), tuple(allow_origin or ()), tls_cert,
        tls_key, max_clients, idle, grace, metrics_open, require_token, public_url, poll_after,
    )  # fmt: skip
    raise SystemExit(start(served))

"""`mcp-guard run`: the options as a person sees them. The work is done in `guard` and `switched`."""

from mcp_guard.cli import guard_options
from mcp_guard.cli.house import House
from mcp_guard.cli.run_arguments import REMOTE, RunArguments
from mcp_guard.cli.start import start
from mcp_guard.errors import GuardError

app = House()

_EXAMPLES = """Examples:
  mcp-guard run --policy policy.yaml -- npx -y @modelcontextprotocol/server-filesystem ~/project
  mcp-guard run --policy policy.yaml --url https://mcp.example.com/mcp --header 'Authorization: Bearer ${TOKEN}'
  mcp-guard run --config guard.yaml"""


@app.command(epilog=_EXAMPLES)
def run(
    command: guard_options.Command = None,
    url: guard_options.Url = None,
    config: guard_options.Config = None,
    policy: guard_options.Policy = None,
    server: guard_options.Server = None,
    agent: guard_options.Agent = None,
    user: guard_options.User = None,
    group: guard_options.Group = None,
    db: guard_options.Database = None,
    mode: guard_options.Mode = "enforce",
    retain: guard_options.Retain = None,
    audit_arguments: guard_options.AuditArguments = None,
    max_message: guard_options.MaxMessage = 64,
    webhook: guard_options.Webhook = None,
    header: guard_options.Header = None,
    transport: guard_options.Transport = "auto",
    auth: guard_options.Auth = "auto",
    client_id: guard_options.ClientId = None,
    client_secret: guard_options.ClientSecret = None,
    scope: guard_options.Scope = None,
    issuer: guard_options.Issuer = None,
) -> None:
    """Guard an MCP server for a client on stdio: filter its tools, judge every call, record every decision."""
    arguments = RunArguments(
        tuple(policy or ()), server, agent, user, tuple(group or ()), db, mode, retain, audit_arguments, max_message,
        tuple(command or ()), url, tuple(header or ()), transport, auth, client_id, client_secret, tuple(scope or ()),
        config, issuer, tuple(webhook or ()),
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
        raise GuardError("no server to guard", "give its command after --, or --url URL, or --config FILE")
    if len(given) > 1:
        raise GuardError(f"{' and '.join(given)} exclude each other", "give one of them")
    defaults = RunArguments()
    for option in REMOTE:
        if getattr(arguments, option) != getattr(defaults, option) and arguments.url is None:
            hint = "In a configuration file, it belongs to its server." if arguments.config else "Give --url URL."
            raise GuardError(f"--{option.replace('_', '-')} is for a remote server", hint)

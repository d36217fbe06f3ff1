"""The arguments for remote servers: both parsers read the same, and slugs out of URLs."""

import pytest

from mcp_guard.cli.run_arguments import RunArguments, parse
from mcp_guard.cli.upstreams import _client, slug_of_url
from mcp_guard.config import Auth

READ = [
    (["--url", "https://x/mcp"], RunArguments(url="https://x/mcp")),
    (["--config", "g.yaml"], RunArguments(config="g.yaml")),
    (
        ["--url", "u", "--header", "A: b", "--header", "C: d", "--transport", "sse", "--auth", "oauth", "--scope", "s"],
        RunArguments(url="u", header=("A: b", "C: d"), transport="sse", auth="oauth", scope=("s",)),
    ),
    (
        ["--url", "u", "--client-id", "i", "--client-secret", "s", "--issuer", "w", "--auth", "client-credentials"],
        RunArguments(url="u", client_id="i", client_secret="s", issuer="w", auth="client-credentials"),
    ),
]


@pytest.mark.parametrize(("words", "arguments"), READ)
def test_plain_arguments_are_read_without_a_command_line_library(words: list[str], arguments: RunArguments) -> None:
    assert parse(words) == arguments


LEFT = [
    ["--url", "u", "--", "cat"],
    ["--url", "u", "--config", "c"],
    ["--config", "c", "--header", "A: b"],
    ["--header", "A: b", "--", "cat"],
    ["--url", "u", "--transport", "pigeon"],
    ["--url"],
    [],
]


@pytest.mark.parametrize("words", LEFT)
def test_what_is_not_plain_is_left_to_the_full_command_line(words: list[str]) -> None:
    assert parse(words) is None


SLUGS = [
    ("https://mcp.linear.app/sse", "linear"),
    ("https://api.githubcopilot.com/mcp/", "githubcopilot"),
    ("https://mcp.example.co.uk", "example-co"),
    ("https://www.api.mcp.com", "www-api-mcp"),
    ("https://github.acme.com/mcp?key=s3cret", "github-acme"),
    ("https://user:s3cret@mcp.sentry.dev/mcp", "sentry"),
    ("http://localhost:8000/mcp", "localhost-8000"),
    ("http://localhost/mcp", "localhost"),
    ("http://127.0.0.1:9000/mcp", "127-0-0-1-9000"),
    ("http://[::1]:9000/mcp", "1-9000"),
    ("HTTPS://MCP.Linear.App", "linear"),
    ("https://xn--bcher-kva.example/mcp", "xn--bcher-kva"),
]


@pytest.mark.parametrize(("url", "slug"), SLUGS)
def test_a_server_is_called_after_its_host(url: str, slug: str) -> None:
    assert slug_of_url(url) == slug


def test_each_server_of_a_configuration_logs_in_for_itself_and_by_all_that_is_said_of_it() -> None:
    told = [
        ("work", Auth()),
        ("home", Auth()),
        ("work", Auth(client_id="me")),
        ("work", Auth(client_id="me", issuer="https://login.example")),
        ("work", Auth(scopes=("read",))),
        ("work", Auth(kind="client_credentials", client_id="me", client_secret="s3cret")),
    ]
    logins = {_login(slug, auth) for slug, auth in told}
    assert len(logins) == len(told)
    assert _login("work", Auth(kind="browser")) == _login("work", Auth())


def _login(slug: str, auth: Auth) -> str:
    client = _client(slug, "https://mcp.example.com/mcp", auth, {})
    assert client is not None
    return client.login

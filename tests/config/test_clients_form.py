"""`mcpServers` as clients write it: read as it stands, and what is left out of it is said."""

import json

import pytest

from mcp_guard.config import HttpServer, StdioServer
from tests.config.making import briefly, config_of, findings

FORMS = [
    (
        "Claude Code, Claude Desktop, Cursor",
        {"command": "npx", "args": ["-y", "x"], "env": {"A": "b"}},
        StdioServer(command="npx", args=("-y", "x"), env={"A": "b"}),
    ),
    ("Claude Code, with its type", {"type": "stdio", "command": "x"}, StdioServer(command="x")),
    (
        "Claude Code, remote",
        {"type": "http", "url": "https://x/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}},
        HttpServer(url="https://x/mcp", transport="http", headers={"Authorization": "Bearer ${TOKEN}"}),
    ),
    ("Claude Code, SSE", {"type": "sse", "url": "https://x/sse"}, HttpServer(url="https://x/sse", transport="sse")),
    ("Cursor, remote", {"url": "https://x"}, HttpServer(url="https://x")),
    (
        "Gemini CLI",
        {"httpUrl": "https://x", "timeout": 5, "trust": True},
        HttpServer(url="https://x", transport="http"),
    ),
    ("Windsurf", {"serverUrl": "https://x"}, HttpServer(url="https://x")),
    ("Cline", {"type": "streamableHttp", "url": "https://x"}, HttpServer(url="https://x", transport="http")),
    ("Roo", {"command": "x", "alwaysAllow": ["a"], "disabled": False}, StdioServer(command="x")),
]


def written(**servers: object) -> str:
    return json.dumps({"mcpServers": servers, "theme": "dark"})


@pytest.mark.parametrize(("entry", "server"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_a_client_may_write_a_server_like_this(entry: dict, server: object) -> None:
    config = config_of(written(a=entry), "mcp.json")
    assert config.servers == {"a": server}
    assert config.warnings == ()


def test_a_name_becomes_a_slug() -> None:
    config = config_of(written(**{"Brave Search": {"command": "x"}, "@acme/Ünicode": {"command": "x"}}), "mcp.json")
    assert list(config.servers) == ["brave-search", "acme-nicode"]


FAULTS = [
    ("two names that become one", written(**{"A b": {"command": "x"}, "a-b": {"command": "x"}}), "duplicate-key"),
    ("no mapping", '{"mcpServers": []}', "wrong-type"),
    ("a server that is no mapping", written(a=["npx"]), "wrong-type"),
    ("no command", written(a={"args": []}), "command-or-url"),
    ("arguments that are no texts", written(a={"command": "x", "args": [1]}), "wrong-type"),
    ("a transport that nobody knows", written(a={"type": "ws", "url": "https://x"}), "unknown-value"),
    ("a client's own reference", written(a={"command": "x", "env": {"A": "${input:a}"}}), "bad-reference"),
]


@pytest.mark.parametrize(("text", "code"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_what_cannot_be_read_is_refused(text: str, code: str) -> None:
    assert [found.code for found in findings(text, "mcp.json") if found.severity == "error"] == [code]


LEFT_OUT = [
    ("a server that is off", {"command": "x", "disabled": True}, "server-off"),
    ("a server that is not on", {"command": "x", "enabled": False}, "server-off"),
    ("the guard itself", {"command": "/usr/bin/mcp-guard", "args": ["run", "--config", "mcp.json"]}, "guard-itself"),
    ("the guard as a module", {"command": "python", "args": ["-m", "mcp_guard", "run", "--config=x"]}, "guard-itself"),
]


@pytest.mark.parametrize(("entry", "code"), [case[1:] for case in LEFT_OUT], ids=[case[0] for case in LEFT_OUT])
def test_what_is_left_out_is_said(entry: dict, code: str) -> None:
    config = config_of(written(a={"command": "x"}, b=entry), "mcp.json")
    assert list(config.servers) == ["a"]
    assert [found.code for found in config.warnings] == [code]


def test_what_a_client_hides_is_a_rules_to_hide() -> None:
    assert briefly(written(a={"command": "x", "excludeTools": ["y"]}), "mcp.json") == ["1:39 left-to-client"]


def test_what_else_is_in_a_clients_file_is_none_of_the_guards_business() -> None:
    text = json.dumps({"policy": "evil.yaml", "db": "x", "prefix": "", "mcpServers": {"a": {"command": "x"}}})
    config = config_of(text, "mcp.json")
    assert (config.policy, config.db, config.prefix) == ((), None, "{server}__")

"""The clients that people use, each with the guard in its config: they connect, list and call as with any server.

None of them needs an account for that. Each is tried with the guard as a program that it starts (in front of a local
server, a remote one, and of several), and as a server over HTTP that it connects to, where it can.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.guard import Guard
from tests.e2e.npm import node_server, program
from tests.e2e.through import reference_over_http, served
from tests.e2e.wire import text_of, wire

POLICY = """\
version: 1
rules:
  - {name: reading, effect: allow, tools: ["read_*", "list_*"], when: '!request.args.path.contains("secret")'}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "open.txt").write_text("for all")
    (root / "secret.txt").write_text("for few")
    return root


@pytest.fixture
def guarded(guard: Guard, files: Path) -> list[str]:
    guard.policy.write_text(POLICY)
    return guard.command([*node_server("filesystem"), str(files)], slug="files")


def run(command: list[str], cwd: Path, env: Mapping[str, str] | None = None, *, both: bool = False) -> str:
    """What a command prints on its output; `both`: and on its standard error, where some say everything."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + (done.stderr if both else "")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def serving(guard: Guard, files: Path) -> Iterator[str]:
    """The base URL of a guard in front of the same server."""
    guard.policy.write_text(POLICY)
    with served(guard, ["--server", "files", "--", *node_server("filesystem"), str(files)]) as url:
        yield url


@pytest.fixture
def ways(guard: Guard, files: Path, tmp_path: Path) -> Iterator[dict[str, list[str]]]:
    """The guard as a program: in front of a remote server, and of several. Everything is allowed."""
    with reference_over_http() as remote:
        servers = {
            "files": {"command": "node", "args": [*node_server("filesystem")[1:], str(files)]},
            "remote": {"url": f"{remote}/modern/mcp"},
        }
        config = tmp_path / "servers.json"
        config.write_text(json.dumps({"mcpServers": servers}))
        yield {
            "remote": guard.run(["--url", f"{remote}/modern/mcp"]),
            "several": guard.run(["--config", str(config)]),
        }


# Claude Code


def claude(home: Path, *words: str) -> str:
    env = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude"), "DISABLE_AUTOUPDATER": "1"}
    env |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1"}
    return run([program("claude"), "mcp", *words], home, env)


def connected(listing: str) -> set[str]:
    """The names of the servers that a listing shows as connected."""
    return {line.split(":")[0].strip("✓ ") for line in listing.splitlines() if "Connected" in line}


def test_claude_code_shows_the_guarded_server_as_connected(guarded: list[str], guard: Guard, home: Path) -> None:
    claude(home, "add", "--scope", "user", "files", "--", *guarded)
    assert connected(claude(home, "list")) == {"files"}
    [row] = guard.events("agent.connected")
    assert row["agent"] == "claude-code"
    assert "write_file" in row["data"]["denied_tools"]


def test_claude_code_connects_by_both_transports_over_http(serving: str, guard: Guard, home: Path) -> None:
    claude(home, "add", "--scope", "user", "--transport", "http", "new", f"{serving}/mcp")
    claude(home, "add", "--scope", "user", "--transport", "sse", "old", f"{serving}/sse")
    assert connected(claude(home, "list")) == {"new", "old"}
    rows = guard.events("agent.connected")
    assert {(row["agent"], row["server"]) for row in rows} == {("claude-code", "files")}
    assert {row["data"]["transport"] for row in rows} == {"streamable-http", "sse"}


def test_claude_code_connects_to_a_remote_server_and_to_several(
    ways: dict[str, list[str]], guard: Guard, home: Path
) -> None:
    for name, command in ways.items():
        claude(home, "add", "--scope", "user", name, "--", *command)
    assert connected(claude(home, "list")) == set(ways)
    assert {row["agent"] for row in guard.events("agent.connected")} == {"claude-code"}


# The MCP inspector


def test_the_inspector_lists_and_calls(guarded: list[str], guard: Guard, files: Path, tmp_path: Path) -> None:
    inspect = inspector(tmp_path, guarded)
    assert "write_file" not in tools(inspect, tmp_path)
    call = [*inspect, "--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg"]
    allowed = json.loads(run([*call, f"path={files / 'open.txt'}"], tmp_path))
    assert allowed["content"][0]["text"] == "for all"
    assert [row["decision"] for row in guard.events("tool.decided")] == ["allow"]


@pytest.mark.parametrize(("path", "transport"), [("/mcp", "http"), ("/sse", "sse")])
def test_the_inspector_lists_and_calls_over_http(
    path: str, transport: str, serving: str, guard: Guard, files: Path, tmp_path: Path
) -> None:
    inspect = [program("mcp-inspector"), "--cli", serving + path, "--transport", transport]
    assert "write_file" not in tools(inspect, tmp_path)
    call = [*inspect, "--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg"]
    allowed = json.loads(run([*call, f"path={files / 'open.txt'}"], tmp_path))
    assert allowed["content"][0]["text"] == "for all"
    assert [row["decision"] for row in guard.events("tool.decided")] == ["allow"]


def test_the_inspector_lists_a_remote_server_and_several(ways: dict[str, list[str]], tmp_path: Path) -> None:
    remote = tools(inspector(tmp_path, ways["remote"]), tmp_path)
    several = tools(inspector(tmp_path, ways["several"]), tmp_path)
    assert "weather" in remote
    assert several >= {f"remote__{name}" for name in remote} | {"files__read_text_file"}


def inspector(home: Path, command: list[str]) -> list[str]:
    config = home / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"it": {"command": command[0], "args": command[1:]}}}))
    return [program("mcp-inspector"), "--cli", "--config", str(config), "--server", "it"]


def tools(inspect: list[str], home: Path) -> set[str]:
    return {tool["name"] for tool in json.loads(run([*inspect, "--method", "tools/list"], home))["tools"]}


# Gemini CLI, and mcp-remote as clients without HTTP of their own use it


def test_gemini_cli_connects_by_every_transport(guarded: list[str], serving: str, guard: Guard, home: Path) -> None:
    servers = {
        "local": {"command": guarded[0], "args": guarded[1:]},
        "new": {"httpUrl": f"{serving}/mcp"},
        "old": {"url": f"{serving}/sse", "type": "sse"},
    }
    (home / ".gemini").mkdir()
    (home / ".gemini" / "settings.json").write_text(json.dumps({"mcpServers": servers}))
    env = {"HOME": str(home), "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    assert connected(run([program("gemini"), "mcp", "list"], home, env, both=True)) == {"local", "new", "old"}
    assert {row["data"]["transport"] for row in guard.events("agent.connected")} == {"stdio", "streamable-http", "sse"}


def test_mcp_remote_carries_a_client_over_stdio_to_the_guard(
    serving: str, guard: Guard, files: Path, home: Path
) -> None:
    command = [program("mcp-remote"), f"{serving}/mcp", "--allow-http"]
    with wire(command, {"HOME": str(home)}, stubborn=True) as client:
        client.open("2025-11-25")
        assert "write_file" not in {tool["name"] for tool in client.request("tools/list")["result"]["tools"]}
        assert text_of(client.call("read_text_file", {"path": str(files / "open.txt")})) == "for all"
        denied = client.call("read_text_file", {"path": str(files / "secret.txt")})
        assert "denied by policy" in text_of(denied)
    assert [row["decision"] for row in guard.events("tool.decided")] == ["allow", "deny"]

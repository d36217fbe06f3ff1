"""`mcp-guard init` on configurations that the clients themselves wrote: they connect through the guard, and after
`--undo` as before. None of them needs an account for that.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.guard import Guard
from tests.e2e.npm import node_server, program
from tests.e2e.test_clients import connected, run
from tests.e2e.through import reference_over_http


class Machine:
    """A home directory and a project of their own, in which clients and the guard run."""

    def __init__(self, root: Path) -> None:
        self.home, self.project, self.files = root / "home", root / "project", root / "files"
        for directory in (self.home, self.project, self.files):
            directory.mkdir()
        self.log = Guard(root)
        self.log.database = self.home / ".local" / "share" / "mcp-guard" / "audit.db"
        self.server = [*node_server("filesystem"), str(self.files)]
        self.claude_file, self.gemini_file = self.home / ".claude.json", self.home / ".gemini" / "settings.json"

    def run(self, *command: str, both: bool = True) -> str:
        env = {"HOME": str(self.home), "DISABLE_AUTOUPDATER": "1", "GEMINI_CLI_TRUST_WORKSPACE": "true"}
        env |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1", "TOKEN": "sesame"}
        return run(list(command), self.project, env, both=both)

    def guard(self, *words: str) -> str:
        return self.run(sys.executable, "-m", "mcp_guard", *words)

    def claude(self, *words: str) -> str:
        return self.run(program("claude"), "mcp", *words)

    def gemini(self, *words: str) -> str:
        return self.run(program("gemini"), "mcp", *words)

    def rows(self, type: str) -> list[dict[str, Any]]:
        return self.log.events(type)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for name in ("MCP_GUARD_DB", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    return Machine(tmp_path)


def test_claude_code_connects_through_what_init_wrote_and_after_undo_as_before(machine: Machine) -> None:
    with reference_over_http() as remote:
        machine.claude("add", "--scope", "user", "files", "--", *machine.server)
        machine.claude("add", "--scope", "local", "--transport", "http", "web", f"{remote}/modern/mcp")
        before = machine.claude_file.read_bytes()
        said = machine.guard("init", "--yes")
        assert f"web    to be guarded (in {machine.project})" in said
        assert connected(machine.claude("list")) == {"files", "web"}
        rows = machine.rows("agent.connected")
        assert {(row["agent"], row["agent_verified"], row["server"]) for row in rows} == {
            ("claude-code", 1, "files"),
            ("claude-code", 1, "web"),
        }
        now = json.loads(machine.claude_file.read_text())  # Claude Code has written it meanwhile, maybe
        machine.guard("init", "--undo", "--yes")
        after = json.loads(machine.claude_file.read_text())
        assert after["mcpServers"] == json.loads(before)["mcpServers"] != now["mcpServers"]
        assert connected(machine.claude("list")) == {"files", "web"}
        assert machine.rows("agent.connected") == rows


def test_claude_code_gives_the_guard_the_headers_that_it_fills_in(machine: Machine) -> None:
    with reference_over_http() as remote:
        machine.claude("add", "--scope", "user", "--transport", "http", "web", f"{remote}/modern/mcp",
                       "--header", "Authorization: Bearer ${TOKEN}")  # fmt: skip
        machine.guard("init", "--yes")
        entry = json.loads(machine.claude_file.read_text())["mcpServers"]["web"]
        assert entry["env"] == {"MCP_GUARD_AUTHORIZATION": "Bearer ${TOKEN}"}
        assert "Authorization: %{MCP_GUARD_AUTHORIZATION}" in entry["args"]
        assert connected(machine.claude("list")) == {"web"}


def test_gemini_cli_connects_through_what_init_wrote_and_gets_its_file_back(machine: Machine) -> None:
    machine.gemini("add", "--scope", "user", "files", machine.server[0], *machine.server[1:])
    before = machine.gemini_file.read_bytes()
    machine.guard("init", "--yes", "--client", "gemini-cli")
    assert connected(machine.gemini("list")) == {"files"}
    [row] = machine.rows("agent.connected")
    assert (row["agent"], row["server"]) == ("gemini-cli", "files")
    machine.guard("init", "--undo", "--yes")
    assert machine.gemini_file.read_bytes() == before


def test_one_guard_for_all_servers_of_a_client(machine: Machine) -> None:
    with reference_over_http() as remote:
        servers = {
            "files": {"command": machine.server[0], "args": machine.server[1:]},
            "web": {"httpUrl": f"{remote}/modern/mcp", "headers": {"X-Token": "$TOKEN"}},
        }
        machine.gemini_file.parent.mkdir()
        machine.gemini_file.write_text(json.dumps({"mcpServers": servers}))
        machine.guard("init", "--yes", "--one")
        assert connected(machine.gemini("list")) == {"mcp-guard"}
        assert {row["server"] for row in machine.rows("agent.connected")} == {"files", "web"}


def test_the_inspector_sees_the_tools_that_are_left_under_enforce(machine: Machine) -> None:
    config = machine.project / ".mcp.json"
    config.write_text(json.dumps({"mcpServers": {"files": {"command": machine.server[0], "args": machine.server[1:]}}}))
    machine.guard("init", "--yes", "--scope", "project")
    inspect = [
        program("mcp-inspector"),
        "--cli",
        "--config",
        str(config),
        "--server",
        "files",
        "--method",
        "tools/list",
    ]
    assert "write_file" in machine.run(*inspect)
    policy = machine.home / ".config" / "mcp-guard" / "policy.yaml"
    policy.write_text(policy.read_text().replace("require_approval", "deny"))
    machine.guard("init", "--yes", "--mode", "enforce")
    listed = machine.run(*inspect)
    assert "read_text_file" in listed
    assert "write_file" not in listed


def test_what_init_wrote_starts_with_as_few_variables_as_a_desktop_gives(machine: Machine) -> None:
    config = machine.home / ".cursor" / "mcp.json"
    config.parent.mkdir()
    server = {"command": sys.executable, "args": [str(Path(__file__).parents[2] / "examples" / "server.py")]}
    config.write_text(json.dumps({"mcpServers": {"notes": server}}))
    machine.guard("init", "--yes")
    entry = json.loads(config.read_text())["mcpServers"]["notes"]
    said = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": said}) + "\n"
    done = subprocess.run(
        [entry["command"], *entry["args"]],
        input=line,
        env={"HOME": str(machine.home), "PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["result"]["protocolVersion"] == "2025-11-25", done.stderr
    assert [row["agent"] for row in machine.rows("agent.disconnected")] == ["cursor"]


def test_doctor_starts_the_servers_and_finds_all_well(machine: Machine) -> None:
    machine.claude("add", "--scope", "user", "files", "--", *machine.server)
    machine.guard("init", "--yes")
    found = json.loads(machine.run(sys.executable, "-m", "mcp_guard", "doctor", "--start", "--json", both=False))
    assert found["wrong"] is False
    [server] = found["findings"]["servers"]
    assert server["level"] == "ok"
    assert "started, lists" in server["what"]

"""The clients that people use, each with the guard in its config: they connect, list and call as with any server."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.guard import Guard
from tests.e2e.npm import node_server, program

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


def run(command: list[str], cwd: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_claude_code_shows_the_guarded_server_as_connected(guarded: list[str], guard: Guard, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude"), "DISABLE_AUTOUPDATER": "1"}
    env |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1"}
    claude = program("claude")
    run([claude, "mcp", "add", "--scope", "user", "files", "--", *guarded], home, env)

    [line] = [line for line in run([claude, "mcp", "list"], home, env).splitlines() if line.startswith("files:")]
    assert "Connected" in line
    [connected] = guard.events("agent.connected")
    assert connected["agent"] == "claude-code"
    assert "write_file" in connected["data"]["denied_tools"]


def test_the_inspector_lists_and_calls(guarded: list[str], guard: Guard, files: Path, tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"files": {"command": guarded[0], "args": guarded[1:]}}}))
    inspector = [program("mcp-inspector"), "--cli", "--config", str(config), "--server", "files"]

    listed = json.loads(run([*inspector, "--method", "tools/list"], tmp_path))
    assert "write_file" not in {tool["name"] for tool in listed["tools"]}
    call = [*inspector, "--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg"]
    allowed = json.loads(run([*call, f"path={files / 'open.txt'}"], tmp_path))
    assert allowed["content"][0]["text"] == "for all"
    assert [row["decision"] for row in guard.events("tool.decided")] == ["allow"]

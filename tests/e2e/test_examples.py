"""The example project: every client's config is read, what it says is started, and the policy holds."""

import json
import os
import sqlite3
import sys
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.wire import text_of, wire

PROJECT = Path(__file__).parents[2] / "examples"

CONFIGS: list[tuple[str, str, Callable[[str], dict[str, Any]], str]] = [  # agent, file, parser, where the servers are
    ("claude-code", ".mcp.json", json.loads, "mcpServers"),
    ("cursor", ".cursor/mcp.json", json.loads, "mcpServers"),
    ("codex", ".codex/config.toml", tomllib.loads, "mcp_servers"),
    ("gemini-cli", ".gemini/settings.json", json.loads, "mcpServers"),
]


@pytest.mark.parametrize(("agent", "file", "parse", "servers"), CONFIGS, ids=[config[0] for config in CONFIGS])
def test_the_config_starts_a_guarded_server(
    agent: str, file: str, parse: Callable[[str], dict[str, Any]], servers: str, tmp_path: Path
) -> None:
    entry = parse((PROJECT / file).read_text())[servers]["notes"]
    command = [word.replace("${workspaceFolder}", str(PROJECT)) for word in (entry["command"], *entry["args"])]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}

    with wire(command, env, PROJECT) as session:
        session.open("2025-11-25")
        listed = [tool["name"] for tool in session.request("tools/list")["result"]["tools"]]
        assert listed == ["list_notes", "read_note", "write_note"]
        assert text_of(session.call("read_note", {"title": "shopping"})) == "Milk, bread."
        denied = session.call("read_note", {"title": "salaries"})["result"]
        assert denied["isError"] is True
        assert "Ask the user" in denied["content"][0]["text"]
        assert session.call("delete_note", {"title": "shopping"})["error"]["message"] == "Unknown tool: delete_note"
        session.finish()
    with closing(sqlite3.connect(next(tmp_path.rglob("*.db")))) as log:
        who = log.execute("SELECT DISTINCT agent, agent_verified, server FROM decisions").fetchall()
    assert who == [(agent, 1, "notes")]

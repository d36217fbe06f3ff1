"""The main job on a real server: the npm filesystem server under a policy that hides, denies, and lets through."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.guard import Guard
from tests.e2e.npm import node_server
from tests.e2e.wire import LEGACY, Wire, text_of, wire

POLICY = """\
version: 1
servers:
  files: {name: Files, tools: {move_file: {tags: [destructive]}, edit_file: {tags: [destructive]}}}
rules:
  - id: nothing-destructive
    name: Nothing destructive
    effect: deny
    tools: ["tag:destructive"]
  - id: no-secrets
    name: No secrets
    effect: deny
    when: has(request.args.path) && request.args.path.contains("secret")
    message: Ask the owner for it.
  - id: notes-only
    name: Only notes are written
    effect: allow
    tools: [write_file]
    when: request.args.path.endsWith(".md")
  - id: reading
    name: Reading
    effect: allow
    tools: ["read_*", "list_*"]
settings: {audit_arguments: full}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "open.txt").write_text("for all")
    (root / "secret.txt").write_text("for few")
    return root


@pytest.fixture(params=(LEGACY[0], LEGACY[-1]))
def session(guard: Guard, files: Path, request: pytest.FixtureRequest) -> Iterator[Wire]:
    guard.policy.write_text(POLICY)
    with wire(guard.command([*node_server("filesystem"), str(files)], slug="files")) as connection:
        connection.answers["roots/list"] = {"roots": [{"uri": files.as_uri()}]}
        connection.open(request.param)
        yield connection


def test_the_agent_sees_what_its_policy_could_allow(session: Wire, guard: Guard) -> None:
    listed = {tool["name"] for tool in session.request("tools/list")["result"]["tools"]}
    assert {"read_text_file", "list_directory", "write_file"} <= listed
    assert {"move_file", "edit_file", "create_directory", "directory_tree"} & listed == set()
    session.finish()
    [connected] = guard.events("agent.connected")
    assert "move_file" in connected["data"]["denied_tools"]
    assert "write_file" in connected["data"]["conditionally_allowed_tools"]


def test_every_call_is_judged_and_logged(session: Wire, guard: Guard, files: Path) -> None:
    allowed = session.call("read_text_file", {"path": str(files / "open.txt")})
    assert text_of(allowed) == "for all"

    denied = session.call("read_text_file", {"path": str(files / "secret.txt")})["result"]
    assert denied["isError"] is True
    assert "Ask the owner for it." in denied["content"][0]["text"]
    assert "for few" not in str(denied)

    hidden = session.call("move_file", {"source": str(files / "open.txt"), "destination": str(files / "x")})
    assert hidden["error"] == {"code": -32602, "message": "Unknown tool: move_file"}
    unlisted = session.call("format_disk")
    assert unlisted["error"] == {"code": -32602, "message": "Unknown tool: format_disk"}

    written = session.call("write_file", {"path": str(files / "note.md"), "content": "kept"})
    assert not written["result"].get("isError")
    unwritten = session.call("write_file", {"path": str(files / "run.sh"), "content": "rm -rf"})["result"]
    assert unwritten["isError"] is True

    assert sorted(path.name for path in files.iterdir()) == ["note.md", "open.txt", "secret.txt"]
    rows = guard.events("tool.decided")
    assert [(row["tool"], row["decision"], row["decided_by"], row["rule"]) for row in rows] == [
        ("read_text_file", "allow", "policy", "reading"),
        ("read_text_file", "deny", "policy", "no-secrets"),
        ("move_file", "deny", "policy", "nothing-destructive"),
        ("format_disk", "deny", "guard", None),
        ("write_file", "allow", "policy", "notes-only"),
        ("write_file", "deny", "default", None),
    ]
    assert denied["_meta"]["dev.mcp-guard/decision"] == rows[1]["id"]
    assert rows[1]["data"]["arguments"] == {"path": str(files / "secret.txt")}


def test_the_log_can_be_read_with_sql_while_the_session_runs(session: Wire, guard: Guard, files: Path) -> None:
    session.call("read_text_file", {"path": str(files / "open.txt")})
    with closing(sqlite3.connect(guard.database)) as log:
        decisions = "SELECT tool, decision, forwarded, is_error, duration_us > 0 FROM decisions"
        assert [row[:3] for row in log.execute(decisions)] == [("read_text_file", "allow", 1)]
        session.finish()
        assert log.execute(decisions).fetchall() == [("read_text_file", "allow", 1, 0, 1)]
        connections = "SELECT client_name, calls, denied, disconnected_at IS NOT NULL FROM connections"
        assert log.execute(connections).fetchall() == [("wire", 1, 0, 1)]


def test_observe_decides_and_records_and_forwards_everything(guard: Guard, files: Path) -> None:
    guard.policy.write_text(POLICY)
    upstream = [*node_server("filesystem"), str(files)]
    with wire(guard.command(upstream, "--mode", "observe", slug="files")) as session:
        session.answers["roots/list"] = {"roots": [{"uri": files.as_uri()}]}
        session.open("2025-11-25")
        listed = {tool["name"] for tool in session.request("tools/list")["result"]["tools"]}
        assert "move_file" in listed
        assert text_of(session.call("read_text_file", {"path": str(files / "secret.txt")})) == "for few"
        [decided] = guard.events("tool.decided")
    assert (decided["decision"], decided["data"]["forwarded"], decided["data"]["mode"]) == ("deny", True, "observe")

"""A small log for the tests of the commands that read one: a session with everything in it that a log may hold."""

from pathlib import Path
from typing import Any

import msgspec

from mcp_guard.events import Event, EventType
from mcp_guard.redaction import recorded_arguments
from mcp_guard.store import Store

NOON = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z in microseconds
MINUTE = 60_000_000
KEY = b"k" * 32


class Session:
    """Events of one connection, a minute apart."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, type: EventType, data: dict[str, Any], **columns: Any) -> None:
        number = len(self.events) + 1
        given: dict[str, Any] = {"agent": "claude-code", "user": "alice@acme.com", "server": "github", **columns}
        self.events.append(
            Event(
                id=f"01JD-{number}",
                ts=NOON + number * MINUTE,
                type=type,
                connection_id="01JD",
                policy_hash="5f" * 32,
                data=data,
                **given,
            )
        )

    def call(
        self,
        tool: str,
        arguments: dict[str, Any],
        decision: str,
        rule: str | None,
        mode: str = "enforce",
        **columns: Any,
    ) -> None:
        kept = recorded_arguments(arguments, msgspec.json.encode(arguments), "redacted", KEY)
        forwarded = decision == "allow" or mode == "observe"
        data = {**kept, "request_id": 1, "reason": "Because.", "mode": mode, "forwarded": forwarded}
        decided_by = "policy" if rule else "default"
        self.add("tool.decided", data, tool=tool, decision=decision, decided_by=decided_by, rule=rule, **columns)


def a_session() -> list[Event]:
    session = Session()
    session.add("policy.loaded", {"files": ["policy.yaml"], "rules": 12, "version": "0.1.0"})
    listed = {"allowed_tools": ["a"] * 12, "conditionally_allowed_tools": ["b"], "denied_tools": ["c"] * 3}
    client = {"client": {"name": "claude-code", "version": "2.1.0"}, "protocol": "2025-11-25"}
    session.add("agent.connected", {**client, **listed})
    session.add("tools.listed", {"count": 1, "tools": {"get_issue": "x"}})
    session.call("create_pull_request", {"base": "main", "head": "fix", "title": "Fix it"}, "deny", "protect-main")
    session.call("create_pull_request", {"base": "dev", "labels": ["a", "b"], "draft": True}, "allow", "pull-requests")
    answer = {"decision": "01JD-5", "duration_us": 12345, "is_error": False, "bytes": 2222}
    session.add("tool.completed", answer, tool="create_pull_request")
    session.call("run_query", {"sql": "DROP TABLE users", "password": "hunter2"}, "require_approval", "destructive-sql")
    session.call("delete_repository", {"name": "app"}, "deny", None, mode="observe")
    session.call("日本語\x1b[2J", {"\x1b]0;owned\x07": "\x9b31m\u202e", "n": 3.5}, "allow", "all", agent="cursor\n")
    session.add("tool.changed", {"before": "1", "after": "2", "members": ["description"]}, tool="get_issue")
    session.add("message.rejected", {"from": "client", "reason": "a number is out of range", "bytes": 22})
    session.add("policy.rejected", {"files": ["policy.yaml"], "errors": ["policy.yaml:14:9: error[unknown-field]: …"]})
    session.add("upstream.exited", {"how": "exited with status 3"})
    session.add("agent.disconnected", {"why": "the client closed its side"})
    return session.events


def record(path: Path, events: list[Event]) -> str:
    store = Store.open(str(path))
    store.record(events)
    store.close()
    return str(path)

"""Events and logs for the tests of the store."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mcp_guard.events import Event

NOON = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z in microseconds


def decided(number: int = 1, **columns: object) -> Event:
    """A decision, numbered; columns as given, or of a call that was allowed."""
    given: dict[str, object] = {
        "id": f"conn-{number}",
        "ts": NOON + number,
        "type": "tool.decided",
        "connection_id": "conn",
        "agent": "claude-code",
        "user": "alice@acme.com",
        "server": "github",
        "tool": "get_issue",
        "decision": "allow",
        "decided_by": "policy",
        "rule": "read-only",
        "policy_hash": "5f" * 32,
        "data": {"arguments": {"n": number}, "request_id": number, "mode": "enforce", "forwarded": True},
    }
    return Event(**{**given, **columns})  # pyright: ignore[reportArgumentType]


def event(type: str, number: int = 1, **columns: object) -> Event:
    """An event that is no decision."""
    nothing = {"tool": None, "decision": None, "decided_by": None, "rule": None, "data": {}}
    return decided(number, **{**nothing, "type": type, **columns})


def ids(path: Path | str) -> list[str]:
    """The ids of all rows, in the order of commits, read on a connection of one's own."""
    connection = sqlite3.connect(path)
    try:
        return [name for (name,) in connection.execute("SELECT id FROM events ORDER BY seq")]
    finally:
        connection.close()


def python(code: str, *arguments: str | Path) -> "subprocess.Popen[str]":
    """Another process, running this code with these arguments."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def eventually(holds: Callable[[], bool], within: float = 20.0) -> bool:
    """Whether something comes to hold in time."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True

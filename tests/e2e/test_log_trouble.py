"""A log that cannot be written: the call is denied and says so, nothing reaches the server, the session lives on."""

import resource
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.wire import Wire, wire


@contextmanager
def full_disk(session: Wire, guard: Guard) -> Iterator[None]:
    """No file of the guard may grow: what a disk without space does to it."""
    limit = resource.prlimit(session.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(session.process.pid, resource.RLIMIT_FSIZE, limit)


@contextmanager
def locked(session: Wire, guard: Guard) -> Iterator[None]:
    """Somebody else holds the database and does not let go."""
    with closing(sqlite3.connect(guard.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


TROUBLES = [locked, *([full_disk] if sys.platform == "linux" else [])]  # only Linux limits another process


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_call_that_cannot_be_logged_is_denied(
    guard: Guard, tmp_path: Path, trouble: Callable[[Wire, Guard], AbstractContextManager[None]]
) -> None:
    seen = tmp_path / "seen"
    with wire(guard.command([*server("witness"), str(seen)])) as session:
        session.open("2025-11-25")
        assert not session.call("note", {"n": 1})["result"].get("isError")

        with trouble(session, guard):
            denied = session.call("note", {"n": 2})["result"]
            assert denied["isError"] is True
            assert "denied because the guard could not" in denied["content"][0]["text"]
            assert "result" in session.request("tools/list")

        assert not session.call("note", {"n": 3})["result"].get("isError")
        session.finish()

    assert seen.read_text().split() == ["1", "3"]
    rows = {row["data"]["arguments"]["n"]: row for row in guard.events("tool.decided")}
    assert [(rows[n]["decision"], rows[n]["decided_by"]) for n in (1, 2, 3)] == [
        ("allow", "policy"),
        ("deny", "guard"),
        ("allow", "policy"),
    ]
    assert rows[2]["id"] == denied["_meta"]["dev.mcp-guard/decision"]

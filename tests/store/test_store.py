"""What a guard asks of its log: open it, record, and know what was there before."""

import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mcp_guard.events import Event
from mcp_guard.store import Store, known_policy
from tests.store.making import NOON, decided, event, ids

COLUMNS = ["seq", "id", "ts", "type", "connection_id", "agent", "agent_verified", "user", "server", "tool"]
COLUMNS += ["decision", "decided_by", "rule", "policy_hash", "data"]


def rows(path: Path, sql: str = "SELECT * FROM events ORDER BY seq") -> list[dict[str, Any]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def test_opening_creates_the_directory_the_file_and_the_key_for_this_user_alone(path: Path) -> None:
    store = Store.open(str(path))
    store.record([decided()])
    modes = {name.name: stat.S_IMODE(name.stat().st_mode) for name in (path.parent, *path.parent.iterdir())}
    assert modes == {
        "logs": 0o700,
        "audit.db": 0o600,
        "audit.db-wal": 0o600,
        "audit.db-shm": 0o600,
        "audit.db.key": 0o600,
    }
    store.close()


def test_the_table_has_the_columns_that_are_promised(store: Store, path: Path) -> None:
    assert [row["name"] for row in rows(path, "PRAGMA table_info(events)")] == COLUMNS
    assert rows(path, "PRAGMA user_version") == [{"user_version": 5}]
    assert rows(path, "PRAGMA journal_mode") == [{"journal_mode": "wal"}]


def test_a_row_holds_what_the_event_holds(store: Store, path: Path) -> None:
    store.record(
        [decided(7, agent_verified=True, data={"arguments": msgspec.Raw(b'{"n":[1,2.5,null]}'), "mode": "enforce"})]
    )
    (row,) = rows(path)
    assert row == {
        "seq": 1,
        "id": "conn-7",
        "ts": "2026-11-21T12:00:00.000007Z",
        "type": "tool.decided",
        "connection_id": "conn",
        "agent": "claude-code",
        "agent_verified": 1,
        "user": "alice@acme.com",
        "server": "github",
        "tool": "get_issue",
        "decision": "allow",
        "decided_by": "policy",
        "rule": "read-only",
        "policy_hash": "5f" * 32,
        "data": '{"arguments":{"n":[1,2.5,null]},"mode":"enforce"}',
    }


def test_what_does_not_apply_is_null(store: Store, path: Path) -> None:
    store.record([Event(id="c-1", ts=NOON, type="upstream.exited", connection_id="c")])
    (row,) = rows(path)
    assert [name for name, value in row.items() if value is None] == [
        *("agent", "user", "server", "tool", "decision", "decided_by", "rule", "policy_hash")
    ]
    assert (row["agent_verified"], row["data"]) == (0, "{}")


@pytest.mark.parametrize("number", [0, 1, 2, 8, 9, 500])
def test_any_number_of_events_is_recorded_in_order(store: Store, path: Path, number: int) -> None:
    store.record([decided(n) for n in range(number)])
    assert ids(path) == [f"conn-{n}" for n in range(number)]


TIMES = [
    (0, "1970-01-01T00:00:00.000000Z"),
    (NOON, "2026-11-21T12:00:00.000000Z"),
    (NOON + 999_999, "2026-11-21T12:00:00.999999Z"),
    (NOON + 1_000_000, "2026-11-21T12:00:01.000000Z"),
    (-1, "1970-01-01T00:00:00.999999Z"),
    (10**18, "9999-12-31T23:59:59.000000Z"),
]


@pytest.mark.parametrize(("microseconds", "text"), TIMES)
def test_times_are_iso_8601_in_utc_to_the_microsecond(store: Store, path: Path, microseconds: int, text: str) -> None:
    store.record([decided(ts=microseconds)])
    assert rows(path)[0]["ts"] == text


TEXTS = [
    ("plain", "plain"),
    ("çåß 日本語 🙂", "çåß 日本語 🙂"),
    ("line\nbreak\tand 'quotes\" \\", "line\nbreak\tand 'quotes\" \\"),
    ("nul\0here", "nul\ufffdhere"),
    ("lone \ud800 surrogate", "lone \ufffd surrogate"),
    ("\udc00\ud800", "\ufffd\ufffd"),
    ("x" * 100_000, "x" * 100_000),
]


@pytest.mark.parametrize("others", [0, 1, 20])
@pytest.mark.parametrize(("given", "kept"), TEXTS, ids=range(len(TEXTS)))
def test_any_text_can_be_recorded(store: Store, path: Path, given: str, kept: str, others: int) -> None:
    data = {"reason": given, given: [given, {"deep": given}]}
    store.record([decided(0, tool=given, data=data), *(decided(n) for n in range(1, 1 + others))])
    first, *rest = rows(path)
    assert first["tool"] == kept
    assert json.loads(first["data"])["reason"].replace("\0", "\ufffd") == kept
    assert len(json.loads(first["data"])) == 2
    assert [row["id"] for row in rest] == [f"conn-{n}" for n in range(1, 1 + others)]


@pytest.mark.parametrize("column", ["id", "connection_id", "agent", "user", "server", "tool", "rule", "policy_hash"])
def test_a_lone_surrogate_in_any_column_loses_no_row(store: Store, path: Path, column: str) -> None:
    store.record([decided(**{column: "a\udfffb"})])
    assert rows(path)[0][column] == "a\ufffdb"


def test_data_that_is_no_json_leaves_a_row_that_says_so(store: Store, path: Path) -> None:
    cyclic: dict[str, object] = {}
    cyclic["self"] = cyclic
    for data in ({"set": object()}, cyclic):
        store.record([decided(data=data)])
    assert [json.loads(row["data"])["redacted"][0]["why"] for row in rows(path)] == ["unencodable"] * 2


def test_the_rows_of_one_record_are_committed_together_or_not_at_all(store: Store, path: Path) -> None:
    seen: set[int] = set()
    watcher = sqlite3.connect(path, isolation_level=None)
    for number in range(0, 60, 3):
        store.record([decided(number), decided(number + 1), decided(number + 2)])
        seen.add(watcher.execute("SELECT count(*) % 3 FROM events").fetchone()[0])
    watcher.close()
    assert seen == {0}


def test_the_log_goes_on_where_it_ended(path: Path) -> None:
    for number in range(3):
        store = Store.open(str(path))
        store.record([decided(number)])
        store.close()
    assert [(row["seq"], row["id"]) for row in rows(path)] == [(1, "conn-0"), (2, "conn-1"), (3, "conn-2")]


def test_closing_leaves_one_file_with_everything_in_it(path: Path) -> None:
    store = Store.open(str(path))
    store.record([decided(n) for n in range(20)])
    store.close()
    store.close()
    assert sorted(name.name for name in path.parent.iterdir()) == ["audit.db", "audit.db.key"]
    assert len(ids(path)) == 20


@pytest.mark.parametrize(
    "sql", ["UPDATE events SET decision = 'allow'", "DELETE FROM events", "DELETE FROM events WHERE seq = 1"]
)
def test_what_is_recorded_cannot_be_changed_or_deleted_by_accident(store: Store, path: Path, sql: str) -> None:
    store.record([decided(1), decided(2)])
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(sql)
    other.close()
    assert len(ids(path)) == 2


def test_the_key_is_made_once_and_is_of_the_log(path: Path, tmp_path: Path) -> None:
    keys: list[bytes] = []
    for name in (path, path, tmp_path / "other.db"):
        store = Store.open(str(name))
        keys.append(store.redaction_key())
        store.close()
    assert keys[0] == keys[1] != keys[2]
    assert [len(key) for key in keys] == [32, 32, 32]
    assert keys[0] == (path.parent / "audit.db.key").read_bytes()


def test_a_key_that_was_never_finished_is_made_anew(path: Path) -> None:
    path.parent.mkdir()
    key = path.parent / "audit.db.key"
    key.write_bytes(b"half")
    store = Store.open(str(path))
    assert len(store.redaction_key()) == 32
    assert key.read_bytes() == store.redaction_key()
    store.close()


def test_a_policy_is_known_once_a_guard_of_this_version_has_recorded_that_it_loaded_it(
    store: Store, path: Path
) -> None:
    questions = [("ab", "0.1.0"), ("ab", "0.2.0"), ("cd", "0.1.0"), ("", "")]
    before = [known_policy(str(path), *each) for each in questions]
    store.record([event("policy.loaded", policy_hash="ab", data={"files": ["p.yaml"], "version": "0.1.0"})])
    store.record([event("policy.rejected", 2, policy_hash="cd", data={"version": "0.1.0"})])
    after = [known_policy(str(path), *each) for each in questions]
    assert before == [False] * 4
    assert after == [True] + [False] * 3


def test_the_question_for_a_policy_does_not_read_the_whole_log(store: Store, path: Path) -> None:
    from mcp_guard.store.known import _KNOWN

    connection = sqlite3.connect(path)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {_KNOWN}", ("ab", "0.1.0")).fetchall()
    connection.close()
    assert "USING INDEX events_policy_loaded" in plan[0][3]


def test_asking_for_a_policy_creates_nothing(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and long enough to hold a header " * 20)
    for name in (tmp_path / "none.db", tmp_path / "none" / "audit.db", tmp_path, text, Path("")):
        assert known_policy(str(name), "ab", "0.1.0") is False
    assert list(tmp_path.iterdir()) == [text]


def test_asking_for_a_policy_of_a_closed_log_creates_nothing(path: Path) -> None:
    store = Store.open(str(path))
    store.record([event("policy.loaded", policy_hash="ab", data={"version": "0.1.0"})])
    store.close()
    assert known_policy(str(path), "ab", "0.1.0") is True
    assert sorted(name.name for name in path.parent.iterdir()) == ["audit.db", "audit.db.key"]


def test_the_question_needs_no_more_than_sqlite() -> None:
    import subprocess
    import sys

    heavy = ("msgspec", "asyncio", "typer", "threading")
    code = f"import sys, mcp_guard.store.known; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"

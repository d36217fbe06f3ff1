"""What happens beside the calls: checkpoints that stop nobody, and the end of old events."""

import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from mcp_guard.events import ApprovalRequested
from mcp_guard.ids import RANDOM_BYTES, new_id
from mcp_guard.store import Store
from mcp_guard.store.maintenance import Maintenance
from tests.store.making import decided, eventually, ids

LARGE = {"arguments": "x" * 100_000}
DAY = 86_400_000_000


def size(path: Path | str) -> int:
    return Path(path).stat().st_size


def test_the_write_ahead_log_is_put_into_the_database_while_the_guard_runs(store: Store, path: Path) -> None:
    store.record([decided(n, data=LARGE) for n in range(60)])
    assert eventually(lambda: size(path) > 6_000_000)


def test_few_calls_need_no_thread(store: Store) -> None:
    store.record([decided()])
    assert [thread for thread in threading.enumerate() if thread.name == "mcp-guard-store"] == []


def test_the_write_ahead_log_starts_over_also_under_calls_without_a_pause(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_guard.store.maintenance.WAL_LIMIT", 4 << 20)
    monkeypatch.setattr("mcp_guard.store.store._WAKE_AFTER", 1 << 20)
    recorded = 0

    def one_more_call_and_the_log_is_small() -> bool:
        nonlocal recorded
        store.record([decided(recorded)])
        recorded += 1
        return size(f"{path}-wal") < 4 << 20

    for _ in range(5):
        store.record([decided(n, data=LARGE) for n in range(60)])
        assert size(f"{path}-wal") > 4 << 20
        assert eventually(one_more_call_and_the_log_is_small)
    assert len(ids(path)) == 5 * 60 + recorded


def test_a_reader_that_takes_its_time_holds_no_call_up(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_guard.store.maintenance.WAL_LIMIT", 2 << 20)
    monkeypatch.setattr("mcp_guard.store.store._WAKE_AFTER", 1 << 40)
    store.record([decided(0)])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
    store.record([decided(n, data=LARGE) for n in range(1, 60)])
    store._maintenance._look()
    store.record([decided(60)])
    assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
    reader.close()
    store._maintenance._look()
    assert size(f"{path}-wal") == 0
    assert len(ids(path)) == 61


def test_a_checkpoint_that_hangs_holds_no_call_up(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(self: Maintenance, connection: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait()

    monkeypatch.setattr(Maintenance, "_checkpoint", hang)
    monkeypatch.setattr("mcp_guard.store.maintenance._JOIN", 0.05)
    store.record([decided(n, data=LARGE) for n in range(60)])
    assert begun.wait(20)
    for number in range(60, 200):
        store.record([decided(number)])
    store.close()
    assert len(ids(path)) == 200
    go_on.set()


def now() -> int:
    return time.time_ns() // 1000


def test_what_is_older_than_the_days_to_keep_is_deleted(path: Path) -> None:
    store = Store.open(str(path))
    old = [decided(n, ts=now() - 31 * DAY) for n in range(350)]
    mixed = [decided(n, ts=now() - (29 if n % 2 else 31) * DAY) for n in range(350, 400)]
    store.record([*old, *mixed, decided(400, ts=now())])
    store.close()
    store = Store.open(str(path), retain_days=30)
    kept = [f"conn-{n}" for n in range(351, 400, 2)] + ["conn-400"]
    assert eventually(lambda: ids(path) == kept)
    store.record([decided(401, ts=now())])
    store.close()
    assert ids(path) == [*kept, "conn-401"]


def test_what_a_person_was_asked_about_is_forgotten_with_the_events(path: Path) -> None:
    store = Store.open(str(path))
    for days in (60, 31, 29, 0):
        at = now() - days * DAY
        began = new_id((at - DAY) // 1000, bytes(RANDOM_BYTES))
        asked = ApprovalRequested(
            id=f"{began}-1",
            ts=at,
            type="approval.requested",
            connection_id=began,
            tool="send_mail",
            rule=f"{began}-a1",
            method="tools/call",
            arguments=json.dumps({"arguments": {"days": days}}),
            call_hash="h",
            pattern="",
            reason="",
            expires=at + 300_000_000,
        )
        store.record([asked])
    Maintenance(str(path), 30)._look()
    store.close()
    other = sqlite3.connect(path)
    left = other.execute("SELECT json_extract(arguments, '$.arguments.days') FROM approvals ORDER BY id").fetchall()
    other.close()
    assert left == [(29,), (0,)]


def test_retention_is_recorded_and_deletes_nothing_that_it_did_not_declare_old(path: Path) -> None:
    store = Store.open(str(path))
    store.record([decided(1, ts=now() - 31 * DAY), decided(2, ts=now() - 29 * DAY), decided(3, ts=now())])
    Maintenance(str(path), 30)._look()
    store.close()
    other = sqlite3.connect(path)
    ((ran_at, before),) = other.execute("SELECT * FROM retention").fetchall()
    assert before < ran_at
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute("DELETE FROM events")
    other.close()
    assert ids(path) == ["conn-2", "conn-3"]


def test_the_newest_event_stays_so_that_no_number_is_given_twice(path: Path) -> None:
    store = Store.open(str(path))
    store.record([decided(n, ts=now() - 31 * DAY) for n in range(5)])
    Maintenance(str(path), 30)._look()
    assert ids(path) == ["conn-4"]
    store.record([decided(5, ts=now())])
    store.close()
    other = sqlite3.connect(path)
    assert other.execute("SELECT seq FROM events").fetchall() == [(5,), (6,)]
    other.close()


def test_what_has_expired_is_gone_from_the_file(path: Path) -> None:
    store = Store.open(str(path))
    store.record(
        [decided(1, ts=now() - 31 * DAY, data={"arguments": {"note": "a needle in the hay"}}), decided(2, ts=now())]
    )
    store.close()
    assert b"needle" in path.read_bytes()
    store = Store.open(str(path))
    Maintenance(str(path), 30)._look()
    store.close()
    assert b"needle" not in path.read_bytes()


def test_without_days_to_keep_nothing_is_ever_deleted(path: Path) -> None:
    store = Store.open(str(path))
    store.record([decided(1, ts=0), decided(2, ts=now())])
    Maintenance(str(path), None)._look()
    store.close()
    assert ids(path) == ["conn-1", "conn-2"]


def test_retention_runs_once_a_day(path: Path) -> None:
    store = Store.open(str(path))
    maintenance = Maintenance(str(path), 30)
    maintenance._look()
    store.record([decided(1, ts=now() - 31 * DAY), decided(2, ts=now())])
    maintenance._look()
    assert ids(path) == ["conn-1", "conn-2"]
    maintenance._retained -= 86_400
    maintenance._look()
    assert ids(path) == ["conn-2"]
    store.close()


def test_maintenance_creates_no_file_where_the_log_is_gone(store: Store, path: Path) -> None:
    path.unlink()
    store._maintenance._look()
    assert not path.exists()

"""Reading the log: filters, pages, the end of it, and files that are no log."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_guard.events import Event
from mcp_guard.store import Store, StoreError
from mcp_guard.store.follow import follow
from mcp_guard.store.reader import PAGE, Filters, newest_seq, read_events
from tests.store.making import NOON, decided, event

EVENTS = [
    event("policy.loaded", 1, agent=None, data={"files": ["p.yaml"]}),
    event("agent.connected", 2, agent="cursor"),
    decided(3, tool="get_issue"),
    decided(4, tool="get_file[1]", agent="cursor", user="bob@acme.com"),
    decided(5, tool="delete_repo", decision="deny", server="gitlab"),
    decided(6, tool="Get_issue", decision="require_approval", connection_id="other"),
    event("tool.completed", 7, tool="get_issue", data={"decision": "conn-3"}),
]

FILTERS = [
    (Filters(), [1, 2, 3, 4, 5, 6, 7]),
    (Filters(since=NOON + 6), [6, 7]),
    (Filters(until=NOON + 2), [1, 2]),
    (Filters(since=NOON + 3, until=NOON + 3), [3]),
    (Filters(agent="cursor"), [2, 4]),
    (Filters(agent="c*"), [2, 3, 4, 5, 6, 7]),
    (Filters(user="bob@*"), [4]),
    (Filters(server="gitlab"), [5]),
    (Filters(tool="get_issue"), [3, 7]),
    (Filters(tool="get_*"), [3, 4, 7]),
    (Filters(tool="*issue"), [3, 6, 7]),
    (Filters(tool="get_file[1]"), [4]),
    (Filters(tool="get_?ssue"), []),
    (Filters(tool="*"), [3, 4, 5, 6, 7]),
    (Filters(decision="deny"), [5]),
    (Filters(types=("policy.loaded", "tool.completed")), [1, 7]),
    (Filters(except_types=("tool.decided", "tool.completed")), [1, 2]),
    (Filters(connection="other"), [6]),
    (Filters(after=5), [6, 7]),
    (Filters(upto=2), [1, 2]),
    (Filters(after=2, agent="claude-code", tool="g*", types=("tool.decided",)), [3]),
    (Filters(agent="' OR 1 --"), []),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_all_that_is_asked_for_must_fit(store: Store, path: Path, filters: Filters, expected: list[int]) -> None:
    store.record(EVENTS)
    assert [one.seq for one in read_events(str(path), filters)] == expected
    assert [one.seq for one in read_events(str(path), filters, newest=2)] == expected[-2:]


def test_an_event_is_read_as_it_was_recorded(store: Store, path: Path) -> None:
    store.record([decided(3, agent_verified=True, data={"arguments": {"n": 2**70, "x": None}})])
    (one,) = read_events(str(path), Filters())
    assert (one.seq, one.id, one.ts, one.agent_verified) == (1, "conn-3", "2026-11-21T12:00:00.000003Z", True)
    assert one.data == {"arguments": {"n": 2**70, "x": None}}


@pytest.mark.parametrize("number", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_pages_join_without_a_gap(store: Store, path: Path, number: int) -> None:
    store.record([decided(n) for n in range(number)])
    assert [one.id for one in read_events(str(path), Filters())] == [f"conn-{n}" for n in range(number)]
    newest = [one.id for one in read_events(str(path), Filters(tool="get_*"), newest=PAGE + 1)]
    assert newest == [f"conn-{n}" for n in range(number)][-PAGE - 1 :]


def test_a_reading_ends_where_the_log_ended_when_it_began(store: Store, path: Path) -> None:
    store.record([decided(n) for n in range(PAGE)])
    seen = 0
    for _ in read_events(str(path), Filters()):
        seen += 1
        store.record([decided(1000 + seen)])
    assert seen == PAGE


def test_a_reader_that_pauses_keeps_no_checkpoint_waiting(store: Store, path: Path) -> None:
    store.record([decided(n) for n in range(PAGE * 2)])
    reading = read_events(str(path), Filters())
    next(reading)
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    other.close()
    assert len(list(reading)) == PAGE * 2 - 1


def test_reading_a_closed_log_creates_nothing(path: Path) -> None:
    store = Store.open(str(path))
    store.record([decided()])
    store.close()
    before = sorted(path.parent.iterdir())
    assert len(list(read_events(str(path), Filters()))) == 1
    assert sorted(path.parent.iterdir()) == before


def test_a_row_that_somebody_has_edited_is_shown_as_it_is(store: Store, path: Path) -> None:
    store.record([decided()])
    other = sqlite3.connect(path)
    other.execute("DROP TRIGGER events_never_change")
    other.execute("UPDATE events SET data = '[not json'")
    other.commit()
    other.close()
    (one,) = read_events(str(path), Filters())
    assert one.data == {"unreadable": "[not json"}


def failure(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        list(read_events(str(path), Filters()))
    return caught.value.message


def test_what_is_no_log_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Dear diary, " * 100)
    (tmp_path / "empty").touch()
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = sorted(tmp_path.iterdir())
    assert failure(tmp_path / "none") == f"there is no audit log at {tmp_path}/none"
    assert failure(tmp_path) == f"{tmp_path} is a directory"
    assert failure(tmp_path / "text") == f"the audit log {tmp_path}/text is not a database"
    assert failure(tmp_path / "empty") == f"{tmp_path}/empty holds no audit log of this version"
    assert failure(tmp_path / "other") == f"{tmp_path}/other is the database of another program"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "#1.db", "ü.db", "file:x.db", "a&mode=rwc.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    store = Store.open(str(tmp_path / name))
    store.record([decided()])
    assert len(list(read_events(str(tmp_path / name), Filters()))) == 1
    store.close()
    assert len(list(read_events(str(tmp_path / name), Filters()))) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([name, f"{name}.key"])


class Idle(Exception):  # noqa: N818  (no error: the end of a script)
    pass


def followed(path: Path, filters: Filters, *steps: Callable[[], object]) -> list[str]:
    """The ids that a follower shows while these steps are done, one whenever it has nothing to do."""
    todo = iter(steps)

    def wait() -> None:
        for step in todo:
            step()
            return
        raise Idle

    shown: list[str] = []
    with contextlib.suppress(Idle):
        shown.extend(one.id for one in follow(str(path), filters, wait))
    return shown


def record(path: Path, *events: Event) -> None:
    store = Store.open(str(path))
    store.record(events)
    store.close()


def test_a_follower_shows_what_comes_and_fits(store: Store, path: Path) -> None:
    store.record([decided(n) for n in range(3)])
    shown = followed(
        path,
        Filters(after=newest_seq(str(path)), decision="deny"),
        lambda: store.record([decided(3, decision="deny")]),
        lambda: None,
        lambda: store.record([decided(4), decided(5, decision="deny")]),
        lambda: store.record([decided(n, decision="deny") for n in range(6, 6 + PAGE + 5)]),
    )
    assert shown == ["conn-3", *(f"conn-{n}" for n in range(5, 6 + PAGE + 5))]


def test_a_follower_stays_with_a_log_that_is_closed_and_opened_again(path: Path) -> None:
    record(path, decided(1))
    shown = followed(path, Filters(), lambda: record(path, decided(2)), lambda: record(path, decided(3)))
    assert shown == ["conn-1", "conn-2", "conn-3"]


def test_a_follower_goes_over_to_a_log_that_is_begun_anew(path: Path) -> None:
    record(path, *(decided(n) for n in range(5)))
    shown = followed(
        path,
        Filters(after=5),
        lambda: path.rename(path.with_name("old.db")),
        lambda: record(path, decided(5)),
        lambda: record(path, decided(6)),
    )
    assert shown == ["conn-5", "conn-6"]

"""Who is connected: as guards say it, and where a guard says nothing any more."""

from collections.abc import Iterator

import pytest

from mcp_guard.events import Event
from mcp_guard.store import Store
from mcp_guard.store.registry import instances
from mcp_guard.store.registry.book import Book, ConflictError
from mcp_guard.transports.ledger import BEAT
from tests.store.registry.conftest import Clock


@pytest.fixture
def store(path: str, book: Book, clock: Clock) -> Iterator[Store]:
    """A guard's, to which the client `c` of the agent `cursor` has connected."""
    opened = Store.open(path)
    opened.follow(
        Event(id="c-1", ts=clock.now, type="agent.connected", connection_id="c", agent="cursor", server="files")
    )
    yield opened
    opened.close()


def told(book: Book) -> list[str]:
    return [row["type"] for row in book.rows("SELECT type FROM events WHERE connection_id = 'registry' ORDER BY seq")]


def test_an_instance_is_connected_as_long_as_its_guard_says_so(store: Store, book: Book, clock: Clock) -> None:
    for _ in range(10):
        clock.pass_seconds(BEAT / 1_000_000)
        store.heard(["c"], clock.now)
        (found,) = instances.listed(book)
        assert (found["status"], found["ended_at"]) == ("connected", None)
        assert found["last_seen"] > found["first_seen"]


@pytest.mark.parametrize(("beats_missed", "status"), [(0, "connected"), (3, "connected"), (4, "lost")])
def test_an_instance_is_lost_after_a_few_beats_of_silence(
    store: Store, book: Book, clock: Clock, beats_missed: int, status: str
) -> None:
    clock.pass_seconds(beats_missed * BEAT / 1_000_000)
    assert instances.get(book, "c")["status"] == status
    assert len(instances.listed(book)) == (status == "connected")
    assert [row["status"] for row in instances.listed(book, ended=True)] == [status]


def test_a_lost_instance_that_is_heard_of_again_is_connected(store: Store, book: Book, clock: Clock) -> None:
    clock.pass_seconds(3600)  # the machine slept
    assert instances.listed(book) == []
    store.heard(["c"], clock.now)
    assert [row["status"] for row in instances.listed(book)] == ["connected"]


def test_to_disconnect_a_lost_instance_ends_it(store: Store, book: Book, clock: Clock) -> None:
    clock.pass_seconds(3600)
    ended = instances.disconnect(book, "c", "killed")
    assert (ended["status"], ended["disconnect"]) == ("ended", "killed")
    assert ended["ended_at"] is not None
    assert told(book)[-1] == "instance.disconnected"
    with pytest.raises(ConflictError):
        instances.disconnect(book, "c")
    store.heard(["c"], clock.now)  # its guard was there after all: it finds out, and ends the connection
    assert instances.get(book, "c")["status"] == "ended"
    assert store.instance_ended("c") == "killed"


def test_to_disconnect_a_connected_one_is_left_to_its_guard(store: Store, book: Book) -> None:
    assert instances.disconnect(book, "c")["status"] == "connected"
    assert store.instance_ended("c") is not None


def test_a_beat_moves_no_version_and_tells_nobody(store: Store, book: Book, clock: Clock) -> None:
    before = store.registry_version(), told(book)
    store.heard(["c", "not there"], clock.now)
    assert (store.registry_version(), told(book)) == before


def test_one_that_left_stays_gone(store: Store, book: Book, clock: Clock) -> None:
    store.follow(Event(id="c-9", ts=clock.now, type="agent.disconnected", connection_id="c", agent="cursor"))
    clock.pass_seconds(1)
    store.heard(["c"], clock.now)
    found = instances.get(book, "c")
    assert found["status"] == "ended"
    assert found["last_seen"] == found["ended_at"]

"""Approvals in the store: what a guard asks and settles, what a person decides, and what neither can."""

import json
from collections.abc import Callable, Iterator

import pytest
from msgspec import structs

from mcp_guard.events import ApprovalRequested, ApprovalSettled, Event, Judged
from mcp_guard.governance import Ruling
from mcp_guard.store import OutdatedError, Store
from mcp_guard.store.registry import approvals, grants, overrides
from mcp_guard.store.registry.book import Book, ConflictError, InvalidError, NotFoundError
from mcp_guard.store.rows import timestamp
from tests.store.registry.conftest import Clock

SECOND = 1_000_000
KEPT = json.dumps({"arguments": {"to": "bob"}})


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    opened = Store.open(path)
    yield opened
    opened.close()


def asked(book: Book, number: int = 1, *, pattern: str = "files:send_mail") -> ApprovalRequested:
    return ApprovalRequested(
        id=f"C-{number}",
        ts=book.now,
        type="approval.requested",
        connection_id="C",
        agent="cursor",
        user="kim",
        server="files",
        tool="send_mail",
        rule=f"C-a{number}",
        method="tools/call",
        arguments=KEPT,
        call_hash="h",
        pattern=pattern,
        reason="Think twice.",
        expires=book.now + 60 * SECOND,
    )


def settled(book: Book, status: str, number: int = 1, **more: str) -> ApprovalSettled:
    kind = "approval.decided" if status in ("approved", "denied") else "approval.withdrawn"
    facts = {"id": f"C-s{number}", "ts": book.now, "connection_id": "C", "rule": f"C-a{number}"}
    return ApprovalSettled(type=kind, status=status, **facts, **more)  # pyright: ignore[reportArgumentType]  (a status)


def told(book: Book) -> list[str]:
    return [row["type"] for row in book.rows("SELECT type FROM events ORDER BY seq")]


def test_what_is_asked_waits_with_all_that_a_person_needs(store: Store, book: Book) -> None:
    store.record([asked(book)])
    (row,) = approvals.listed(book)
    assert (row["id"], row["agent"], row["user"], row["server"], row["tool"]) == (
        "C-a1",
        "cursor",
        "kim",
        "files",
        "send_mail",
    )
    assert (row["status"], row["reason"], row["arguments"]) == ("pending", "Think twice.", {"to": "bob"})
    assert row["redacted"] == []
    assert row["method"] == "tools/call"
    assert row["expires_at"] == timestamp(book.now + 60 * SECOND)
    assert told(book) == ["approval.requested"]


def test_what_cannot_be_shown_whole_is_approved_once_and_no_more(store: Store, book: Book) -> None:
    left_out = [{"path": "/text", "hash": "h", "why": "assignment", "bytes": 29, "hidden": 9}]
    kept = json.dumps({"arguments": {"text": "password=[NOT SHOWN: 9 characters]"}, "redacted": left_out})
    store.record([structs.replace(asked(book), arguments=kept)])
    assert approvals.get(book, "C-a1")["redacted"] == left_out
    for scope, expires in (("session", None), ("grant", book.now + SECOND)):
        with pytest.raises(InvalidError, match="can only be approved once"):
            approvals.approve(book, "C-a1", scope, expires=expires)
    assert approvals.approve(book, "C-a1")["status"] == "approved"


def test_a_uri_is_shown_as_the_person_may_see_it_and_logged_as_the_log_may(store: Store, book: Book) -> None:
    left_out = [{"of": "params", "path": "/uri", "hash": "h", "why": "assignment", "bytes": 27, "hidden": 11}]
    kept = {"named": "db://q?password=[NOT SHOWN: 11 characters]", "arguments": {}, "redacted": left_out}
    event = structs.replace(asked(book), tool="db://q?password=[redacted]", arguments=json.dumps(kept))
    store.record([event])
    assert approvals.get(book, "C-a1")["tool"] == kept["named"]
    with pytest.raises(InvalidError, match="can only be approved once"):
        approvals.approve(book, "C-a1", "session")
    assert approvals.approve(book, "C-a1")["status"] == "approved"
    assert {row["tool"] for row in book.rows("SELECT tool FROM events")} == {event.tool}


def test_what_a_person_decides_is_heard_and_moves_the_version(store: Store, book: Book) -> None:
    store.record([asked(book), asked(book, 2)])
    before = store.registry_version()
    assert store.ruling("C-a1") is None
    approvals.approve(book, "C-a1", "session")
    assert store.registry_version() > before
    approvals.deny(book, "C-a2", comment="no")
    assert store.ruling("C-a1") == Ruling(True, "session", "kim")
    assert store.ruling("C-a2") == Ruling(False, "once", "kim", "no")
    assert told(book)[-2:] == ["approval.decided"] * 2
    last = book.one("SELECT data FROM events ORDER BY seq DESC LIMIT 1")
    assert last is not None
    assert json.loads(last["data"])["by"] == "kim"


def test_a_grant_is_made_with_the_approval_and_satisfies_what_asks(store: Store, book: Book) -> None:
    store.record([asked(book)])
    approvals.approve(book, "C-a1", "grant", expires=book.now + 60 * SECOND)
    (row,) = grants.listed(book)
    assert (row["agent"], row["pattern"], row["effect"], row["granted_by"]) == (
        "cursor",
        "files:send_mail",
        "approve",
        "kim",
    )
    applicable = store.snapshot("cursor", None, book.now).about("files", "send_mail")
    assert [grant.id for grant in applicable.approved] == [row["id"]]
    assert applicable.allowed == ()


def test_a_grant_by_approval_stands_beside_one_that_allows(store: Store, book: Book) -> None:
    grants.add(book, "cursor", "files:send_mail", "allow")
    store.record([asked(book)])
    approvals.approve(book, "C-a1", "grant", expires=book.now + SECOND)
    assert {row["effect"] for row in grants.listed(book)} == {"allow", "approve"}
    with pytest.raises(ConflictError):
        grants.add(book, "cursor", "files:send_mail", "deny")


REFUSED: dict[str, tuple[Callable[[Book], object], type[Exception]]] = {
    "what is not there": (lambda book: approvals.approve(book, "x"), NotFoundError),
    "a scope that is none": (lambda book: approvals.approve(book, "C-a1", "forever"), InvalidError),
    "a grant without an end": (lambda book: approvals.approve(book, "C-a1", "grant"), InvalidError),
    "an end of what is no grant": (lambda book: approvals.approve(book, "C-a1", expires=book.now + 9), InvalidError),
    "a grant that is over": (lambda book: approvals.approve(book, "C-a1", "grant", expires=book.now), InvalidError),
    "a comment too long": (lambda book: approvals.deny(book, "C-a1", comment="x" * 1_001), InvalidError),
    "a status that is none": (lambda book: approvals.listed(book, status="open"), InvalidError),
    "what is decided": (lambda book: approvals.deny(book, "C-a2"), ConflictError),
    "what is withdrawn": (lambda book: approvals.approve(book, "C-a3"), ConflictError),
    "a grant of a prompt": (
        lambda book: approvals.approve(book, "C-a5", "grant", expires=book.now + SECOND),
        InvalidError,
    ),
    "a grant of a name that is a pattern": (
        lambda book: approvals.approve(book, "C-a4", "grant", expires=book.now + SECOND),
        InvalidError,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_decided_is_refused_and_changes_nothing(store: Store, book: Book, name: str) -> None:
    store.record([asked(book), asked(book, 2), asked(book, 3), asked(book, 4, pattern="")])
    store.record([structs.replace(asked(book, 5), method="prompts/get", pattern="")])
    approvals.approve(book, "C-a2")
    store.record([settled(book, "withdrawn", 3)])
    before = told(book), approvals.listed(book, status=None), grants.listed(book)
    decide, error = REFUSED[name]
    with pytest.raises(error):
        decide(book)
    assert (told(book), approvals.listed(book, status=None), grants.listed(book)) == before


def asked_by_a_client(store: Store, book: Book) -> Event:
    """A call waits for an hour; gives the arrival of its client, which the registry knows of."""
    came = Event(id="C-0", ts=book.now, type="agent.connected", connection_id="C", agent="cursor", server="files")
    store.follow(came)
    store.record([structs.replace(asked(book), expires=book.now + 3600 * SECOND)])
    return came


@pytest.mark.parametrize("how", ["killed", "left"])
def test_nothing_is_approved_for_a_client_that_is_gone(store: Store, book: Book, clock: Clock, how: str) -> None:
    came = asked_by_a_client(store, book)
    assert [row["status"] for row in approvals.listed(book)] == ["pending"]
    if how == "killed":
        clock.pass_seconds(120)  # and its guard says nothing
    else:
        store.follow(structs.replace(came, type="agent.disconnected"))
    assert approvals.listed(book) == []
    assert [row["status"] for row in approvals.listed(book, status=None)] == ["withdrawn"]
    with pytest.raises(ConflictError, match="nobody waits"):
        approvals.approve(book, "C-a1")
    assert approvals.deny(book, "C-a1")["status"] == "denied"  # what is in doubt can be denied


def test_a_client_whose_machine_only_slept_can_be_approved_again(store: Store, book: Book, clock: Clock) -> None:
    asked_by_a_client(store, book)
    clock.pass_seconds(120)
    store.heard(["C"], clock.now)
    assert approvals.approve(book, "C-a1")["status"] == "approved"


def test_nobody_decides_after_the_time_is_up(store: Store, book: Book, clock: Clock) -> None:
    store.record([asked(book)])
    clock.pass_seconds(60)
    assert approvals.listed(book) == []
    assert approvals.get(book, "C-a1")["status"] == "expired"
    with pytest.raises(ConflictError):
        approvals.approve(book, "C-a1")


def test_of_the_history_no_more_is_read_than_is_asked_about(store: Store, book: Book) -> None:
    for number in range(1, 4):
        store.record([asked(book, number)])
    approvals.deny(book, "C-a1")
    store.record([settled(book, "withdrawn", 2)])
    book._connection.execute("UPDATE approvals SET arguments = 'unreadable' WHERE id <> 'C-a3'")
    assert [row["id"] for row in approvals.listed(book)] == ["C-a3"]
    assert [row["id"] for row in approvals.listed(book, agent="claude-code")] == []
    standing = {row["id"]: row["status"] for row in approvals.brief(book, status=None)}
    assert standing == {"C-a1": "denied", "C-a2": "withdrawn", "C-a3": "pending"}


def test_what_was_decided_in_the_store_stands_against_the_guards_own_end(store: Store, book: Book) -> None:
    store.record([asked(book)])
    approvals.deny(book, "C-a1")
    store.record([settled(book, "approved", scope="once", by="eve")])
    assert approvals.get(book, "C-a1")["status"] == "denied"


def test_an_approval_through_the_client_is_written_with_its_call_or_not_at_all(store: Store, book: Book) -> None:
    store.record([asked(book), asked(book, 2)])
    version = store.registry_version()
    call = Judged(id="C-9", ts=book.now, type="tool.decided", connection_id="C", decision="allow", registry=version)
    store.record([settled(book, "approved", scope="once", by="kim"), call])
    assert approvals.get(book, "C-a1")["decided_via"] == "client"
    assert store.registry_version() == version  # the guard that asked knows; nobody else has to look anew
    overrides.stop(book, None)
    late = Judged(id="C-10", ts=book.now, type="tool.decided", connection_id="C", decision="allow", registry=version)
    with pytest.raises(OutdatedError):
        store.record([settled(book, "approved", 2, scope="once", by="kim"), late])
    assert approvals.get(book, "C-a2")["status"] == "pending"


def test_texts_that_sqlite_cannot_hold_are_held_all_the_same(store: Store, book: Book) -> None:
    store.record([structs.replace(asked(book), tool="a\ud800b\0", reason="x\udfff")])
    assert approvals.get(book, "C-a1")["tool"] == "a\ufffdb\ufffd"

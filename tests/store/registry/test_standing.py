"""How an agent stands by what is in the registry, and that nothing is written under a registry that has moved on."""

import os
import sqlite3
import threading

import pytest
from msgspec import structs

from mcp_guard.events import Event, Judged
from mcp_guard.identity.errors import CredentialError
from mcp_guard.store import OutdatedError, Store
from mcp_guard.store.registry import agents, budgets, credentials, evals, grants, instances, overrides, windows
from mcp_guard.store.registry.book import Book
from mcp_guard.store.registry.live import LiveRegistry
from mcp_guard.store.rows import timestamp

SECOND = 1_000_000


def decided(number: int, version: int | None, *, ts: int = 0, charged: bool = False) -> Judged:
    return Judged(
        id=f"c-{number}",
        ts=ts,
        type="tool.decided",
        connection_id="c",
        agent="cursor",
        decision="allow",
        registry=version,
        charged=charged,
    )


@pytest.fixture
def store(path: str):
    opened = Store.open(path)
    yield opened
    opened.close()


def test_an_agent_nobody_knows_stands_well(store: Store) -> None:
    found = store.snapshot("cursor", None, 0)
    assert found.plain
    assert found.version == store.registry_version()


def test_all_that_is_kept_of_an_agent_is_in_its_snapshot(store: Store, book: Book) -> None:
    agents.create(book, "cursor", risk="high", tags=["new"])
    grants.add(book, "cursor", "get_*", "allow", expires=book.now + SECOND)
    grants.add(book, "other", "get_*", "deny")
    overrides.add(book, None, "delete_*", "deny", reason="freeze")
    overrides.add(book, "other", "*", "deny")
    budgets.put(book, "cursor", "hour", "calls", 3)
    budgets.put(book, "cursor", "month", "usd", 10, enforced=False)
    evals.record(book, "cursor", 0.8, "old")
    evals.require(book, "cursor", 0.9)
    found = store.snapshot("cursor", None, book.now)
    assert (found.status, found.risk, found.tags) == ("active", "high", ("new",))
    assert [grant.pattern for grant in found.grants] == ["get_*"]
    assert [override.reason for override in found.overrides] == ["freeze"]
    assert [(budget.window, budget.limit, budget.spent) for budget in found.budgets] == [("hour", 3, 0)]
    assert found.counted
    assert found.eval_gate is not None
    assert (found.eval_gate.minimum, found.eval_gate.latest, found.eval_gate.suite) == (0.9, 0.8, "old")
    assert found.changes_at == book.now + SECOND


def test_a_decision_under_a_registry_that_has_moved_on_is_not_written(store: Store, book: Book) -> None:
    version = store.registry_version()
    store.record([decided(1, version)])
    overrides.stop(book, None)
    for rows in ([decided(2, version)], [decided(2, version), decided(3, version)]):
        with pytest.raises(OutdatedError):
            store.record(rows)
    store.record([decided(4, store.registry_version()), decided(5, None)])
    assert [row["id"] for row in book.rows("SELECT id FROM events WHERE type = 'tool.decided'")] == [
        "c-1",
        "c-4",
        "c-5",
    ]


def test_decisions_under_two_versions_are_not_written_together(store: Store) -> None:
    version = store.registry_version()
    with pytest.raises(OutdatedError):
        store.record([decided(1, version), decided(2, version + 1)])


def test_a_budget_takes_what_it_allows_and_leaves_out_the_rest(store: Store, book: Book) -> None:
    made = budgets.put(book, "cursor", "minute", "calls", 2)
    version, now = store.registry_version(), book.now
    written = store.record([decided(n, version, ts=now, charged=True) for n in range(4)])
    assert written.overdrawn == {"c-2": made["id"], "c-3": made["id"]}
    assert [(alert.share, alert.spent) for alert in written.alerts] == [(100, 2)]
    assert [row["id"] for row in book.rows("SELECT id FROM events WHERE type = 'tool.decided'")] == ["c-0", "c-1"]
    assert store.snapshot("cursor", None, now).budgets[0].spent == 2
    assert not store.record([decided(9, version, ts=now + 60 * SECOND, charged=True)]).overdrawn


def test_what_is_only_observed_is_counted_and_never_refused(store: Store, book: Book) -> None:
    budgets.put(book, "cursor", "minute", "calls", 2)
    version, now = store.registry_version(), book.now
    observed = [structs.replace(decided(n, version, ts=now, charged=True), observed=True) for n in range(4)]
    assert not store.record(observed).overdrawn
    assert store.snapshot("cursor", None, now).budgets[0].spent == 4


def test_a_budget_that_is_not_enforced_only_tells(store: Store, book: Book) -> None:
    budgets.put(book, "cursor", "minute", "calls", 10, enforced=False)
    version, now = store.registry_version(), book.now
    written = [store.record([decided(n, version, ts=now, charged=True)]) for n in range(12)]
    assert not any(one.overdrawn for one in written)
    assert [alert.share for one in written for alert in one.alerts] == [80, 100]
    shares = book.rows("SELECT json_extract(data, '$.share') AS share FROM events WHERE type = 'budget.alert'")
    assert [row["share"] for row in shares] == [80, 100]


def test_eight_guards_spend_one_budget_and_never_more(path: str, book: Book) -> None:
    budgets.put(book, "cursor", "day", "calls", 40)
    now = book.now
    taken: list[int] = []

    def spend(guard: int) -> None:
        store = Store.open(path)
        try:
            version = store.registry_version()
            for n in range(20):
                event = decided(guard * 1000 + n, version, ts=now, charged=True)
                taken.append(0 if store.record([event]).overdrawn else 1)
        finally:
            store.close()

    guards = [threading.Thread(target=spend, args=(n,)) for n in range(8)]
    for guard in guards:
        guard.start()
    for guard in guards:
        guard.join()
    assert sum(taken) == 40
    assert len(taken) == 160
    assert len(book.rows("SELECT id FROM events WHERE type = 'tool.decided'")) == 40


@pytest.mark.parametrize(
    ("window", "began", "ends"),
    [
        ("minute", "2026-11-21T12:34:00.000000Z", "2026-11-21T12:35:00.000000Z"),
        ("hour", "2026-11-21T12:00:00.000000Z", "2026-11-21T13:00:00.000000Z"),
        ("day", "2026-11-21T00:00:00.000000Z", "2026-11-22T00:00:00.000000Z"),
        ("month", "2026-11-01T00:00:00.000000Z", "2026-12-01T00:00:00.000000Z"),
    ],
)
def test_windows_begin_with_the_clock(window, began: str, ends: str) -> None:
    start, end = windows.around(window, 1_795_264_496_000_000)
    assert (timestamp(start), timestamp(end)) == (began, ends)


def test_a_running_guard_hears_of_each_change_and_of_what_expires(store: Store, book: Book) -> None:
    live = LiveRegistry(store)
    live.look(book.now)
    before = live.changes
    first = live.snapshot("cursor", None)
    assert live.snapshot("cursor", None) is first
    overrides.stop(book, "cursor")
    live.refresh(book.now)
    assert live.changes == before + 1
    assert not live.snapshot("cursor", None).plain


def test_a_registry_that_cannot_be_read_lets_nothing_through(store: Store) -> None:
    live = LiveRegistry(store)
    assert store._cursor is not None
    store._cursor.connection.execute("DROP TABLE grants")
    found = live.snapshot("cursor", None)
    assert found.barred is not None
    assert not found.plain


def test_a_key_proves_its_agent_until_it_is_revoked_or_expires(store: Store, book: Book, clock) -> None:
    key, kept = credentials.issue(book, "cursor", expires=book.now + 5 * SECOND)
    connection = sqlite3.connect(book.path)
    now = timestamp(book.now)
    proof = credentials.prove(connection, key, now)
    assert (proof.agent, proof.credential.id) == ("cursor", kept["id"])
    assert store.snapshot("cursor", proof.credential, book.now).changes_at == book.now + 5 * SECOND
    assert store.snapshot("cursor", proof.credential, book.now + 5 * SECOND).barred is not None
    with pytest.raises(CredentialError):
        credentials.prove(connection, key, timestamp(book.now + 5 * SECOND))
    credentials.revoke(book, kept["id"])
    assert store.snapshot("cursor", proof.credential, book.now).barred is not None
    with pytest.raises(CredentialError):
        credentials.prove(connection, key, now)
    connection.close()


@pytest.mark.parametrize("change", [lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"), str.lower, lambda key: ""])
def test_what_is_no_key_proves_nothing(book: Book, change) -> None:
    key, _ = credentials.issue(book, "cursor")
    connection = sqlite3.connect(book.path)
    with pytest.raises(CredentialError) as caught:
        credentials.prove(connection, change(key), timestamp(book.now))
    assert key not in str(caught.value)
    connection.close()


@pytest.mark.parametrize("trouble", ["the directory is gone", "its name is no text"])
def test_a_client_is_noted_wherever_the_guard_was_started(store: Store, book: Book, monkeypatch, trouble: str) -> None:
    def nowhere() -> str:
        if trouble == "the directory is gone":
            raise FileNotFoundError
        return "/srv/\udcff"

    monkeypatch.setattr(os, "getcwd", nowhere)
    came = Event(
        id="c-1", ts=1, type="agent.connected", connection_id="c", agent="cursor", user="kim\udcff", server="s"
    )
    store.follow(came)
    assert [row["agent"] for row in instances.listed(book, ended=True)] == ["cursor"]

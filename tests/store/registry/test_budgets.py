"""A budget counts from the start of its window, whenever it is set."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from mcp_guard.events import Event, Judged
from mcp_guard.store import Store
from mcp_guard.store.registry import budgets, telemetry
from mcp_guard.store.registry.book import Book
from mcp_guard.store.registry.telemetry import Cost
from tests.store.registry.conftest import Clock

MINUTE = 60_000_000
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE


def call(number: int, at: int, agent: str = "cursor", **data: Any) -> Event:
    """The row of a call that went on."""
    data = {"forwarded": True, **data}
    return Event(
        id=f"C-{number}", ts=at, type="tool.decided", connection_id="C", agent=agent, decision="allow", data=data
    )


@pytest.fixture
def log(book: Book) -> Callable[..., None]:
    def log(*events: Event) -> None:
        with closing(Store.open(book.path)) as store:
            store.record(list(events))

    return log


def spent(book: Book) -> list[float]:
    return [row["spent"] for row in budgets.listed(book)]


def test_calls_of_the_window_are_counted_that_the_log_holds(book: Book, clock: Clock, log: Callable[..., None]) -> None:
    now = clock()
    before = [call(number, now - 2 * DAY + number) for number in range(300)]
    log(*before, call(1001, now, forwarded=False), call(1002, now, "another"), call(1003, now), call(1004, now + 1))
    assert budgets.put(book, "cursor", "day", "calls", 3)["spent"] == 2
    log(Event(id="C-9", ts=now, type="prompt.decided", connection_id="C", agent="cursor", data={"forwarded": True}))
    assert budgets.put(book, "cursor", "minute", "calls", 3)["spent"] == 2
    clock.now += HOUR
    assert budgets.put(book, "cursor", "hour", "calls", 3)["spent"] == 0


def test_dollars_of_the_month_are_counted_that_calls_and_models_cost(
    book: Book, clock: Clock, log: Callable[..., None]
) -> None:
    log(call(1, clock(), usd=0.25), call(2, clock(), usd=0.5), call(3, clock(), usd=9.0, forwarded=False))
    telemetry.take_in(book, "cursor", [Cost("s", "opus", 1, 2, 40.0, False)])
    telemetry.take_in(book, "another", [Cost("s", "opus", 1, 2, 7.0, False)])
    assert budgets.put(book, "cursor", "month", "usd", 10)["spent"] == 40.75
    clock.now += 32 * DAY
    assert spent(book) == [0]


def test_removing_a_budget_and_setting_it_again_forgets_nothing(book: Book, clock: Clock) -> None:
    first = budgets.put(book, "cursor", "month", "usd", 10)
    telemetry.take_in(book, "cursor", [Cost("s", "opus", 1, 2, 11.0, False)])
    budgets.remove(book, first["id"])
    telemetry.take_in(book, "cursor", [Cost("s", "opus", 2, 3, 4.0, False)])
    assert budgets.put(book, "cursor", "month", "usd", 10)["spent"] == 15


def test_what_was_counted_once_stays_counted_where_the_log_has_forgotten_it(book: Book) -> None:
    first = budgets.put(book, "cursor", "day", "calls", 9)
    with book.changing() as change:
        change.execute("UPDATE spending SET amount = 7")
    budgets.remove(book, first["id"])
    assert budgets.put(book, "cursor", "day", "calls", 9)["spent"] == 7


def test_who_has_spent_it_all_is_alerted_of_and_stopped_by_the_next_call(book: Book, log: Callable[..., None]) -> None:
    telemetry.take_in(book, "cursor", [Cost("s", "opus", 1, 2, 11.0, False)])
    budgets.put(book, "cursor", "month", "usd", 10)
    (alert,) = telemetry.take_in(book, "cursor", [Cost("s", "opus", 2, 3, 0.5, False)])
    assert (alert.share, alert.spent) == (100, 11.5)
    with closing(Store.open(book.path)) as store:
        (budget,) = store.snapshot("cursor", None, book.now).budgets
        assert (budget.spent, budget.limit) == (11.5, 10)


def test_what_comes_late_counts_in_the_window_that_has_begun(book: Book, clock: Clock) -> None:
    clock.now -= clock.now % MINUTE - MINUTE
    edge = clock.now
    budgets.put(book, "cursor", "minute", "calls", 2)
    with closing(Store.open(book.path)) as store:
        version = store.registry_version()

        def allowed(number: int, at: int) -> bool:
            row = Judged(
                id=f"C-{number}",
                ts=at,
                type="tool.decided",
                connection_id="C",
                agent="cursor",
                decision="allow",
                registry=version,
                charged=True,
            )
            return not store.record([row]).overdrawn

        assert [allowed(number, edge + number) for number in range(3)] == [True, True, False]
        assert not allowed(10, edge - 1), "judged by another guard before the minute's end, committed after it"
        assert not allowed(11, edge + 10), "nor does it begin the count anew"
        (seen,) = store.snapshot("cursor", None, edge - 1).budgets
        assert (seen.spent, seen.resets) == (2, edge + MINUTE)
        assert allowed(12, edge + MINUTE)
        assert allowed(13, edge - 5 * MINUTE), "a clock that is set back begins anew: it may have been far ahead"

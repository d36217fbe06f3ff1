"""What calls cost, counted against budgets in the very transaction that commits their rows.

So two guards on one file never let through more than the budget allows between them: whoever commits second finds it
spent.
"""

import sqlite3
from typing import Literal

import msgspec

from mcp_guard.events import Event
from mcp_guard.governance.snapshot import BudgetWindow
from mcp_guard.store.registry import windows
from mcp_guard.store.registry.book import CONNECTION

_BUDGETS = "SELECT id, window, unit, amount, enforced, alerts FROM budgets WHERE agent = ?"
_SPENT = "SELECT began, amount, alerted FROM spending WHERE agent = ? AND window = ? AND unit = ?"
_SPEND = """
    INSERT INTO spending (agent, window, unit, began, amount, alerted) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (agent, window, unit) DO UPDATE
    SET began = excluded.began, amount = excluded.amount, alerted = excluded.alerted
"""
_SHARES = (100, 80)  # percent of a budget at which somebody is told


class Alert(msgspec.Struct, frozen=True):
    """A budget of which that share (percent) is spent now, for the first time in its window."""

    budget: str
    agent: str
    window: BudgetWindow
    unit: Literal["calls", "usd"]
    share: int
    spent: float
    limit: float

    @property
    def text(self) -> str:
        """What a person is told."""
        amounts = (
            f"${self.spent:.2f} of ${self.limit:.2f}"
            if self.unit == "usd"
            else f"{self.spent:g} of {self.limit:g} calls"
        )
        return f"the agent {self.agent} has spent {self.share} % of what it may in this {self.window}: {amounts}"


def told(alert: Alert, now: int) -> Event:
    """The event of an alert."""
    data = {name: getattr(alert, name) for name in ("window", "unit", "share", "spent", "limit")}
    return Event(
        id=f"{CONNECTION}-{alert.budget}-{now}-{alert.share}",
        ts=now,
        type="budget.alert",
        connection_id=CONNECTION,
        agent=alert.agent,
        rule=alert.budget,
        data={"by": "mcp-guard", **data},
    )


class Spent(msgspec.Struct, frozen=True):
    """What became of a charge: the budget that it would have overdrawn, if any; and the alerts that it set off."""

    overdrawn: str | None = None
    alerts: tuple[Alert, ...] = ()


def charge(cursor: sqlite3.Cursor, agent: str, calls: int, usd: float, now: int, *, observed: bool = False) -> Spent:
    """Count `calls` and `usd` against every budget of the agent, all or none. To be called within a transaction.

    A budget of calls is never overdrawn, but by calls that are only `observed`. One of dollars may be, by the last
    call: what a call costs is known late. Raises sqlite3.Error.
    """
    due: list[tuple[object, ...]] = []
    alerts: list[Alert] = []
    for budget, window, unit, limit, enforced, told in cursor.execute(_BUDGETS, (agent,)).fetchall():
        latest, before, alerted = cursor.execute(_SPENT, (agent, window, unit)).fetchone() or (0, 0.0, 0)
        began, _ = windows.counted(window, now, latest)
        if began != latest:
            before, alerted = 0.0, 0
        spent = before + (calls if unit == "calls" else usd)
        if enforced and calls and not observed and (spent > limit if unit == "calls" else before >= limit):
            return Spent(overdrawn=budget)
        share = next((share for share in _SHARES if spent * 100 >= limit * share), 0)
        if told and share > alerted:
            alerts.append(Alert(budget, agent, window, unit, share, spent, limit))
        due.append((agent, window, unit, began, spent, max(share, alerted)))
    cursor.executemany(_SPEND, due)
    return Spent(alerts=tuple(alerts))

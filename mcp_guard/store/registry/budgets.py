"""Budgets in the registry: what an agent may spend in a window, in calls or in US dollars, and what it has spent.

A budget counts from the start of its window, whenever it is set.
"""

import math
from typing import cast, get_args

from mcp_guard.governance.snapshot import BudgetWindow
from mcp_guard.store.registry import earlier, windows
from mcp_guard.store.registry.book import Book, Change, InvalidError, NotFoundError, Row
from mcp_guard.store.registry.checks import check_agent
from mcp_guard.store.rows import timestamp

WINDOWS: tuple[str, ...] = get_args(BudgetWindow)
UNITS = ("calls", "usd")
_COLUMNS = "budgets.id, agent, window, unit, budgets.amount, enforced, alerts, created_at"
_SPENT = "coalesce(spending.began, 0) AS began, coalesce(spending.amount, 0) AS spent"
_FROM = f"SELECT {_COLUMNS}, {_SPENT} FROM budgets LEFT JOIN spending USING (agent, window, unit)"

_BEGIN = """
    INSERT INTO spending (agent, window, unit, began, amount) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (agent, window, unit) DO UPDATE SET
      amount = CASE began WHEN excluded.began THEN max(amount, excluded.amount) ELSE excluded.amount END,
      began = excluded.began
"""


def listed(book: Book, *, agent: str | None = None) -> list[Row]:
    """The budgets, by agent, each with what is spent of it in its present window, and when that ends."""
    now = book.now
    found = book.rows(f"{_FROM} ORDER BY agent, window, unit")
    return [_shown(row, now) for row in found if agent is None or row["agent"] == agent]


def put(
    book: Book, agent: str, window: str, unit: str, amount: float, *, enforced: bool = True, alerts: bool = True
) -> Row:
    """Set what an agent may spend in a window, in the place of what was set before. Raises InvalidError."""
    check_agent(agent)
    kind = _checked(window, unit, amount)
    logged = earlier.logged(book, agent, windows.around(kind, book.now)[0])
    with book.changing() as change:
        known = change.one("SELECT id FROM budgets WHERE agent = ? AND window = ? AND unit = ?", (agent, window, unit))
        if known is not None:
            change.execute("DELETE FROM budgets WHERE id = ?", (known["id"],))
        else:
            _begin(change, agent, kind, unit, logged)
        budget_id = book.new_id() if known is None else known["id"]
        change.insert(
            "budgets",
            id=budget_id,
            agent=agent,
            window=window,
            unit=unit,
            amount=amount,
            enforced=int(enforced),
            alerts=int(alerts),
            created_at=change.at,
        )
        change.execute(
            "UPDATE spending SET alerted = 0 WHERE agent = ? AND window = ? AND unit = ?", (agent, window, unit)
        )
        told = {"window": window, "unit": unit, "amount": amount, "enforced": enforced, "alerts": alerts}
        change.tell("budget.set", agent, told, rule=budget_id)
    return get(book, budget_id)


def _checked(window: str, unit: str, amount: float) -> BudgetWindow:
    """The window, where there can be a budget of this amount in it. Raises InvalidError."""
    if window not in WINDOWS or unit not in UNITS or (unit == "usd") is not (window == "month"):
        hint = "calls are counted by the minute, hour or day; dollars by the month"
        raise InvalidError(f"there is no budget of {unit} a {window}", hint)
    if not math.isfinite(amount) or amount < 0 or (unit == "calls" and amount != int(amount)):
        raise InvalidError(
            f"`{amount:.15g}` is no amount of {unit}", "a number that is not below zero; calls are whole"
        )
    return cast("BudgetWindow", window)


def _begin(change: Change, agent: str, window: BudgetWindow, unit: str, logged: earlier.Logged) -> None:
    """Count what was spent in this window already. What was counted for a budget that is gone by now may know more:
    the log forgets what is old, and has not always held what calls cost.
    """
    began, _ = windows.around(window, change.now)
    logged = earlier.logged(change, agent, began, logged)
    change.execute(_BEGIN, (agent, window, unit, began, earlier.spent(change, agent, unit, logged)))


def get(book: Book, budget_id: str) -> Row:
    """One budget. Raises NotFoundError."""
    found = book.one(f"{_FROM} WHERE budgets.id = ?", (budget_id,))
    if found is None:
        raise NotFoundError(f"there is no budget `{budget_id}`", "`mcp-guard budgets list` shows those that there are")
    return _shown(found, book.now)


def remove(book: Book, budget_id: str) -> Row:
    """Take a budget away; gives it as it was. Raises NotFoundError."""
    known = get(book, budget_id)
    with book.changing() as change:
        change.execute("DELETE FROM budgets WHERE id = ?", (budget_id,))
        change.tell(
            "budget.removed", known["agent"], {"window": known["window"], "unit": known["unit"]}, rule=budget_id
        )
    return known


def _shown(row: Row, now: int) -> Row:
    began, ends = windows.around(row["window"], now)
    shown = {name: value for name, value in row.items() if name != "began"}
    spent = row["spent"] if row["began"] == began else 0.0
    switches = {"enforced": bool(row["enforced"]), "alerts": bool(row["alerts"])}
    return {**shown, **switches, "spent": spent, "resets_at": timestamp(ends)}

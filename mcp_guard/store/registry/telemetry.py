"""What models cost by what agents report: counted once, against the month's budget of an agent that has proven itself.

What nobody has proven to have spent is kept, and charged to nobody. Reports repeat themselves (exporters try again) and
start anew (processes end); each series remembers the last it said, so neither is counted twice. The invariant: a point
is counted in one transaction with what is remembered of it.
"""

from collections.abc import Mapping, Sequence

import msgspec

from mcp_guard.store.registry.book import Book, Change, Row
from mcp_guard.store.registry.spending import Alert, charge, told
from mcp_guard.store.rows import insertion, row

MOST_SERIES = 2_000  # remembered of one agent, and of those that prove nothing together
MOST_MODELS = 50  # told apart in one day of one agent
_OTHER = "other"
_TOGETHER = 50  # points in one transaction: guards wait for it with their calls' rows

_KNOWN = "SELECT began, at, amount FROM cost_series WHERE agent = ? AND series = ?"
_REMEMBER = """
    INSERT INTO cost_series (agent, series, began, at, amount) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (agent, series) DO UPDATE SET began = excluded.began, at = excluded.at, amount = excluded.amount
"""
_FORGET = """
    DELETE FROM cost_series WHERE agent = ?1 AND series IN (
      SELECT series FROM cost_series WHERE agent = ?1 ORDER BY at DESC LIMIT -1 OFFSET ?2)
"""
_ADD = """
    INSERT INTO model_spending (agent, day, model, usd) VALUES (?, ?, ?, ?)
    ON CONFLICT (agent, day, model) DO UPDATE SET usd = usd + excluded.usd
"""
_MODELS = (
    "SELECT count(*) AS many, coalesce(sum(model = ?3), 0) AS this FROM model_spending WHERE agent = ?1 AND day = ?2"
)
_LIST = "SELECT agent, day, model, usd FROM model_spending ORDER BY day, agent, model"


class Cost(msgspec.Struct, frozen=True):
    """One point of a series: what a model cost in US dollars, between two moments by the reporter's clock (nanoseconds
    since the epoch), or (`cumulative`) since the series began. `series` names it among those of one agent.
    """

    series: str
    model: str
    began: int
    at: int
    usd: float
    cumulative: bool


def take_in(book: Book, agent: str | None, costs: Sequence[Cost]) -> tuple[Alert, ...]:
    """Count these reports, of an agent that has proven itself or (None) of nobody. Gives the alerts that they set off.

    Raises StoreError: what was counted before stays counted, and is not again when it is reported again.
    """
    alerts: list[Alert] = []
    for first in range(0, len(costs), _TOGETHER):
        alerts += _take_in(book, agent, costs[first : first + _TOGETHER])
    return tuple(alerts)


def _take_in(book: Book, agent: str | None, costs: Sequence[Cost]) -> tuple[Alert, ...]:
    """Some of them, in one transaction."""
    whose = agent or ""
    with book.changing() as change:
        spent: dict[str, float] = {}
        for cost in costs:
            new = _new(change, whose, cost)
            if new > 0:
                spent[cost.model] = spent.get(cost.model, 0.0) + new
        change.execute(_FORGET, (whose, MOST_SERIES))
        _add(change, whose, spent)
        total = sum(spent.values())
        if agent is None or total == 0:
            return ()
        cursor = change.cursor()
        alerts = charge(cursor, agent, 0, total, change.now).alerts
        cursor.executemany(insertion(1), [row(told(alert, change.now)) for alert in alerts])
        return alerts


def _new(change: Change, agent: str, cost: Cost) -> float:
    """What a point says that was not counted yet."""
    known = change.one(_KNOWN, (agent, cost.series))
    if known is not None and _again(known, cost):
        return 0.0
    change.execute(_REMEMBER, (agent, cost.series, cost.began, cost.at, cost.usd))
    if known is None or not cost.cumulative or cost.usd < known["amount"]:  # less than before: it began anew
        return cost.usd
    return cost.usd - known["amount"]


def _again(known: Row, cost: Cost) -> bool:
    if cost.cumulative:
        return cost.at <= known["at"]
    return (cost.began, cost.at) == (known["began"], known["at"])


def _add(change: Change, agent: str, spent: Mapping[str, float]) -> None:
    day = change.at[:10]  # by our clock: what a reporter says of the time is its own business
    for model, usd in spent.items():
        found = change.one(_MODELS, (agent, day, model))
        room = found is not None and (found["this"] or found["many"] < MOST_MODELS)
        change.execute(_ADD, (agent, day, model if room else _OTHER, usd))


def listed(book: Book, *, agent: str | None = None, unattributed: bool = False) -> list[Row]:
    """What models cost, by day, agent and model; of nobody (agent None) what nobody has proven to have spent."""
    found = [{**one, "agent": one["agent"] or None} for one in book.rows(_LIST)]
    if unattributed:
        return [one for one in found if one["agent"] is None]
    return [one for one in found if agent is None or one["agent"] == agent]

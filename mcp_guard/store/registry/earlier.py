"""What an agent has spent in a window before anybody set a budget for it: out of the log, and of what its models cost.

A budget counts from the window's start, so what went before is looked up when it is set. Going through the log takes as
long as the log is; most of it is done before the transaction, and in it only what has come since.
"""

from collections.abc import Sequence

import msgspec

from mcp_guard.store.registry.book import Book, Change
from mcp_guard.store.rows import timestamp

_SKEW = 60_000_000  # microseconds by which a row may be older than one before it, as when a guard was slow

_LAST = "SELECT coalesce(max(seq), 0) AS seq FROM events"
_NEXT = "SELECT ts FROM events WHERE seq > ? ORDER BY seq LIMIT 1"
_FORWARDED = """
    SELECT count(*) AS calls, coalesce(sum(json_extract(data, '$.usd')), 0.0) AS usd FROM events
    WHERE seq > ? AND seq <= ? AND agent = ? AND type = 'tool.decided' AND ts >= ? AND json_extract(data, '$.forwarded')
"""
_MODELS = "SELECT coalesce(sum(usd), 0.0) AS usd FROM model_spending WHERE agent = ? AND day >= ?"


class Logged(msgspec.Struct, frozen=True):
    """What the calls of an agent that the log holds up to a row (`seq`) have spent since the window `began`."""

    began: int
    seq: int
    calls: float
    usd: float


def logged(database: Book | Change, agent: str, began: int, known: Logged | None = None) -> Logged:
    """What the log says; `known` is what it said a moment ago. Raises sqlite3.Error, or StoreError."""
    last = int(_value(database, _LAST, (), "seq"))
    if known is None or known.began != began:
        known = Logged(began, _older(database, began, last), 0, 0.0)
    found = database.one(_FORWARDED, (known.seq, last, agent, timestamp(began)))
    assert found is not None
    return Logged(began, last, known.calls + found["calls"], known.usd + found["usd"])


def spent(database: Book | Change, agent: str, unit: str, known: Logged) -> float:
    """What all of it comes to, in this unit. Raises sqlite3.Error."""
    if unit == "calls":
        return known.calls
    return known.usd + _value(database, _MODELS, (agent, timestamp(known.began)[:10]), "usd")


def _older(database: Book | Change, began: int, last: int) -> int:
    """A row up to which all are from before the window: found by halves, as rows follow each other in time."""
    low, high, start = 0, last, timestamp(began - _SKEW)
    while low < high:
        middle = (low + high) // 2
        found = database.one(_NEXT, (middle,))
        if found is None or found["ts"] >= start:
            high = middle
        else:
            low = middle + 1
    return low


def _value(database: Book | Change, query: str, values: Sequence[object], name: str) -> float:
    found = database.one(query, values)
    assert found is not None
    return found[name]

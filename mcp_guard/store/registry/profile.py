"""One agent in full: what is said of it, its connections, grants, overrides and budgets, and what it did lately."""

from mcp_guard.store.registry import agents, budgets, evals, grants, instances, overrides
from mcp_guard.store.registry.book import Book, Row
from mcp_guard.store.rows import timestamp

_LATELY = 7 * 86_400_000_000  # microseconds
_DECISIONS = """
    SELECT server, tool, count(*) AS calls, sum(decision <> 'allow') AS denied, max(ts) AS last_at
    FROM events WHERE type = 'tool.decided' AND agent = ? AND ts >= ? GROUP BY server, tool
    ORDER BY calls DESC, server, tool LIMIT 20
"""
_LAST = "SELECT max(ts) AS at FROM events WHERE agent = ? AND type = 'tool.decided'"
_TOOLS = "SELECT count(*) AS known FROM tools WHERE listed AND server IN (SELECT server FROM instances WHERE agent = ?)"
_USED = """
    SELECT count(*) AS used FROM (
      SELECT DISTINCT server, tool FROM events WHERE type = 'tool.decided' AND agent = ? AND decision = 'allow')
"""


def of(book: Book, slug: str) -> dict[str, object]:
    """The profile of an agent, as plain data. Raises NotFoundError."""
    agent = agents.get(book, slug)
    since = timestamp(book.now - _LATELY)
    known, used = book.one(_TOOLS, (slug,)), book.one(_USED, (slug,))
    last = book.one(_LAST, (slug,))
    return {
        "agent": agent,
        "instances": instances.listed(book, agent=slug),
        "grants": grants.listed(book, agent=slug),
        "overrides": overrides.listed(book, agent=slug),
        "budgets": budgets.listed(book, agent=slug),
        "evals": evals.listed(book, agent=slug)[:5],
        "coverage": {"tools_listed": known["known"] if known else 0, "tools_used": used["used"] if used else 0},
        "last_call_at": last["at"] if last else None,
        "activity": _rows(book.rows(_DECISIONS, (slug, since))),
    }


def _rows(found: list[Row]) -> list[Row]:
    return [dict(one) for one in found]

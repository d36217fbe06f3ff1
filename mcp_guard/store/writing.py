"""How rows are put into the log: at once, on the condition that the registry stands, with what they cost.

The invariant: a decision's row is only ever taken under the version of the registry that it was made under, and only
as far as the agent's budgets allow, by one transaction. So neither a change nor another guard's spending can come
between a decision and its row.
"""

import sqlite3
from collections.abc import Sequence

import msgspec

from mcp_guard.events import Event, Judged
from mcp_guard.store.rows import Row, conditional_insertion, insertion
from mcp_guard.store.schema import registry_version

_PREPARED_ROWS = 8
_INSERT = tuple(insertion(rows) for rows in range(1, _PREPARED_ROWS + 1))
_INSERT_IF = tuple(conditional_insertion(rows) for rows in range(1, _PREPARED_ROWS + 1))


class OutdatedError(Exception):
    """The registry has changed since these decisions were made; nothing was written."""


class Condition(msgspec.Struct, frozen=True):
    """What must hold for rows to be taken: the registry's version, where they are decisions; and what they cost."""

    version: int | None = None
    charges: tuple[Judged, ...] = ()


UNCONDITIONAL = Condition()


def condition(events: Sequence[Event]) -> Condition:
    """What must hold for the rows of these events. Raises OutdatedError for decisions under different versions."""
    version: int | None = None
    charges: list[Judged] = []
    for event in events:
        if isinstance(event, Judged) and event.registry is not None:
            if version is not None and version != event.registry:
                raise OutdatedError
            version = event.registry
            if event.charged:
                charges.append(event)
    return UNCONDITIONAL if version is None else Condition(version, tuple(charges))


def write(cursor: sqlite3.Cursor, rows: list[Row], needs: Condition) -> dict[str, str]:
    """Commit the rows, all or none, but for those that would overdraw a budget: gives that budget by the event's id.

    Raises OutdatedError, with nothing written, and sqlite3.Error.
    """
    if needs.charges or len(rows) > _PREPARED_ROWS:
        return _in_transaction(cursor, rows, needs)
    # One autocommitted statement is cheaper than BEGIN and COMMIT.
    values = rows[0] if len(rows) == 1 else [value for one in rows for value in one]
    if needs.version is None:
        cursor.execute(_INSERT[len(rows) - 1], values)
        return {}
    cursor.execute(_INSERT_IF[len(rows) - 1], (*values, needs.version))
    if cursor.rowcount == 0:
        raise OutdatedError
    return {}


def _in_transaction(cursor: sqlite3.Cursor, rows: list[Row], needs: Condition) -> dict[str, str]:
    cursor.execute("BEGIN IMMEDIATE")
    if needs.version is not None and registry_version(cursor) != needs.version:
        cursor.execute("ROLLBACK")
        raise OutdatedError
    overdrawn = _charge(cursor, needs.charges) if needs.charges else {}
    cursor.executemany(_INSERT[0], [row for row in rows if row[0] not in overdrawn] if overdrawn else rows)
    cursor.execute("COMMIT")
    return overdrawn


def _charge(cursor: sqlite3.Cursor, charges: Sequence[Judged]) -> dict[str, str]:
    """Spend what these calls cost; gives the budgets that some of them would overdraw, which spend nothing."""
    from mcp_guard.store.registry.spending import charge

    overdrawn: dict[str, str] = {}
    for event in charges:
        spent = charge(cursor, event.agent or "", 1, event.usd, event.ts)
        if spent.overdrawn is not None:
            overdrawn[event.id] = spent.overdrawn
    return overdrawn

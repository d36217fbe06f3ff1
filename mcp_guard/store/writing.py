"""How rows are put into the log: at once, on the condition that the registry stands, with what they cost.

The invariant: a decision's row is only ever taken under the version of the registry that it was made under, and only
as far as the agent's budgets allow, by one transaction. So neither a change nor another guard's spending can come
between a decision and its row.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from mcp_guard.events import ApprovalRequested, ApprovalSettled, Event, Judged
from mcp_guard.store.rows import Row, conditional_insertion, insertion, row
from mcp_guard.store.schema import registry_version

if TYPE_CHECKING:
    from mcp_guard.store.registry.spending import Alert

PREPARED_ROWS = 8  # as many are one statement, which is made once
_APPROVALS = (ApprovalRequested, ApprovalSettled)
_INSERT = tuple(insertion(rows) for rows in range(1, PREPARED_ROWS + 1))
_INSERT_IF = tuple(conditional_insertion(rows) for rows in range(1, PREPARED_ROWS + 1))


class Written(msgspec.Struct, frozen=True):
    """What came of rows: which would have overdrawn a budget, and were left out (the event's id: the budget's); and
    the alerts that the others set off.
    """

    overdrawn: Mapping[str, str] = {}
    alerts: "tuple[Alert, ...]" = ()


NOTHING_ELSE = Written()


class OutdatedError(Exception):
    """The registry has changed since these decisions were made; nothing was written."""


class Condition(msgspec.Struct, frozen=True):
    """What must hold for rows to be taken: the registry's version, where they are decisions; and what goes with them in
    the same transaction: what they cost, approvals that are asked for or settled.
    """

    version: int | None = None
    charges: tuple[Judged, ...] = ()
    approvals: tuple[ApprovalRequested | ApprovalSettled, ...] = ()


UNCONDITIONAL = Condition()


def condition(events: Sequence[Event]) -> Condition:
    """What must hold for the rows of these events. Raises OutdatedError for decisions under different versions."""
    version: int | None = None
    charges: list[Judged] = []
    approvals: list[ApprovalRequested | ApprovalSettled] = []
    for event in events:
        if isinstance(event, Judged) and event.registry is not None:
            if version is not None and version != event.registry:
                raise OutdatedError
            version = event.registry
            if event.charged:
                charges.append(event)
        elif isinstance(event, _APPROVALS):
            approvals.append(event)
    if charges or approvals:
        return Condition(version, tuple(charges), tuple(approvals))
    return UNCONDITIONAL if version is None else Condition(version)


def write(cursor: sqlite3.Cursor, rows: list[Row], needs: Condition) -> Written:
    """Commit the rows, all or none, but for those that would overdraw a budget.

    Raises OutdatedError, with nothing written, and sqlite3.Error.
    """
    if needs.charges or needs.approvals or len(rows) > PREPARED_ROWS:
        return _in_transaction(cursor, rows, needs)
    # One autocommitted statement is cheaper than BEGIN and COMMIT.
    values = rows[0] if len(rows) == 1 else tuple(chain.from_iterable(rows))
    if needs.version is None:
        cursor.execute(_INSERT[len(rows) - 1], values)
        return NOTHING_ELSE
    cursor.execute(_INSERT_IF[len(rows) - 1], (*values, needs.version))
    if cursor.rowcount == 0:
        raise OutdatedError
    return NOTHING_ELSE


def _in_transaction(cursor: sqlite3.Cursor, rows: list[Row], needs: Condition) -> Written:
    cursor.execute("BEGIN IMMEDIATE")
    if needs.version is not None and registry_version(cursor) != needs.version:
        cursor.execute("ROLLBACK")
        raise OutdatedError
    written = _charge(cursor, needs.charges) if needs.charges else NOTHING_ELSE
    kept = [row for row in rows if row[0] not in written.overdrawn] if written.overdrawn else rows
    cursor.executemany(_INSERT[0], kept)
    if needs.approvals:
        _keep_approvals(cursor, needs.approvals)
    cursor.execute("COMMIT")
    return written


def _keep_approvals(cursor: sqlite3.Cursor, events: Sequence[ApprovalRequested | ApprovalSettled]) -> None:
    from mcp_guard.store.registry import approvals

    for event in events:
        (approvals.requested if isinstance(event, ApprovalRequested) else approvals.settled)(cursor, event)  # pyright: ignore[reportArgumentType]  (each its own)


def _charge(cursor: sqlite3.Cursor, charges: Sequence[Judged]) -> Written:
    """Spend what these calls cost. Those that would overdraw a budget spend nothing. An alert is an event as well."""
    from mcp_guard.store.registry.spending import charge, told

    overdrawn: dict[str, str] = {}
    alerts: list[Alert] = []
    for event in charges:
        spent = charge(cursor, event.agent or "", 1, event.usd, event.ts, observed=event.observed)
        if spent.overdrawn is not None:
            overdrawn[event.id] = spent.overdrawn
        alerts += spent.alerts
        cursor.executemany(_INSERT[0], [row(told(alert, event.ts)) for alert in spent.alerts])
    return Written(overdrawn, tuple(alerts))

"""The registry as a decision needs it: how one agent stands in it. Reads only: a handful of indexed rows, however many
agents there are.
"""

import json
import sqlite3

from mcp_guard.governance.credential import Credential
from mcp_guard.governance.snapshot import Budget, EvalGate, Grant, Override, Snapshot
from mcp_guard.store.registry import windows
from mcp_guard.store.registry.standing import standing
from mcp_guard.store.rows import moment as moment_of
from mcp_guard.store.schema import registry_version

_AGENT = "SELECT status, risk, tags, eval_minimum FROM agents WHERE slug = ?"
_GRANTS = "SELECT id, pattern, effect, expires_at, reason FROM grants WHERE agent = ? ORDER BY granted_at, id"
_OVERRIDES = """
    SELECT id, pattern, effect, expires_at, reason, brake, agent IS NULL FROM overrides
    WHERE agent = ? OR agent IS NULL ORDER BY created_at, id
"""
_BUDGETS = """
    SELECT budgets.id, window, unit, budgets.amount, coalesce(spending.began, 0), coalesce(spending.amount, 0)
    FROM budgets LEFT JOIN spending USING (agent, window, unit) WHERE agent = ? AND enforced ORDER BY window
"""
_COUNTED = "SELECT 1 FROM budgets WHERE agent = ? LIMIT 1"
_LATEST = "SELECT pass_rate, suite FROM evals WHERE agent = ? ORDER BY recorded_at DESC, id DESC LIMIT 1"


def snapshot(connection: sqlite3.Connection, agent: str, credential: Credential | None, now: int) -> Snapshot:
    """How this agent, and the credential that it came with, stand at `now` (microseconds since the epoch), all of it at
    one moment. Raises sqlite3.Error.
    """
    connection.execute("BEGIN")
    try:
        return _snapshot(connection, agent, credential, now)
    finally:
        connection.execute("COMMIT")


def _snapshot(connection: sqlite3.Connection, agent: str, credential: Credential | None, now: int) -> Snapshot:
    barred, key_expires = (None, None) if credential is None else standing(connection, credential, now)
    counted = connection.execute(_COUNTED, (agent,)).fetchone() is not None
    status, risk, tags, minimum = connection.execute(_AGENT, (agent,)).fetchone() or ("active", "medium", "[]", None)
    grants = connection.execute(_GRANTS, (agent,)).fetchall()
    overrides = connection.execute(_OVERRIDES, (agent,)).fetchall()
    return Snapshot(
        agent,
        registry_version(connection),
        now,
        credential=credential,
        status=status,
        risk=risk,
        tags=tuple(json.loads(tags)),
        grants=tuple(
            Grant(made, pattern, effect, None if expires is None else moment_of(expires), reason)
            for made, pattern, effect, expires, reason in grants
        ),
        overrides=tuple(
            Override(made, pattern, effect, moment(expires), reason, bool(brake), bool(for_all))
            for made, pattern, effect, expires, reason, brake, for_all in overrides
        ),
        budgets=_budgets(connection, agent, now) if counted else (),
        counted=counted,
        barred=barred,
        key_expires=key_expires,
        eval_gate=None if minimum is None else _eval_gate(connection, agent, minimum),
    )


def _budgets(connection: sqlite3.Connection, agent: str, now: int) -> tuple[Budget, ...]:
    found: list[Budget] = []
    for made, window, unit, amount, began, spent in connection.execute(_BUDGETS, (agent,)):
        start, end = windows.counted(window, now, began)
        found.append(Budget(made, window, unit, amount, spent if began == start else 0.0, end))
    return tuple(found)


def _eval_gate(connection: sqlite3.Connection, agent: str, minimum: float) -> EvalGate:
    latest = connection.execute(_LATEST, (agent,)).fetchone()
    return EvalGate(minimum) if latest is None else EvalGate(minimum, latest[0], latest[1])


def moment(text: str | None) -> int | None:
    """A time as the tables hold it, as microseconds since the epoch."""
    return None if text is None else moment_of(text)

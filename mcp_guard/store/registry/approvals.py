"""Approvals in the registry: calls (prompts, resources) that a person is asked about. Guards write and settle them; a
person decides here.

The rows are history, too: one that is decided, withdrawn or expired stays. The invariant: only a pending one can be
decided, once, and what is approved is the one call whose hash the row holds, on the one connection that waits for it.
"""

import json
import sqlite3

from mcp_guard.events import ApprovalRequested, ApprovalSettled
from mcp_guard.governance import ApprovalScope, Ruling
from mcp_guard.store.registry import grants, instances
from mcp_guard.store.registry.book import Book, Change, ConflictError, InvalidError, NotFoundError, Row
from mcp_guard.store.registry.checks import kept_reason
from mcp_guard.store.rows import storable_text, timestamp

CALL = "tools/call"
SCOPES: tuple[ApprovalScope, ...] = ("once", "session", "grant")
STATUSES = ("pending", "approved", "denied", "withdrawn", "expired")

_OF_STATUS = "id, connection_id, agent, status, requested_at, expires_at"
_MAY_STAND_AS = {"expired": ("pending",), "withdrawn": ("pending",)}  # where nobody was there to write it down
_COLUMNS = (
    "id, connection_id, agent, user, server, method, tool, arguments, call_hash, pattern, reason, status, scope, "
    "requested_at, expires_at, decided_at, decided_by, decided_via, comment"
)
_REQUEST = """
    INSERT INTO approvals (id, connection_id, agent, user, server, method, tool, arguments, call_hash, pattern, reason,
                           status, requested_at, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)
"""
_SETTLE = """
    UPDATE approvals SET status = ?, scope = ?, decided_at = ?, decided_by = ?, decided_via = ?
    WHERE id = ? AND status = 'pending'
"""


# What guards write, within the transaction of the event's row


def requested(cursor: sqlite3.Cursor, event: ApprovalRequested) -> None:
    """A person is asked. Raises sqlite3.Error."""
    texts = (event.agent, event.user, event.server, event.method, event.tool, event.arguments)
    shown = [storable_text(text or "") for text in texts]
    bound = event.call_hash, storable_text(event.pattern), storable_text(event.reason)
    cursor.execute(
        _REQUEST, (event.rule, event.connection_id, *shown, *bound, timestamp(event.ts), timestamp(event.expires))
    )


def settled(cursor: sqlite3.Cursor, event: ApprovalSettled) -> None:
    """The guard that asked knows how it ends. What somebody has decided here in the meantime stands. Raises
    sqlite3.Error.
    """
    decided = event.status in ("approved", "denied")
    at, via = (timestamp(event.ts), "client") if decided else (None, None)
    by = None if event.by is None else storable_text(event.by)
    cursor.execute(_SETTLE, (event.status, event.scope, at, by, via, event.rule))


def ruling(connection: sqlite3.Connection, approval_id: str) -> Ruling | None:
    """What a person has decided here. Raises sqlite3.Error."""
    query = "SELECT status, scope, decided_by, comment FROM approvals WHERE id = ? AND decided_via = 'store'"
    found = connection.execute(query, (approval_id,)).fetchone()
    if found is None:
        return None
    status, scope, by, comment = found
    return Ruling(status == "approved", scope or "once", by, comment)


# What people ask and decide


def listed(book: Book, *, status: str | None = "pending", agent: str | None = None) -> list[Row]:
    """The approvals, oldest first: of one status, or (None) of all. Raises InvalidError."""
    return [_shown(book, row) for row in _found(book, _COLUMNS, status, agent)]


def brief(book: Book, *, status: str | None = "pending", agent: str | None = None) -> list[Row]:
    """The same without what was asked for, which may be long: the `id` of each, and how it stands."""
    return _found(book, _OF_STATUS, status, agent)


def _found(book: Book, columns: str, status: str | None, agent: str | None) -> list[Row]:
    """The rows with how they stand now. Of the history, which agents write, no more is read than is asked about."""
    if status is not None and status not in STATUSES:
        raise InvalidError(f"`{status}` is no status of an approval", f"it is one of {', '.join(STATUSES)}")
    held = STATUSES if status is None else (status, *_MAY_STAND_AS.get(status, ()))
    where = " OR ".join(f"status = '{one}'" for one in held)  # by its index, where only those are asked for that wait
    query = f"SELECT {columns} FROM approvals WHERE ({where}) AND coalesce(?, agent) = agent ORDER BY requested_at, id"
    rows = [{**row, "status": _status(book, row)} for row in book.rows(query, (agent,))]
    return [row for row in rows if status in (None, row["status"])]


def get(book: Book, approval_id: str) -> Row:
    """One approval. Raises NotFoundError."""
    return _shown(book, _known(book, approval_id))


def _shown(book: Book, row: Row) -> Row:
    """A row as it stands now: nobody may have been there to note that its time is up, or that its client is gone.
    `tool` and `arguments` are what a person may see of them, `redacted` says what they do not see.
    """
    kept = json.loads(row["arguments"])
    shown = {"arguments": kept["arguments"], "parameters": kept.get("parameters", {})}
    shown["redacted"] = kept.get("redacted", [])
    shown["tool"] = kept.get("named", row["tool"])  # the log's has no more than [redacted] for what is left out
    return {**row, **shown, "status": _status(book, row)}


def _status(book: Book, row: Row) -> str:
    if row["status"] != "pending":
        return row["status"]
    if row["expires_at"] <= timestamp(book.now):
        return "expired"
    return "withdrawn" if instances.is_gone(book, row["connection_id"]) else "pending"


def approve(book: Book, approval_id: str, scope: str = "once", *, expires: int | None = None, comment: str = "") -> Row:
    """Let the call run that waits: this once; with every further call of the tool on its connection (`session`); or
    with every one of its agent until `expires` (`grant`; microseconds since the epoch), which makes a grant.

    Raises NotFoundError, ConflictError where it does not wait any more, InvalidError.
    """
    if scope not in SCOPES:
        raise InvalidError(f"`{scope}` is no scope of an approval", f"it is one of {', '.join(SCOPES)}")
    if (expires is not None) is not (scope == "grant"):
        hint = "a standing approval needs an end, and only it has one: `--scope grant --expires 30d`"
        raise InvalidError("an approval has an end where it is a grant, and only there", hint)
    comment = kept_reason(comment)
    with book.changing() as change:
        row = _pending(change, approval_id)
        if instances.is_gone(book, row["connection_id"]):
            hint = "nothing would run: the client has left, or its guard was killed or sleeps; it can be denied still"
            raise ConflictError(f"nobody waits for the approval `{approval_id}` any more", hint)
        if scope != "once" and json.loads(row["arguments"]).get("redacted"):
            hint = f"approve it without --scope, if you know what is left out: `mcp-guard approvals show {approval_id}`"
            raise InvalidError("not all of this can be shown, so it can only be approved once", hint)
        if scope == "grant":
            _grant(book, change, row, expires, comment)
        _decide(book, change, row, "approved", scope, comment)
    return get(book, approval_id)


def deny(book: Book, approval_id: str, *, comment: str = "") -> Row:
    """Deny the call that waits; the agent is shown the comment. Raises NotFoundError, ConflictError, InvalidError."""
    comment = kept_reason(comment)
    with book.changing() as change:
        _decide(book, change, _pending(change, approval_id), "denied", None, comment)
    return get(book, approval_id)


def _known(asked: Book | Change, approval_id: str) -> Row:
    found = asked.one(f"SELECT {_COLUMNS} FROM approvals WHERE id = ?", (approval_id,))
    if found is None:
        hint = "`mcp-guard approvals list` shows those that wait for a person"
        raise NotFoundError(f"there is no approval `{approval_id}`", hint)
    return found


def _pending(change: Change, approval_id: str) -> Row:
    row = _known(change, approval_id)
    if row["status"] != "pending":
        raise ConflictError(f"the approval `{approval_id}` was {row['status']} already")
    if row["expires_at"] <= change.at:
        raise ConflictError(f"the approval `{approval_id}` has expired: its call waits no longer")
    return row


def _grant(book: Book, change: Change, row: Row, expires: int | None, comment: str) -> None:
    if row["method"] != CALL:
        raise InvalidError("grants are for tools", "approve this once, or for the session")
    if not row["pattern"]:
        raise InvalidError("this tool's name cannot be the pattern of a grant", "approve it once, or for the session")
    reason = comment or f"approved with {row['id']}"
    grants.insert(change, book, row["agent"], row["pattern"], grants.APPROVE, reason=reason, expires=expires)


def _decide(book: Book, change: Change, row: Row, status: str, scope: str | None, comment: str) -> None:
    statement = """
        UPDATE approvals SET status = ?, scope = ?, decided_at = ?, decided_by = ?, decided_via = 'store', comment = ?
        WHERE id = ? AND status = 'pending'
    """
    change.execute(statement, (status, scope, change.at, book.actor, comment, row["id"]))
    data = {"status": status, "scope": scope, "via": "store", "comment": comment, "connection": row["connection_id"]}
    change.tell("approval.decided", row["agent"], data, tool=row["tool"], rule=row["id"])

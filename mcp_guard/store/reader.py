"""The audit log as others read it: filtered, in the order of commits, a page at a time.

Each page is a read of its own, so a reader that pauses (a pager, a person) keeps no checkpoint waiting, and memory does
not grow with the log. Nothing is ever written, and no file is created.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeVar

import msgspec

from mcp_guard.store import schema
from mcp_guard.store.errors import OlderError, missing, store_error
from mcp_guard.store.files import refuse_unusable
from mcp_guard.store.known import read_only
from mcp_guard.store.rows import timestamp

PAGE = 200  # rows
_ALL = 2**63 - 1  # more than SQLite counts there cannot be
_TIMEOUT = 5.0  # seconds to wait where a guard recovers the file


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One row, with the names of its columns. `data` is decoded; what is no JSON object is under `unreadable`."""

    seq: int
    id: str
    ts: str
    type: str
    connection_id: str
    agent: str | None
    agent_verified: bool
    user: str | None
    server: str | None
    tool: str | None
    decision: str | None
    decided_by: str | None
    rule: str | None
    policy_hash: str | None
    data: Mapping[str, object]


class Entry(NamedTuple):
    """What the registry says of one agent that conditions and scopes may ask for."""

    tags: tuple[str, ...]
    risk: str
    status: str


_T = TypeVar("_T")
_Row = tuple[Any, ...]  # as SQLite gives it
_decode = msgspec.json.Decoder(dict[str, object]).decode
_NAMES = [field.name for field in fields(RecordedEvent)]
_COLUMNS = ", ".join(_NAMES)
_VERIFIED, _DATA = _NAMES.index("agent_verified"), _NAMES.index("data")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events to read: all that is given must fit. `since` and `until` are microseconds since the epoch (both
    included); agent, user, server and tool are globs in which only `*` is special, and case counts; `after` (left out)
    and `upto` (included) are seqs.
    """

    since: int | None = None
    until: int | None = None
    agent: str | None = None
    user: str | None = None
    server: str | None = None
    tool: str | None = None
    decision: str | None = None
    types: tuple[str, ...] = ()
    except_types: tuple[str, ...] = ()
    connection: str | None = None
    after: int = 0
    upto: int | None = None


def read_events(path: str, filters: Filters, *, newest: int | None = None) -> Iterator[RecordedEvent]:
    """The events that fit, oldest first; with `newest`, only so many of the newest. Raises StoreError."""
    where, values = _condition(filters)
    after = filters.after
    last = newest_seq(path) if filters.upto is None else filters.upto
    if newest is not None:
        after = max(after, _start_of_newest(path, where, values, newest))
    select = f"SELECT {_COLUMNS} FROM events WHERE seq > ? AND seq <= ? AND {where} ORDER BY seq LIMIT {PAGE}"
    while True:
        page = _read(path, select, (after, last, *values))
        yield from map(_event, page)
        if len(page) < PAGE:
            return
        after = page[-1][0]


def read_registry(path: str) -> dict[str, Entry]:
    """What the registry says of each agent now; nothing in a file from before there was one. Raises StoreError."""
    if not _read(path, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'agents'", ()):
        return {}
    rows = _read(path, "SELECT slug, tags, risk, status FROM agents", ())
    return {
        slug: Entry(tuple(msgspec.json.decode(tags, type=list[str])), risk, status) for slug, tags, risk, status in rows
    }


def newest_seq(path: str) -> int:
    """Where the log ends now: a reading ends there, also where guards go on writing."""
    return _read(path, "SELECT coalesce(max(seq), 0) FROM events", ())[0][0]


def oldest_seq(path: str) -> int:
    """Where the log begins: what came before has expired. 0 for an empty log."""
    return _read(path, "SELECT coalesce(min(seq), 0) FROM events", ())[0][0]


def _start_of_newest(path: str, where: str, values: tuple[str, ...], newest: int) -> int:
    select = f"SELECT min(seq) FROM (SELECT seq FROM events WHERE {where} ORDER BY seq DESC LIMIT ?)"
    first: int | None = _read(path, select, (*values, min(newest, _ALL)))[0][0]
    return 0 if first is None else first - 1


def _condition(filters: Filters) -> tuple[str, tuple[str, ...]]:
    """The filters as SQL. Only what is given costs anything."""
    parts: list[tuple[str, str]] = []
    if filters.since is not None:
        parts.append(("ts >= ?", timestamp(filters.since)))
    if filters.until is not None:
        parts.append(("ts <= ?", timestamp(filters.until)))
    if filters.upto is not None:
        parts.append(("seq <= CAST(? AS INTEGER)", str(filters.upto)))
    if filters.decision is not None:
        parts.append(("decision = ?", filters.decision))
    if filters.connection is not None:
        parts.append(("connection_id = ?", filters.connection))
    for column in ("agent", "user", "server", "tool"):
        glob: str | None = getattr(filters, column)
        if glob is not None:
            parts.append((f"{column} GLOB ?", _glob(glob)))
    for operator, types in (("IN", filters.types), ("NOT IN", filters.except_types)):
        if types:
            parts.append((f"type {operator} (SELECT value FROM json_each(?))", msgspec.json.encode(types).decode()))
    return " AND ".join(["1", *(sql for sql, _ in parts)]), tuple(value for _, value in parts)


def _glob(pattern: str) -> str:
    """A glob of ours as one of SQLite's, in which `?` and `[` are special too."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _read(path: str, sql: str, values: tuple[str | int, ...]) -> list[_Row]:
    """The rows of one question. Raises StoreError."""
    return ask(path, lambda connection: connection.execute(sql, values).fetchall())


def ask(path: str, question: Callable[[sqlite3.Connection], _T], *, since: int = schema.SINCE_EVENTS) -> _T:
    """The answer to one question, asked on a connection of its own; `since` is the version of the schema that it needs.
    Raises StoreError.

    A file that nobody has open is read without locks; where a guard opens it just then, the second attempt sees that.
    """
    refuse_unusable(path)
    for last_attempt in (False, True):
        try:
            return _ask(path, question, since)
        except FileNotFoundError:
            raise missing(path) from None
        except (OSError, sqlite3.Error) as error:
            if last_attempt:
                raise store_error(path, error, reading=True) from error
    raise AssertionError("the last attempt gives an answer or raises")


def _ask(path: str, question: Callable[[sqlite3.Connection], _T], since: int) -> _T:
    connection = read_only(path, _TIMEOUT)
    try:
        if schema.version(connection, path) < since:
            hint = "start a guard on it once, or name another file with --db"
            raise OlderError(f"{path} holds no audit log of this version", hint)
        return question(connection)
    finally:
        connection.close()


def _event(row: _Row) -> RecordedEvent:
    values = [*row]
    values[_VERIFIED] = bool(values[_VERIFIED])
    values[_DATA] = _data(values[_DATA])
    return RecordedEvent(*values)


def _data(text: str) -> Mapping[str, object]:
    try:
        return _decode(text)
    except (msgspec.MsgspecError, RecursionError):  # somebody has edited the file
        return {"unreadable": text}

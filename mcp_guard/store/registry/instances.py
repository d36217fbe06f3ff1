"""Instances in the registry: connected clients, each of one user. Guards write them; a person can end one.

An unknown agent is registered by its first instance, and not reviewed. What is written here is no record of its own:
the events are; so nothing waits for it, and what cannot be written is let go.

A guard says now and then that its clients are still there (`heard`). One that was killed says nothing more: its
instances are `lost`, and count as gone.
"""

import os
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Literal

from mcp_guard.events import Event
from mcp_guard.store.registry.book import CONNECTION, Book, ConflictError, NotFoundError, Row
from mcp_guard.store.registry.checks import kept_reason
from mcp_guard.store.rows import insertion, row, storable, storable_text, timestamp

_COLUMNS = (
    "id, agent, user, server, client_name, client_version, host, directory, protocol, transport, "
    "first_seen, last_seen, ended_at, disconnect"
)
_SEEN = """
    INSERT INTO instances (id, agent, user, server, client_name, client_version, host, directory, protocol, transport,
                           first_seen, last_seen)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)
    ON CONFLICT (id) DO UPDATE SET agent = ?2, client_name = ?5, client_version = ?6, protocol = ?9, last_seen = ?11
"""
_REGISTER = """
    INSERT INTO agents (slug, name, reviewed, created_at, updated_at) VALUES (?1, ?2, 0, ?3, ?3)
    ON CONFLICT (slug) DO NOTHING
"""
_HEARD = "UPDATE instances SET last_seen = ? WHERE id = ? AND ended_at IS NULL"
_LONGEST = 256  # characters of what a client says of itself

_LOST = 100_000_000  # microseconds of silence after which an instance is lost: three beats (`Ledger.beat`) and some

InstanceStatus = Literal["connected", "ended", "lost"]


def arrived(connection: sqlite3.Connection, event: Event) -> None:
    """Take in an `agent.connected`: the instance, and its agent where nobody has registered it. Raises sqlite3.Error,
    with nothing written.
    """
    client = event.data.get("client")
    said: Mapping[str, object] = client if isinstance(client, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]
    name, version = (str(said.get(field, ""))[:_LONGEST] for field in ("name", "version"))
    agent, at = storable_text(event.agent or ""), timestamp(event.ts)
    protocol, transport = (str(event.data.get(field, "")) for field in ("protocol", "transport"))
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute(_REGISTER, (agent, name, at)).rowcount:
            data = {"by": "mcp-guard", "client": name}
            told = Event(
                id=f"{event.id}-registered",
                ts=event.ts,
                type="agent.registered",
                connection_id=CONNECTION,
                agent=agent,
                data=data,
            )
            connection.execute(insertion(1), storable(row(told)))
        facts = event.connection_id, agent, event.user or "", event.server or "", name, version
        row_of_it = (*facts, os.uname().nodename if hasattr(os, "uname") else "", _directory(), protocol, transport, at)
        connection.execute(_SEEN, tuple(map(storable_text, row_of_it)))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _directory() -> str:
    """Where the guard was started; empty where that is gone by now."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def left(connection: sqlite3.Connection, event: Event) -> None:
    """Take in an `agent.disconnected`. Raises sqlite3.Error."""
    at = timestamp(event.ts)
    connection.execute("UPDATE instances SET last_seen = ?, ended_at = ? WHERE id = ?", (at, at, event.connection_id))


def heard(connection: sqlite3.Connection, instances: Iterable[str], now: int) -> None:
    """These are connected still (`now`: microseconds since the epoch). Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(_HEARD, [(timestamp(now), instance) for instance in instances])
    connection.execute("COMMIT")


def end_ordered(connection: sqlite3.Connection, instance: str) -> str | None:
    """Why somebody has ordered that an instance's connection ends; None where nobody has. Raises sqlite3.Error."""
    found = connection.execute("SELECT disconnect FROM instances WHERE id = ?", (instance,)).fetchone()
    return None if found is None else found[0]


def listed(book: Book, *, agent: str | None = None, ended: bool = False) -> list[Row]:
    """The instances, latest first; those that are gone, the lost among them, only where they are asked for."""
    found = book.rows(f"SELECT {_COLUMNS} FROM instances ORDER BY first_seen DESC, id DESC")
    rows = [_shown(book, one) for one in found if agent is None or one["agent"] == agent]
    return [row for row in rows if ended or row["status"] == "connected"]


def get(book: Book, instance_id: str) -> Row:
    """One instance. Raises NotFoundError."""
    found = book.one(f"SELECT {_COLUMNS} FROM instances WHERE id = ?", (instance_id,))
    if found is None:
        hint = "`mcp-guard instances list --ended` shows those that there were"
        raise NotFoundError(f"there is no instance `{instance_id}`", hint)
    return _shown(book, found)


def is_gone(book: Book, instance_id: str) -> bool:
    """Whether this client is not there any more. One of which nothing is known may be there."""
    found = book.one(f"SELECT {_COLUMNS} FROM instances WHERE id = ?", (instance_id,))
    return found is not None and _shown(book, found)["status"] != "connected"


def _shown(book: Book, row: Row) -> Row:
    """A row with how the instance stands now."""
    silent = row["last_seen"] < timestamp(book.now - _LOST)
    status: InstanceStatus = "ended" if row["ended_at"] is not None else "lost" if silent else "connected"
    return {**row, "status": status}


def disconnect(book: Book, instance_id: str, reason: str = "") -> Row:
    """Have the guard of one connection end it; others are untouched. One that is lost has nobody to end it: it is ended
    here. Raises NotFoundError, ConflictError.
    """
    reason = kept_reason(reason)
    known = get(book, instance_id)
    if known["ended_at"] is not None:
        raise ConflictError(f"the instance `{instance_id}` has ended already")
    with book.changing() as change:
        change.execute("UPDATE instances SET disconnect = ? WHERE id = ?", (reason or "disconnected", instance_id))
        if known["status"] == "lost":
            change.execute("UPDATE instances SET ended_at = ? WHERE id = ?", (change.at, instance_id))
        change.tell(
            "instance.disconnected", known["agent"], {"connection": instance_id, "reason": reason}, rule=instance_id
        )
    return get(book, instance_id)

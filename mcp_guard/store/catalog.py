"""What upstreams ever listed, kept beside the audit log: written after a listing when the line is idle, read by anyone.

A call never waits for it and no decision hangs on it. A server is a stranger: what it may put in here is bounded, and
what looks like a secret in its texts is masked. See `policy.catalog` for the value that readers get.
"""

import sqlite3
from typing import Any

import msgspec

from mcp_guard.events import ToolsListed
from mcp_guard.policy.catalog import Catalog, ToolDefinition, definition
from mcp_guard.redaction.patterns import mask
from mcp_guard.redaction.text import MARK
from mcp_guard.store import schema
from mcp_guard.store.errors import store_error
from mcp_guard.store.known import read_only
from mcp_guard.store.rows import timestamp

MOST_TOOLS = 5_000  # of one listing
LONGEST_DEFINITION = 64 << 10  # bytes; of a longer one only the name is kept
MOST_VERSIONS = 20  # definitions kept of one tool
MOST_ROWS = 20_000  # definitions kept of one server
_FRESH = 3_600_000_000  # microseconds within which a listing that says nothing new is not written again
_TIMEOUT = 5.0  # seconds that a reader waits where a guard recovers the file

_LAST = "SELECT listed_at FROM catalog_listings WHERE server = ?"
_KNOWN = "SELECT tool, hash FROM catalog WHERE server = ? AND last_seen = ?"
_ALL_AGAIN = "UPDATE catalog SET last_seen = ?3 WHERE server = ?1 AND last_seen = ?2"
_AGAIN = "UPDATE catalog SET last_seen = ?4 WHERE server = ?1 AND tool = ?2 AND hash = ?3"
_SEEN = """
    INSERT INTO catalog (server, tool, hash, definition, first_seen, last_seen) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
    ON CONFLICT (server, tool, hash) DO UPDATE SET last_seen = excluded.last_seen
"""
_LISTED = """
    INSERT INTO catalog_listings (server, listed_at) VALUES (?, ?)
    ON CONFLICT (server) DO UPDATE SET listed_at = excluded.listed_at
"""
_FORGET = """
    DELETE FROM catalog WHERE server = ?1 AND rowid IN (
      SELECT rowid FROM (
        SELECT rowid, row_number() OVER (PARTITION BY tool ORDER BY last_seen DESC) AS version,
               row_number() OVER (ORDER BY last_seen DESC) AS place
        FROM catalog WHERE server = ?1)
      WHERE version > ?2 OR place > ?3)
"""
_READ = "SELECT server, tool, definition, hash, first_seen, last_seen, listed FROM tools ORDER BY server, tool"

_Row = tuple[Any, ...]  # as SQLite gives it
_Tools = dict[str, tuple[str, bytes]]  # by name: the hash and the definition


def learn(connection: sqlite3.Connection, listing: ToolsListed) -> None:
    """Take in a complete listing; one that says nothing new costs one read. Raises sqlite3.Error, with nothing kept."""
    server, now = listing.server or "", timestamp(listing.ts)
    row = connection.execute(_LAST, (server,)).fetchone()
    last = row[0] if row else ""
    known = set(connection.execute(_KNOWN, (server, last)))
    same = {digest for _, digest in known} == {digest for digest, _ in listing.definitions}
    if same and last > timestamp(listing.ts - _FRESH):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if same:
            connection.execute(_ALL_AGAIN, (server, last, now))
        else:
            _take_in(connection, server, now, _tools(listing), known)
        connection.execute(_LISTED, (server, now))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _take_in(connection: sqlite3.Connection, server: str, now: str, tools: _Tools, known: set[tuple[str, str]]) -> None:
    """Write what a listing says; `known` are the names and hashes of the one before."""
    again = [(server, name, digest, now) for name, (digest, _) in tools.items() if (name, digest) in known]
    connection.executemany(_AGAIN, again)
    new = [(name, *one) for name, one in tools.items() if (name, one[0]) not in known]
    connection.executemany(_SEEN, [(server, name, digest, _kept(name, text), now) for name, digest, text in new])
    if new:
        connection.execute(_FORGET, (server, MOST_VERSIONS, MOST_ROWS))


def _tools(listing: ToolsListed) -> _Tools:
    """Each tool's hash and definition by its name; of one that is listed twice, the last."""
    definitions = listing.definitions[:MOST_TOOLS]
    return {name: (digest, text) for digest, text in definitions if (name := _name(text)) is not None}


def read_catalog(path: str, *, gone: bool = False) -> Catalog:
    """The catalog kept at `path`; with `gone`, also the tools that their servers' last listings left out. It is empty
    where nothing was ever kept there. Creates nothing. Raises StoreError.
    """
    servers: dict[str, dict[str, ToolDefinition]] = {}
    for server, name, text, digest, first_seen, last_seen, listed in _rows(path):
        tool = definition(text.encode()) or ToolDefinition(name=name)
        if listed or gone:
            servers.setdefault(server, {})[name] = msgspec.structs.replace(
                tool, hash=digest, first_seen=first_seen, last_seen=last_seen, listed=bool(listed)
            )
    return Catalog(servers)


def _rows(path: str) -> list[_Row]:
    try:
        connection = read_only(path, _TIMEOUT)
    except FileNotFoundError:
        return []
    except (OSError, sqlite3.Error) as error:
        raise store_error(path, error, reading=True) from error
    try:
        if schema.version(connection, path) < schema.SINCE_CATALOG:
            return []
        return connection.execute(_READ).fetchall()
    except sqlite3.Error as error:
        raise store_error(path, error, reading=True) from error
    finally:
        connection.close()


def _name(text: bytes) -> str | None:
    """The name in a definition; None where SQLite could not keep it as it is."""
    tool = definition(text)
    return None if tool is None or not tool.name or "\0" in tool.name or not _is_text(tool.name) else tool.name


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)


def _kept(name: str, text: bytes) -> str:
    """The definition as it is kept: JSON text, bounded, without what looks like a secret."""
    masked = mask(text.decode(), MARK) if len(text) <= LONGEST_DEFINITION else ""
    if masked and definition(masked.encode()) is not None:
        return masked
    return msgspec.json.encode({"name": name}).decode()

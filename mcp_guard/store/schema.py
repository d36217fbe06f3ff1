"""The tables and views of the audit log, and how an older file becomes a newer one.

`events` is append-only: a trigger refuses every UPDATE, and every DELETE but of what a recorded retention run has
declared old. That stops accidents and tidy-minded tools; an owner of the file can always drop a trigger.

There is no index that every call would pay for: each costs a third of a commit, while a million rows are scanned in
about a second. Indexes cover rare events only.
"""

import sqlite3

from mcp_guard.store.errors import StoreError
from mcp_guard.store.registry.tables import APPROVED_METHODS, REGISTRY
from mcp_guard.store.views import VIEWS

APPLICATION_ID = 0x6D637067  # "mcpg", in the file's header: what `file` and we know the database by

_TABLES = (
    """
    CREATE TABLE events (
      seq            INTEGER PRIMARY KEY,  -- the order of commits
      id             TEXT NOT NULL,        -- connection, dash, running number
      ts             TEXT NOT NULL,        -- 2026-11-21T07:12:03.000001Z, always UTC
      type           TEXT NOT NULL,
      connection_id  TEXT NOT NULL,
      agent          TEXT,
      agent_verified INTEGER NOT NULL,     -- 1: a launching config or a credential vouched for the agent
      user           TEXT,
      server         TEXT,
      tool           TEXT,
      decision       TEXT,                 -- allow, deny, require_approval
      decided_by     TEXT,
      rule           TEXT,
      policy_hash    TEXT,
      data           TEXT NOT NULL         -- a JSON object; what it holds depends on type
    )
    """,
    # Every run of --retain: what is older than `before` is gone, and nothing else is.
    "CREATE TABLE retention (ran_at TEXT NOT NULL, before TEXT NOT NULL)",
    "CREATE INDEX events_policy_loaded ON events (policy_hash) WHERE type = 'policy.loaded'",
    """
    CREATE TRIGGER events_never_change BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
    """,
    """
    CREATE TRIGGER events_only_expire BEFORE DELETE ON events
    WHEN OLD.ts >= coalesce((SELECT max(before) FROM retention), '')
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: only retention deletes, and only what is old'); END
    """,
)

_VIEWS = (
    """
    CREATE VIEW decisions AS
    WITH completed AS (
      SELECT CAST(json_extract(data, '$.decision') AS TEXT) AS decision_id, min(ts) AS ts,
             json_extract(data, '$.duration_us') AS duration_us,
             json_extract(data, '$.is_error') AS is_error,
             json_extract(data, '$.bytes') AS bytes
      FROM events WHERE type = 'tool.completed' GROUP BY 1
    )
    SELECT e.seq, e.id, e.ts, e.connection_id, e.agent, e.agent_verified, e.user, e.server, e.tool,
           e.decision, e.decided_by, e.rule, e.policy_hash,
           json_extract(e.data, '$.mode') AS mode,
           json_extract(e.data, '$.forwarded') AS forwarded,
           json_extract(e.data, '$.reason') AS reason,
           json_extract(e.data, '$.arguments') AS arguments,
           completed.ts AS completed_at, completed.duration_us, completed.is_error, completed.bytes
    FROM events AS e LEFT JOIN completed ON completed.decision_id = e.id
    WHERE e.type = 'tool.decided'
    """,
    """
    CREATE VIEW connections AS
    WITH counted AS (
      SELECT connection_id, min(seq) AS first_seq,
             min(CASE type WHEN 'agent.connected' THEN seq END) AS connected_seq,
             max(CASE type WHEN 'agent.connected' THEN seq END) AS introduced_seq,
             max(CASE type WHEN 'agent.disconnected' THEN ts END) AS disconnected_at,
             count(CASE type WHEN 'tool.decided' THEN 1 END) AS calls,
             count(CASE WHEN type = 'tool.decided' AND decision <> 'allow' THEN 1 END) AS denied
      FROM events GROUP BY connection_id
    )
    SELECT counted.connection_id, told.agent, told.agent_verified, told.user, told.server,
           json_extract(told.data, '$.client.name') AS client_name,
           json_extract(told.data, '$.client.version') AS client_version,
           json_extract(told.data, '$.protocol') AS protocol,
           began.ts AS connected_at, counted.disconnected_at, counted.calls, counted.denied
    FROM counted
    JOIN events AS began ON began.seq = coalesce(counted.connected_seq, counted.first_seq)
    JOIN events AS told ON told.seq = coalesce(counted.introduced_seq, counted.first_seq)
    """,
)

# What upstreams ever listed: one row for each definition that a tool ever had, and when each server last listed.
_CATALOG = (
    """
    CREATE TABLE catalog (
      server     TEXT NOT NULL,
      tool       TEXT NOT NULL,
      hash       TEXT NOT NULL,  -- SHA-256 of the definition as the server wrote it
      definition TEXT NOT NULL,  -- JSON, with what looks like a secret masked
      first_seen TEXT NOT NULL,
      last_seen  TEXT NOT NULL,
      PRIMARY KEY (server, tool, hash)
    )
    """,
    "CREATE TABLE catalog_listings (server TEXT PRIMARY KEY, listed_at TEXT NOT NULL)",
    """
    CREATE VIEW tools AS
    SELECT latest.server, latest.tool, latest.last_seen = catalog_listings.listed_at AS listed,
           json_extract(latest.definition, '$.description') AS description,
           (SELECT min(first_seen) FROM catalog AS any_version
            WHERE any_version.server = latest.server AND any_version.tool = latest.tool) AS first_seen,
           latest.last_seen, latest.versions, latest.hash, latest.definition
    FROM (SELECT server, tool, hash, definition, max(last_seen) AS last_seen, count(*) AS versions
          FROM catalog GROUP BY server, tool) AS latest
    JOIN catalog_listings USING (server)
    """,
)

# What leads from each version to the next. A version that was ever released is never edited.
MIGRATIONS: tuple[tuple[str, ...], ...] = ((*_TABLES, *_VIEWS), _CATALOG, REGISTRY, VIEWS, APPROVED_METHODS)
VERSION = len(MIGRATIONS)
SINCE_EVENTS, SINCE_CATALOG, SINCE_REGISTRY = 1, 2, 3  # the versions that brought the log, the catalog, the registry


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Bring a database (an empty one too) up to this version, in one transaction. Raises StoreError, sqlite3.Error."""
    found = version(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # losing power may lose what follows, never a part of it
    if found == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[version(connection, path) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def registry_version(database: sqlite3.Connection | sqlite3.Cursor) -> int:
    """The version of the registry now. Raises sqlite3.Error."""
    return database.execute("SELECT version FROM registry").fetchone()[0]


def version(connection: sqlite3.Connection, path: str) -> int:
    """The version of the schema in the file, 0 for an empty one. Raises StoreError where it is not ours to use."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner != APPLICATION_ID and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise StoreError(f"{path} is the database of another program", "name another file with --db")
    if found > VERSION:
        raise StoreError(
            f"the audit log {path} was made by a newer mcp-guard (its version is {found}, this one knows {VERSION})",
            "update mcp-guard, or name another file with --db",
        )
    return found

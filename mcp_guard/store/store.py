"""The audit log as a guard writes it: open once, `record` before each call goes on, `close`.

The invariant: when `record` returns, every row given to it is committed to the file that is at the path; when it
raises, none is. Losing power may lose the last moments (WAL, synchronous=NORMAL); killing the guard loses nothing.
Checkpoints and retention are `maintenance`'s, on a thread of its own.
"""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress

from mcp_guard.events import Event
from mcp_guard.store import files
from mcp_guard.store.errors import DAMAGE, StoreError, result_code, store_error
from mcp_guard.store.known import is_known
from mcp_guard.store.maintenance import Maintenance
from mcp_guard.store.rows import Row, insertion, row
from mcp_guard.store.schema import prepare

BUSY_TIMEOUT = 1.0  # seconds that a call waits for other writers
_PAUSES = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005)  # seconds between attempts; the last one repeats
_LOOK_AGAIN = 0.005  # seconds for which the file at the path is taken to be the same
_WAKE_EVERY = 512  # commits between two looks of the maintenance thread
_PREPARED_ROWS = 8
_INSERT = tuple(insertion(rows) for rows in range(1, _PREPARED_ROWS + 1))


class Store:
    """One process's way into the audit log. Used by one thread at a time."""

    def __init__(self, path: str, retain_days: int | None) -> None:
        self.path = path
        self._retain_days = retain_days
        self._connection: sqlite3.Connection | None = None
        self._identity: files.Identity | None = None
        self._looked = 0.0
        self._commits = 0
        self._suspect: StoreError | None = None
        self._key = b""
        self._maintenance = Maintenance(path, retain_days)

    @classmethod
    def open(cls, path: str, *, retain_days: int | None = None) -> "Store":
        """Open the audit log at `path`, creating it, its directory and its key where they are missing.

        `retain_days` deletes older events, now and daily; None keeps everything. Raises StoreError.
        """
        store = cls(os.path.realpath(path) if path else path, retain_days)
        store._connect()
        if retain_days is not None:
            store._maintenance.start()
        return store

    def record(self, events: Sequence[Event]) -> None:
        """Commit one row for each event, all or none. Raises StoreError: then none is in the log.

        The next call tries afresh: whatever was wrong with the file may have been mended.
        """
        connection = self._sound_connection()
        try:
            self._insert(connection, [row(event) for event in events])
        except sqlite3.Error as error:
            raise self._failed(connection, error) from error
        self._commits += 1
        if not self._commits % _WAKE_EVERY:
            self._maintenance.wake()

    def redaction_key(self) -> bytes:
        """The 32 secret bytes, kept beside the database, that key the hashes standing for secrets in the log."""
        return self._key

    def knows_policy(self, policy_hash: str, version: str) -> bool:
        """Whether a guard of this version has ever recorded that it loaded the policy with this hash."""
        connection = self._sound_connection()
        try:
            return is_known(connection, policy_hash, version)
        except sqlite3.Error as error:
            raise self._failed(connection, error) from error

    def close(self) -> None:
        """Stop the thread, put the write-ahead log into the database, close. Never raises, never waits long."""
        self._maintenance.stop()
        self._disconnect()

    def _connect(self) -> None:
        files.refuse_unusable(self.path)
        files.make_directory(self.path)
        with files.alone(self.path) as key:
            self._key = self._key or key
            files.create_missing(self.path)
            self._identity = files.identity(self.path)
            try:
                self._connection = _connect(self.path)
            except sqlite3.Error as error:
                raise store_error(self.path, error) from error
        self._looked = time.monotonic()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # then the rows stay in the write-ahead log, for whoever opens it next
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            connection.close()

    def _sound_connection(self) -> sqlite3.Connection:
        """The connection, if there is no reason to doubt it; else a new one, or StoreError."""
        connection = self._connection
        now = time.monotonic()
        if connection is not None and self._suspect is None and now - self._looked < _LOOK_AGAIN:
            return connection
        return self._looked_over(now)

    def _looked_over(self, now: float) -> sqlite3.Connection:
        trouble = self._maintenance.trouble or self._suspect
        if self._connection is not None and trouble is None:
            if files.identity(self.path) == self._identity:
                self._looked = now
                return self._connection
            self._reconnect()
            raise StoreError(
                f"the audit log {self.path} was moved, replaced or deleted while in use",
                "nothing to do: the next call is recorded in the file that is there now",
            )
        self._reconnect()
        assert self._connection is not None
        return self._connection

    def _reconnect(self) -> None:
        self._disconnect()
        self._connect()
        self._suspect = self._maintenance.trouble = None

    def _insert(self, connection: sqlite3.Connection, rows: list[Row]) -> None:
        """Insert the rows in one transaction; wait for other writers, but not for long."""
        deadline = 0.0
        pauses = iter(_PAUSES)
        while True:
            try:
                return _commit(connection, rows)
            except sqlite3.OperationalError as error:
                if result_code(error) != sqlite3.SQLITE_BUSY:
                    raise
                deadline = deadline or time.monotonic() + BUSY_TIMEOUT
                if time.monotonic() > deadline:
                    raise
            time.sleep(next(pauses, _PAUSES[-1]))

    def _failed(self, connection: sqlite3.Connection, error: sqlite3.Error) -> StoreError:
        """What a failed statement means; nothing of it stays in the file."""
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._suspect = store_error(self.path, error)
        if result_code(error) in DAMAGE:
            self._suspect = store_error(self.path, error)
        return store_error(self.path, error)


def _commit(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """One autocommitted statement where the rows fit in one, which is cheaper than BEGIN and COMMIT."""
    if len(rows) == 1:
        connection.execute(_INSERT[0], rows[0])
    elif len(rows) <= _PREPARED_ROWS:
        if rows:
            connection.execute(_INSERT[len(rows) - 1], [value for one in rows for value in one])
    else:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT[0], rows)
        connection.execute("COMMIT")


def _connect(path: str) -> sqlite3.Connection:
    """A connection that may write, on a database of this version. Raises StoreError, sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        prepare(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA busy_timeout = 0")
    except BaseException:
        connection.close()
        raise
    return connection

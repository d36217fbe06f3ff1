"""The audit log as a guard writes it: open once, `record` before each call goes on, `close`.

The invariant: when `record` returns, every row given to it is committed to the file that is at the path; when it
raises, none is. Losing power may lose the last moments (WAL, synchronous=NORMAL); killing the guard loses nothing.
Checkpoints and retention are `maintenance`'s, on a thread of its own.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from mcp_guard.store import files
from mcp_guard.store.errors import DAMAGE, StoreError, result_code, store_error
from mcp_guard.store.maintenance import Maintenance
from mcp_guard.store.opening import BUSY_TIMEOUT, writable
from mcp_guard.store.rows import Row, row, storable
from mcp_guard.store.schema import registry_version
from mcp_guard.store.writing import NOTHING_ELSE, Condition, Written, condition, write

if TYPE_CHECKING:
    from mcp_guard.events import Event, ToolsListed
    from mcp_guard.governance import Credential, Ruling, Snapshot
    from mcp_guard.identity.issuers import Issuer
    from mcp_guard.identity.key_sets import KeySets
    from mcp_guard.store.registry.credentials import Proof

_PAUSES = (*[0.0] * 20, *[0.00002] * 50, 0.0005)  # seconds; a commit holds the lock for 10 µs, so ask again at once
_LOOK_AGAIN = 0.005  # seconds for which the file at the path is taken to be the same
_COMMIT = 5000  # bytes that a commit adds to the write-ahead log, beside its data
_WAKE_AFTER = 4 << 20  # bytes written between two looks of the maintenance thread

Answer = TypeVar("Answer")
Facts = TypeVarTuple("Facts")


class Store:
    """One process's way into the audit log. Used by one thread at a time."""

    def __init__(self, path: str, retain_days: int | None) -> None:
        self.path = path
        self._retain_days = retain_days
        self._cursor: sqlite3.Cursor | None = None  # one for all rows: making one costs as much as binding a row
        self._present = files.NOTHING
        self._looked = 0.0
        self._written = 0
        self._suspect: StoreError | None = None
        self._key = b""
        self._maintenance = Maintenance(path, retain_days)

    @classmethod
    def open(cls, path: str, *, retain_days: int | None = None) -> "Store":
        """Open the audit log at `path`, creating it, its directory and its key where they are missing.

        `retain_days` deletes older events, now and daily; None keeps everything. Raises StoreError.
        """
        files.refuse_unusable(path)
        store = cls(os.path.realpath(path), retain_days)
        store._connect()
        if retain_days is not None:
            store._maintenance.wake()
        return store

    def record(self, events: "Sequence[Event]") -> Written:
        """Commit one row for each event, all or none. Raises StoreError or OutdatedError: then none is in the log.

        Only a decision that would overdraw a budget is left out. After a failure the next call tries afresh: whatever
        was wrong with the file may have been mended.
        """
        if not events:
            return NOTHING_ELSE
        cursor = self._sound_cursor()
        rows = list(map(row, events))
        needs = condition(events)
        try:
            written = write(cursor, rows, needs)
        except UnicodeEncodeError:
            written = self._write_later(cursor, [storable(one) for one in rows], needs)
        except sqlite3.Error as error:
            written = self._write_later(cursor, rows, needs, error)
        self._grown(_COMMIT + len(rows[-1][-1]) * len(rows))
        return written

    def registry_version(self) -> int:
        """The registry's version now: another than before says that something was changed. Raises StoreError."""
        return self._ask(registry_version)

    def snapshot(self, agent: str, credential: "Credential | None", now: int) -> "Snapshot":
        """How an agent, and the credential that it came with, stand at `now` (microseconds since the epoch).

        Raises StoreError.
        """
        from mcp_guard.store.registry.snapshots import snapshot

        return self._ask(snapshot, agent, credential, now)

    def prove(self, credential: str, key_sets: "KeySets | None" = None) -> "Proof":
        """What a virtual key or a signed token proves now; `key_sets` has the keys of issuers.

        Raises CredentialError where that is nothing, KeysPendingError, StoreError.
        """
        from mcp_guard.store.registry.proving import prove

        return self._ask(prove, credential, time.time_ns() // 1000, key_sets)

    def ruling(self, approval: str) -> "Ruling | None":
        """What a person has decided about an approval; None where nobody has. Raises StoreError."""
        from mcp_guard.store.registry.approvals import ruling

        return self._ask(ruling, approval)

    def standing(self, credential: "Credential", now: int) -> tuple[str | None, int | None]:
        """Why a credential proves nothing at `now`, or None; and when it expires (both microseconds since the epoch).

        Raises StoreError.
        """
        from mcp_guard.store.registry.standing import standing

        return self._ask(standing, credential, now)

    def issuers(self) -> "list[Issuer]":
        """The issuers whose tokens are believed. Raises StoreError."""
        from mcp_guard.store.registry.issuers import trusted

        return self._ask(trusted)

    def instance_ended(self, instance: str) -> str | None:
        """Why somebody has ordered that an instance's connection ends; None where nobody has. Raises StoreError."""
        from mcp_guard.store.registry import instances

        return self._ask(instances.end_ordered, instance)

    def follow(self, event: "Event") -> None:
        """Keep among the instances what an `agent.connected` or `agent.disconnected` says. Raises StoreError."""
        from mcp_guard.store.registry import instances

        self._ask(instances.arrived if event.type == "agent.connected" else instances.left, event)

    def heard(self, instances: Iterable[str], now: int) -> None:
        """Keep that these instances are connected at `now` (microseconds since the epoch). Raises StoreError."""
        from mcp_guard.store.registry import instances as registered

        self._ask(registered.heard, instances, now)
        self._grown(_COMMIT)

    def learn(self, listing: "ToolsListed") -> None:
        """Keep what a server listed in the catalog of tools. Raises StoreError: then nothing of it is kept."""
        from mcp_guard.store import catalog

        self._ask(catalog.learn, listing)

    def redaction_key(self) -> bytes:
        """The 32 secret bytes, kept beside the database, that key the hashes standing for secrets in the log."""
        return self._key

    def close(self) -> None:
        """Stop the thread, put the write-ahead log into the database, close. Never raises, never waits long."""
        self._maintenance.stop()
        self._disconnect()

    def _ask(self, question: "Callable[[sqlite3.Connection, *Facts], Answer]", *facts: *Facts) -> Answer:
        """What is asked of, or kept in, the database beside the rows of the log. Raises StoreError."""
        connection = self._sound_cursor().connection
        try:
            return question(connection, *facts)
        except sqlite3.Error as error:
            raise self._failed(connection, error) from error

    def _connect(self) -> None:
        files.refuse_unusable(self.path)
        files.make_directory(self.path)
        with files.alone(self.path) as key:
            self._key = self._key or key
            files.create_missing(self.path, self._present)
            try:
                self._cursor = writable(self.path).cursor()
            except sqlite3.Error as error:
                raise store_error(self.path, error) from error
        self._present = files.present(self.path)
        self._looked = time.monotonic()

    def _disconnect(self, *, checkpoint: bool = True) -> None:
        """Close; with `checkpoint`, what is still in the write-ahead log is put into the database, wherever it is."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            connection = cursor.connection
            with suppress(sqlite3.Error):  # then the rows stay in the write-ahead log, for whoever opens it next
                if checkpoint:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            connection.close()

    def _sound_cursor(self) -> sqlite3.Cursor:
        """The cursor, if there is no reason to doubt its connection; else a new one's. Raises StoreError."""
        cursor = self._cursor
        now = time.monotonic()
        if cursor is not None and self._suspect is None and now - self._looked < _LOOK_AGAIN:
            return cursor
        return self._looked_over(now)

    def _looked_over(self, now: float) -> sqlite3.Cursor:
        """Look whether the files are still those that are open, and whole: rows written to others would be lost.

        The call that meets another file is refused, so that somebody hears of it; its denial is the first row there.
        What has shrunk is opened anew: somebody emptied it, or made room in a way that SQLite knows.
        """
        found, before = files.present(self.path), self._present
        moved = self._cursor is not None and (found.files != before.files or found.sizes[0] == 0)
        if moved or self._cursor is None or self._suspect or self._maintenance.trouble or found.has_shrunk(before):
            self._disconnect(
                checkpoint=found.files[:2] != before.files[:2]
            )  # by an index that others lack, it is wrong
            self._connect()
            self._suspect = self._maintenance.trouble = None
        else:
            self._present = found
        if moved:
            raise StoreError(
                f"the audit log {self.path} was moved, replaced or deleted while in use",
                "from the next call on, the file that is there now is used",
            )
        self._looked = now
        assert self._cursor is not None
        return self._cursor

    def _write_later(
        self, cursor: sqlite3.Cursor, rows: list[Row], needs: Condition, error: sqlite3.Error | None = None
    ) -> Written:
        """Try again while other writers are in the way, but not for long. Raises StoreError, OutdatedError."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        pauses = iter(_PAUSES)
        while error is None or (result_code(error) == sqlite3.SQLITE_BUSY and time.monotonic() < deadline):
            if error is not None:
                time.sleep(next(pauses, _PAUSES[-1]))
            self._undo(cursor.connection)
            try:
                return write(cursor, rows, needs)
            except sqlite3.Error as again:
                error = again
        raise self._failed(cursor.connection, error) from error

    def _failed(self, connection: sqlite3.Connection, error: sqlite3.Error) -> StoreError:
        """What a failed statement means. Where it may mean damage, the next call begins with a new connection."""
        self._undo(connection)
        failure = store_error(self.path, error)
        if result_code(error) in DAMAGE:
            self._suspect = failure
        return failure

    def _grown(self, size: int) -> None:
        """So many bytes more are in the write-ahead log."""
        self._written += size
        if self._written > _WAKE_AFTER:
            self._written = 0
            self._maintenance.wake()

    def _undo(self, connection: sqlite3.Connection) -> None:
        """Nothing of a failed transaction stays; a connection that cannot end one is given up."""
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                self._suspect = store_error(self.path, error)

"""What the log needs besides rows: checkpoints and retention, on a daemon thread with a connection of its own.

The hot path only ever sets a flag. A checkpoint is PASSIVE and waits for nobody, so a slow disk slows this thread and
no call, and it runs when nothing else wants the processor; only where the write-ahead log has outgrown `WAL_LIMIT`
(calls without a pause) are writers held for the last few pages, so that it can start over.
"""

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mcp_guard.ids import RANDOM_BYTES, new_id
from mcp_guard.store.errors import DAMAGE, StoreError, result_code, store_error
from mcp_guard.store.known import uri
from mcp_guard.store.rows import moment, timestamp

if TYPE_CHECKING:
    import threading

WAL_LIMIT = 64 << 20  # bytes
_SMALL_WAL = 2 << 20  # bytes that are not worth a checkpoint
_HOUR = 3600.0
_DAY = 24 * _HOUR
_DAY_US = 86_400_000_000  # microseconds
_JOIN = 2.0  # seconds that `stop` waits for a checkpoint under way
_BATCH = 20  # events deleted under one lock: well under a millisecond
_REST = 0.01  # seconds between two batches, so that nobody waits for the lock twice

_EXPIRED = """
    SELECT seq FROM events WHERE seq > ? AND ts < ? AND seq < (SELECT max(seq) FROM events) ORDER BY seq LIMIT ?
"""
_DELETE = "DELETE FROM events WHERE seq >= ? AND seq <= ? AND ts < ?"
_FORGET = """
    DELETE FROM approvals WHERE id IN (SELECT id FROM approvals WHERE id < ? AND expires_at < ? LIMIT ?)
"""  # the arguments that a person was asked about; an id begins with when its connection began


class Maintenance:
    """The thread, started when it is first needed. `trouble` says that it found the file damaged."""

    def __init__(self, path: str, retain_days: int | None) -> None:
        self._path = path
        self._retain_days = retain_days
        self._wanted: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self._ending = False
        self._retained = -_DAY
        self.trouble: StoreError | None = None

    def wake(self) -> None:
        """Have a look soon. Costs the caller next to nothing, but the first time a thread."""
        if self._wanted is None:
            self._start()
        else:
            self._wanted.set()

    def stop(self) -> None:
        """End the thread, unless the disk keeps it too long."""
        self._ending = True
        if self._wanted is not None and self._thread is not None:
            self._wanted.set()
            self._thread.join(_JOIN)

    def _start(self) -> None:
        import threading

        self._wanted = threading.Event()
        self._wanted.set()
        self._thread = threading.Thread(target=self._run, args=(self._wanted,), name="mcp-guard-store", daemon=True)
        self._thread.start()

    def _run(self, wanted: "threading.Event") -> None:
        while not self._ending:
            wanted.wait(_HOUR if self._retain_days is not None else None)
            wanted.clear()
            if not self._ending:
                self._look()

    def _look(self) -> None:
        try:
            connection = sqlite3.connect(uri(self._path, "mode=rw"), uri=True, timeout=0.0, isolation_level=None)
        except sqlite3.Error:
            return  # the hot path meets the same and says so
        try:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._checkpoint(connection)
            self._retain(connection)
        except sqlite3.Error as error:
            if result_code(error) in DAMAGE:
                self.trouble = store_error(self._path, error)
        finally:
            connection.close()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        size = self._wal_size()
        if size < _SMALL_WAL:
            return
        connection.execute("SELECT max(seq) FROM events").fetchone()  # a fresh look at the file, from its header down
        with _in_the_background():
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if size > WAL_LIMIT:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _wal_size(self) -> int:
        try:
            return os.stat(self._path + "-wal").st_size
        except OSError:
            return 0

    def _retain(self, connection: sqlite3.Connection) -> None:
        """Delete what is older than the days to keep, once a day, in batches that hold nobody up."""
        if self._retain_days is None or time.monotonic() - self._retained < _DAY:
            return
        now = time.time_ns() // 1000
        before = timestamp(now - self._retain_days * _DAY_US)
        connection.execute("PRAGMA busy_timeout = 1000")
        connection.execute("PRAGMA secure_delete = ON")  # what has expired is overwritten, not only unlinked
        expired = _expired(connection, 0, before)
        if expired:
            connection.execute("INSERT INTO retention (ran_at, before) VALUES (?, ?)", (timestamp(now), before))
        while expired and not self._ending:
            connection.execute(_DELETE, (expired[0], expired[-1], before))
            self._checkpoint(connection)
            time.sleep(_REST)
            expired = _expired(connection, expired[-1], before)
        while not self._ending and connection.execute(_FORGET, (_made_by(before), before, _BATCH)).rowcount:
            time.sleep(_REST)
        self._retained = time.monotonic()


@contextmanager
def _in_the_background() -> Generator[None]:
    """Give way to everything else on this processor (Linux: SCHED_IDLE), for as long as one statement runs.

    Not longer: whoever holds the interpreter's lock, or the database's, must not be kept waiting for a processor.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    usual = os.sched_getscheduler(0), os.sched_getparam(0)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, *usual)


def _made_by(before: str) -> str:
    """What no id is less than that was made then or later."""
    return new_id(moment(before) // 1000, bytes(RANDOM_BYTES))


def _expired(connection: sqlite3.Connection, after: int, before: str) -> list[int]:
    """The next events that are older than that. The newest event of all stays, so that no seq is ever used again."""
    return [seq for (seq,) in connection.execute(_EXPIRED, (after, before, _BATCH))]

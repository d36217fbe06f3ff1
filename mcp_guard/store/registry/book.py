"""How the registry is changed: each change is one transaction with its event in the log, and says who made it.

The subjects (`agents`, `grants`, `overrides`, `budgets`, `evals`, `instances`, `credentials`) say what can be changed;
this is what they share. The invariant: nothing changes in the registry without an event, and no event is written of
what did not change.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from mcp_guard.errors import GuardError
from mcp_guard.events import Event, EventType
from mcp_guard.ids import RANDOM_BYTES, new_id
from mcp_guard.store.errors import store_error
from mcp_guard.store.opening import made
from mcp_guard.store.rows import insertion, row, storable, timestamp

CONNECTION = "registry"
"""The connection id of events that no connection made."""

Row = Mapping[str, Any]  # as SQLite gives it, by the names of its columns
_INSERT = insertion(1)
_WAIT = 5_000  # milliseconds for other writers; a person waits longer than a call


class NotFoundError(GuardError):
    """What was asked for is not in the registry."""


class ConflictError(GuardError):
    """What was asked for cannot be, with what is there already."""


class InvalidError(GuardError):
    """What was asked for can never be."""


def clock_of_this_machine() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


class Book:
    """The registry of one database, open for somebody (`actor`: a login, or the name of a token) to read and change.

    `clock` gives microseconds since the epoch. A context manager. All methods raise StoreError where the database
    cannot be used.
    """

    def __init__(self, path: str, actor: str, clock: Callable[[], int] = clock_of_this_machine) -> None:
        self.path, self.actor, self._clock = os.path.realpath(path), actor, clock
        made(self.path)
        self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute(f"PRAGMA busy_timeout = {_WAIT}")
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def __enter__(self) -> "Book":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @property
    def now(self) -> int:
        """Microseconds since the epoch."""
        return self._clock()

    def new_id(self) -> str:
        """An id for something new."""
        return new_id(self.now // 1000, os.urandom(RANDOM_BYTES))

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """What a query finds."""
        try:
            return [dict(one) for one in self._connection.execute(query, values).fetchall()]
        except sqlite3.Error as error:
            raise store_error(self.path, error) from error

    def one(self, query: str, values: Sequence[object] = ()) -> Row | None:
        """The first row that a query finds, or None."""
        found = self.rows(query, values)
        return found[0] if found else None

    @contextmanager
    def changing(self) -> "Generator[Change]":
        """One transaction: what is done in it, and the events of it, hold together or not at all.

        Raises ConflictError where a row of the same key is there already.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Change(self, self._connection)
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except sqlite3.IntegrityError as error:
            raise ConflictError("the registry has that already") from error
        except sqlite3.Error as error:
            raise store_error(self.path, error) from error


class Change:
    """A transaction under way."""

    def __init__(self, book: Book, connection: sqlite3.Connection) -> None:
        self._book, self._connection = book, connection
        self.now = book.now
        self.at = timestamp(self.now)

    def execute(self, statement: str, values: Sequence[object] | Mapping[str, object] = ()) -> int:
        """Change rows; gives how many."""
        return self._connection.execute(statement, values).rowcount

    def one(self, query: str, values: Sequence[object] = ()) -> Row | None:
        """The first row that a query finds, or None."""
        found = self._connection.execute(query, values).fetchone()
        return None if found is None else dict(found)

    def cursor(self) -> sqlite3.Cursor:
        """A cursor within this transaction, for what has statements of its own."""
        return self._connection.cursor()

    def insert(self, table: str, **columns: object) -> None:
        """Insert one row."""
        names, places = ", ".join(columns), ", ".join(f":{name}" for name in columns)
        self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", columns)

    def tell(
        self,
        kind: EventType,
        agent: str | None,
        data: Mapping[str, object],
        *,
        tool: str | None = None,
        rule: str | None = None,
    ) -> None:
        """Write the event of this change; `data` says what changed, and who did it is added. `rule` is the id of it.
        What looks like a secret in it is not kept, whoever has said it.
        """
        event = Event(
            id=f"{CONNECTION}-{self._book.new_id()}",
            ts=self.now,
            type=kind,
            connection_id=CONNECTION,
            agent=agent,
            tool=tool,
            rule=rule,
            data=cast("Mapping[str, object]", _kept({"by": self._book.actor, **data})),
        )
        self._connection.execute(_INSERT, storable(row(event)))


def _kept(said: object) -> object:
    """What somebody has said of a change, as the log keeps it."""
    if isinstance(said, str):
        return kept_text(said)
    if isinstance(said, Mapping):
        return {name: _kept(value) for name, value in cast("Mapping[str, object]", said).items()}
    return [_kept(one) for one in cast("Sequence[object]", said)] if isinstance(said, list | tuple) else said


def kept_text(text: str) -> str:
    """What a person says of something, as it is kept: what looks like a secret is not, whoever pastes it."""
    from mcp_guard.redaction.patterns import mask
    from mcp_guard.redaction.text import MARK

    return mask(text, MARK)

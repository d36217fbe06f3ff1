"""The registry to look into: for whoever may read the file, and perhaps nothing else.

Nothing is made or locked, and no key is needed: roles on this machine are the rights on the file. Only a file of an
older version is brought up to date first, by whoever may do that.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import NoReturn

from mcp_guard.store.errors import OlderError, StoreError
from mcp_guard.store.opening import made
from mcp_guard.store.reader import ask
from mcp_guard.store.registry.book import Book, Row, clock_of_this_machine
from mcp_guard.store.schema import VERSION


class Looking(Book):
    """A book in which nothing can be changed. Each question is one of its own, so that no guard waits for a reader."""

    def __init__(self, path: str, clock: Callable[[], int] = clock_of_this_machine) -> None:  # pyright: ignore[reportMissingSuperCall]
        self.path, self.actor, self._clock = os.path.realpath(path), "", clock

    def close(self) -> None:
        """Nothing is open."""

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """What a query finds."""
        try:
            return self._ask(query, values)
        except OlderError as error:
            try:
                made(self.path)
            except StoreError:
                raise error from None
            return self._ask(query, values)

    def _ask(self, query: str, values: Sequence[object]) -> list[Row]:
        return ask(self.path, lambda connection: _rows(connection, query, values), since=VERSION)

    def changing(self) -> NoReturn:
        """Refused: raises StoreError."""
        raise StoreError(f"the audit log {self.path} was opened to be read")


def _rows(connection: sqlite3.Connection, query: str, values: Sequence[object]) -> list[Row]:
    connection.row_factory = sqlite3.Row
    return [dict(one) for one in connection.execute(query, values).fetchall()]  # pyright: ignore[reportArgumentType]

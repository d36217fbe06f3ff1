"""The registry as the API's thread has it open: one book for all requests, opened anew where the file is another."""

import os

from mcp_guard.store.registry.book import Book


class KeptBook:
    """The registry at a path. Used by one thread at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._book: Book | None = None
        self._file: tuple[int, int] | None = None

    def open(self, actor: str) -> Book:
        """The registry, for whoever asks this time. Raises StoreError."""
        if self._book is None or self._file != _file(self.path):
            self.close()
            self._book = Book(self.path, actor)
            self._file = _file(self.path)
        self._book.actor = actor
        return self._book

    def close(self) -> None:
        """Close the database."""
        book, self._book = self._book, None
        if book is not None:
            book.close()


def _file(path: str) -> tuple[int, int] | None:
    """Which file is at the path."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

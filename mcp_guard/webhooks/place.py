"""How far a receiver has been told of a log: a number in a file beside it. Whoever has that file locked is who tells.

So of all guards that have the same webhook on the same log, one tells. The lock goes with its process, however that
ends, and the next one goes on where it was.
"""

import os
from collections.abc import Callable
from contextlib import suppress

from mcp_guard.store.errors import store_error
from mcp_guard.store.files import Identity, identity, try_lock

_DIGITS = 20  # of the number in the file, which is always written whole


class Place:
    """One receiver's place in the log at `path`. `seq`: the last event that is dealt with; where nothing is known of
    that, the newest one when this began.
    """

    def __init__(self, path: str, name: str, newest: Callable[[], int]) -> None:
        self._file = f"{os.path.realpath(path)}-webhook-{name}"
        self._handle = -1
        self._held: Identity | None = None
        self._newest = newest
        self.seq = newest()

    def take(self) -> bool:
        """Whether this process is the one that tells: it was, or nobody is and it is from now on. Raises StoreError."""
        if self._held is not None and identity(self._file) == self._held:
            return True
        self.leave()
        try:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            self._handle = handle
            if not try_lock(handle):
                self.leave()
                return False
            found = os.fstat(handle)
            self._held = found.st_dev, found.st_ino
            self._read()
        except OSError as error:
            self.leave()
            raise store_error(self._file, error) from error
        return True

    def move(self, seq: int) -> None:
        """Remember that everything up to this event is dealt with."""
        if seq != self.seq:
            self.seq = seq
            self._write()

    def leave(self) -> None:
        """Let another tell."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle, self._held = -1, None

    def _read(self) -> None:
        os.lseek(self._handle, 0, os.SEEK_SET)
        kept = os.read(self._handle, _DIGITS)
        if kept.isdigit() and int(kept) <= self._newest():  # else it was another log
            self.seq = int(kept)
        else:
            self._write()

    def _write(self) -> None:
        with suppress(OSError):  # who comes next tells again what it cannot know to be told
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, b"%0*d" % (_DIGITS, self.seq))

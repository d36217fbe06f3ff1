"""Which of a peer's refused messages get a row of their own: a peer that floods must not fill the disk, and must not
pass unseen for it either.
"""

import msgspec

MOST = 1_000  # rows of one peer's on one connection; after that, one a minute for all that came
_MINUTE = 60_000_000  # microseconds


class Rejection(msgspec.Struct, frozen=True):
    """What a row says: why, and how many bytes were refused."""

    reason: str
    size: int


class Rejections:
    """The refused messages of one peer on one connection."""

    def __init__(self) -> None:
        self._rows = 0
        self._count = 0  # refused since the last row
        self._size = 0
        self._told = 0  # when the last row was written

    def refused(self, reason: str, size: int, now: int) -> Rejection | None:
        """A message of `size` bytes was refused at `now` (microseconds since the epoch). Gives what to write, if
        anything is.
        """
        if self._rows < MOST:
            self._rows, self._told = self._rows + 1, now
            if self._rows == MOST:
                reason += "; further messages rejected on this connection are counted, with one row a minute"
            return Rejection(reason, size)
        self._count, self._size = self._count + 1, self._size + size
        return self.rest(now) if now - self._told >= _MINUTE else None

    def rest(self, now: int) -> Rejection | None:
        """What was refused since the last row, as one."""
        if not self._count:
            return None
        told = Rejection(f"{self._count} messages rejected since the last row", self._size)
        self._count, self._size, self._told = 0, 0, now
        return told

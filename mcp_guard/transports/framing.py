"""A byte stream cut into lines, and lines kept until a slow reader takes them. Both bounded.

A line ends with LF and nothing else (MCP, "stdio": messages are delimited by newlines).
"""

import os
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import cast

import msgspec

DEFAULT_LIMIT = 64 * 1024 * 1024  # bytes of one message
HIGH_WATER = 1024 * 1024  # bytes that may wait for a slow reader before its sources are no longer read

# Bytes of a line that came in pieces up to which it is copied. A longer one is given as the bytearray that it was
# gathered in: nobody changes it any more, and whoever reads it reads it like bytes.
_COPIED = 64 * 1024
_CHUNK = 64 * 1024  # bytes of one read; more costs a mapping and unmapping of memory at each
_LARGE_CHUNK = 256 * 1024  # bytes of one read in the middle of a long line: what the guard's own pipes hold
_AT_ONCE = 16  # pieces that are written with one call to the system; every system takes as many

_EDGE = 256  # bytes that are kept of the start and of the end of a line that is thrown away


class Oversized(msgspec.Struct, frozen=True):
    """A line that was longer than the limit: its size in bytes, and as much of it as tells what it was."""

    size: int
    start: bytes = b""
    end: bytes = b""


class Lines:
    """Cuts chunks into lines. A line longer than `limit` bytes is counted and thrown away as it comes."""

    __slots__ = ("_edges", "_limit", "_size", "_start")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._start = bytearray()
        self._edges = (b"", b"")  # of a line that is over the limit
        self._size = 0

    @property
    def unfinished(self) -> int:
        """Bytes of a line whose start is here and whose end is not."""
        return self._size

    def start(self, most: int | None = None) -> bytes:
        """The start of the unfinished line, as far as it is here or as many bytes; empty where it is over the limit."""
        return bytes(self._start[:most])

    def feed(self, chunk: bytes) -> list[bytes | Oversized]:
        """Take in a chunk; gives the lines that it completes, without their line ends and without blank ones."""
        end = chunk.find(b"\n")
        if end < 0:
            if chunk:
                self._keep(chunk)
            return []
        if end == len(chunk) - 1 <= self._limit and not self._size:  # one whole line, as nearly always
            return [] if chunk.isspace() else [chunk[:-1]]
        pieces = chunk.split(b"\n")
        rest = pieces.pop()
        lines = [self._ended(piece) for piece in pieces]
        if rest:
            self._keep(rest)
        return [line for line in lines if line]

    def end(self) -> list[bytes | Oversized]:
        """The stream has ended: what is left of it as a last line, if there is anything."""
        return [line for line in (self._ended(b""),) if line]

    def _keep(self, piece: bytes) -> None:
        before, self._size = self._size, self._size + len(piece)
        if self._size <= self._limit:
            self._start += piece
            return
        if before <= self._limit:
            self._edges = (bytes(self._start[:_EDGE]), bytes(self._start[-_EDGE:]))
        start, end = self._edges
        self._edges = ((start + piece[:_EDGE])[:_EDGE], (end + piece[-_EDGE:])[-_EDGE:])
        self._start = bytearray()

    def _ended(self, piece: bytes) -> bytes | Oversized:
        if not self._size and len(piece) <= self._limit:
            return b"" if piece.isspace() else piece
        self._keep(piece)
        size, self._size = self._size, 0
        line, self._start = self._start, bytearray()
        if size > self._limit:
            (start, end), self._edges = self._edges, (b"", b"")
            return Oversized(size, start, end)
        if line.isspace():
            return b""
        return cast(bytes, line) if size > _COPIED else bytes(line)


def read(descriptor: int, lines: Lines, usual: int = _CHUNK) -> bytes | None:
    """One read of the bytes of these lines, of `usual` bytes at most where none is under way: b"" at the end of the
    stream, None where there is nothing after all.
    """
    try:
        return os.read(descriptor, _LARGE_CHUNK if lines.unfinished else usual)
    except BlockingIOError:
        return None
    except OSError:  # a terminal or socket whose other end is gone
        return b""


class Outbox:
    """Bytes on their way to a non-blocking descriptor: written at once where it takes them, else kept in order."""

    __slots__ = ("_waiting", "descriptor", "size")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = 0  # bytes that wait
        self._waiting: deque[memoryview] = deque()

    def send(self, data: bytes) -> None:
        """Write `data` after what waits already. Raises BrokenPipeError and other OSErrors of a reader that is gone."""
        if self._waiting:
            self._keep(memoryview(data))
            return
        try:
            written = os.write(self.descriptor, data)
        except BlockingIOError:
            written = 0
        if written < len(data):
            self._keep(memoryview(data)[written:])

    def send_all(self, pieces: Sequence[bytes]) -> None:
        """As `send`, of several pieces at once, without putting them together first: they may be megabytes."""
        for piece in pieces:
            self._keep(memoryview(piece))
        self.flush()

    def flush(self) -> None:
        """Write what waits, as far as the reader takes it. Raises as `send` does."""
        while self._waiting:
            pieces = list(islice(self._waiting, _AT_ONCE))
            try:
                written = os.writev(self.descriptor, pieces)
            except BlockingIOError:
                return
            self.size -= written
            for piece in pieces:
                if written < len(piece):
                    self._waiting[0] = piece[written:]
                    return
                written -= len(piece)
                self._waiting.popleft()

    def clear(self) -> None:
        """Throw away what waits: its reader is gone."""
        self._waiting.clear()
        self.size = 0

    def _keep(self, view: memoryview) -> None:
        self._waiting.append(view)
        self.size += len(view)


def make_non_blocking(descriptor: int) -> bool:
    """Make writes to a client non-blocking, so that a slow one holds up nothing. Gives whether that was changed.

    A terminal, or a pipe that is also stderr, is shared with processes that do not expect this: it stays as it is.
    """
    if os.isatty(descriptor) or os.path.sameopenfile(descriptor, 2) or not os.get_blocking(descriptor):
        return False
    os.set_blocking(descriptor, False)
    return True

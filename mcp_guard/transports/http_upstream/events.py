"""Server-sent events out of chunks of bytes (WHATWG HTML, section 9.2.6, "Interpreting an event stream"). No I/O.

Bounded: an event larger than the limit is the last that is read of a stream. An event's data is one JSON-RPC message
here, so line ends within it stand between tokens, and it is given as one line.
"""

import msgspec

from mcp_guard.transports.framing import Oversized

_BOM = b"\xef\xbb\xbf"
_LONGEST_FIELD = 8 * 1024  # bytes of a field that is not data; longer ones are not believed
_LONGEST_RETRY = 9  # digits


class ServerEvent(msgspec.Struct, frozen=True):
    """One dispatched event: its type ("message" where the server gave none) and its data, without line ends."""

    type: str
    data: bytes


class Events:
    """Takes in a stream as it comes. `last_id` and `retry` (milliseconds) are what the server last said of them.

    With `last_id` a stream that broke off is taken up again: it is that of the last event that arrived whole.
    """

    def __init__(self, limit: int, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry: int | None = None
        self._limit = limit
        self._line = bytearray()  # the start of an unfinished line
        self._after_cr = False
        self._begun = False
        self._type = ""
        self._id = last_id
        self._data: bytes | bytearray | None = None  # of one line as it came, of several put together

    @property
    def _size(self) -> int:
        return 0 if self._data is None else len(self._data)

    def feed(self, chunk: bytes) -> list[ServerEvent | Oversized]:
        """Take in a chunk; gives the events that it completes. An unfinished one at the stream's end is none.

        An `Oversized` among them is the last: the stream is to be closed, and nothing more to be fed.
        """
        pieces = self._split(chunk)
        rest = pieces.pop()
        events: list[ServerEvent | Oversized] = []
        for piece in pieces:
            line = self._ended(piece)
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
            if self._size > self._limit:
                break
        else:
            self._line += rest
        size = self._size + len(self._line)
        if size > self._limit + _LONGEST_FIELD or self._size > self._limit:
            events.append(Oversized(size))
        return events

    def _split(self, chunk: bytes) -> list[bytes]:
        """The chunk cut at line ends: LF, CR LF or CR (of which the second half may come with the next chunk)."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk.split(b"\n")

    def _ended(self, piece: bytes) -> bytes | bytearray:
        """A whole line, whose last piece this is."""
        if not self._line:
            return self._first(piece)
        line, self._line = self._line, bytearray()
        line += piece
        return self._first(line)

    def _first(self, line: bytes | bytearray) -> bytes | bytearray:
        """The stream may begin with a byte order mark."""
        if self._begun:
            return line
        self._begun = True
        return line.removeprefix(_BOM)

    def _field(self, line: bytes | bytearray) -> None:
        if line.startswith((b"data: ", b"data:")):
            self._add(bytes(memoryview(line)[6 if line[5:6] == b" " else 5 :]))
        elif len(line) <= _LONGEST_FIELD and not line.startswith(b":"):
            name, _, value = line.decode("utf-8", "replace").partition(":")
            self._set(name, value.removeprefix(" "))

    def _add(self, data: bytes) -> None:
        if self._data is None:
            self._data = data
            return
        if isinstance(self._data, bytes):
            self._data = bytearray(self._data)
        self._data += b" "  # the line end, which can only stand between tokens
        self._data += data

    def _set(self, name: str, value: str) -> None:
        if name == "event":
            self._type = value
        elif name == "id" and value.isprintable():  # it comes back as a header; NUL, which is no id, is not printable
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= _LONGEST_RETRY:
            self.retry = int(value)
        elif name == "data":
            self._add(b"")

    def _dispatch(self) -> ServerEvent | None:
        self.last_id = self._id
        type, data = self._type or "message", self._data
        self._type, self._data = "", None
        return ServerEvent(type, bytes(data)) if data else None

"""The start of a long answer, passed on before its end is here.

A message of many megabytes would else take its time twice, once in and once out. The invariant: the end of a line is
held back until the gate has seen the whole of it, so what the gate does not pass never becomes a message at the client,
only the beginning of one. Nor does what goes ahead hold a whole message with more behind it: a reader may take that for
one as soon as its last brace is there, or once the line ends.
"""

LONG = 256 * 1024  # bytes of an unfinished line from which on it is passed as it comes
_SEPARATORS = (b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9")  # what the gate would escape: see gate.wire.seal
_STRADDLE = 2  # bytes on either side of a seam between pieces, for a character of three
_NO_STRUCTURE = bytes(set(range(256)) - set(b'"{}'))
_MOST_ESCAPED = 4096  # quotation marks within texts in a piece that goes ahead
_DEEPEST = 64  # levels of braces in a piece that goes ahead


class CutThrough:
    """At most one line that is on its way to the client without its end."""

    def __init__(self) -> None:
        self.active = False
        self._sent = 0  # bytes of the line that are with the client
        self._held = b""
        self._object = OpenObject()
        self._stopped = False

    def start(self) -> None:
        """A line is to be passed as it comes."""
        self.active, self._stopped = True, False
        self._sent, self._held = 0, b""
        self._object = OpenObject()

    def offer(self, piece: bytes) -> bytes:
        """The next piece of the line; gives what may be sent now: the piece before it.

        Nothing more may be once the gate would have to change a piece, or the message might be whole: the rest of the
        line then waits for its end.
        """
        seam = self._held[-_STRADDLE:] + piece[:_STRADDLE]
        self._stopped = self._stopped or not (_passable(piece) and _passable(seam))
        if self._stopped:
            return b""
        self._stopped = not self._object.goes_on(piece)
        if len(piece) < _STRADDLE and not self._stopped:
            self._held += piece
            return b""
        ready, self._held = self._held, piece
        self._sent += len(ready)
        return ready

    def finish(self, line: bytes, reply: bytes | None) -> bytes:
        """The line has ended, and `reply` is what the gate passes for it. Gives what completes it.

        That is the rest of the reply where it begins as the line does; else a line end, which leaves what was sent a
        broken line, and after it the reply, if there is one.
        """
        self.active, self._held = False, b""
        sent = self._sent
        if reply is not None and (reply is line or reply.startswith(memoryview(line)[:sent])):
            return reply[sent:] + b"\n"
        return b"\n" if reply is None else b"\n" + reply + b"\n"


class OpenObject:
    """A JSON object that comes in pieces, as far as it takes to tell that its last brace has not come yet."""

    def __init__(self) -> None:
        self._depth = 0  # of braces
        self._in_text = False
        self._escaping = False  # the piece before ended with a backslash that escapes what comes next

    def goes_on(self, piece: bytes) -> bool:
        """Whether the object is still open with this piece; in doubt it is not. Once closed, it is not asked again."""
        braces = self._outside_texts(piece)
        if braces is None:
            return False
        if not self._depth:  # the first brace of all
            self._depth, braces = 1, braces[1:]
        for _ in range(_DEEPEST):
            if b"{}" not in braces:
                closing = braces.count(b"}")  # what is left closes what was open before, then opens more
                self._depth += len(braces) - 2 * closing
                return self._depth > len(braces) - closing
            braces = braces.replace(b"{}", b"")
        return False

    def _outside_texts(self, piece: bytes) -> bytes | None:
        """The braces of a piece that are no part of any text; None where to look would take longer than to wait."""
        if self._escaping:
            piece = piece[1:]
        self._escaping = (len(piece) - len(piece.rstrip(b"\\"))) % 2 == 1
        if self._in_text and b'"' not in piece:
            return b""
        if b"\\" in piece:
            if piece.count(b'\\"') > _MOST_ESCAPED:
                return None
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        # With all else gone, two quotation marks side by side are a text without braces, or what joins two texts.
        parts = piece.translate(None, _NO_STRUCTURE).replace(b'""', b"").split(b'"')
        outside = parts[1::2] if self._in_text else parts[::2]
        self._in_text ^= len(parts) % 2 == 0
        return b"".join(outside)


def _passable(piece: bytes) -> bool:
    """Whether the gate would pass this part of a line as it is."""
    if b"\r" in piece:
        return False
    return piece.isascii() or not any(separator in piece for separator in _SEPARATORS)

"""The start of a long answer, passed on before its end is here.

A message of many megabytes would else take its time twice, once in and once out. The invariant: the end of a line is
held back until the gate has seen the whole of it, so what the gate does not pass never becomes a message at the client,
only the beginning of one.
"""

LONG = 256 * 1024  # bytes of an unfinished line from which on it is passed as it comes
_SEPARATORS = (b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9")  # what the gate would escape: see gate.wire.seal
_STRADDLE = 2  # bytes on either side of a seam between pieces, for a character of three


class CutThrough:
    """At most one line that is on its way to the client without its end."""

    def __init__(self) -> None:
        self.active = False
        self._sent = 0  # bytes of the line that are with the client
        self._held = b""
        self._stopped = False

    def start(self) -> None:
        """A line is to be passed as it comes."""
        self.active, self._stopped = True, False
        self._sent, self._held = 0, b""

    def offer(self, piece: bytes) -> bytes:
        """The next piece of the line; gives what may be sent now: the piece before it.

        Nothing more may be once the gate would have to change a piece: the rest of the line then waits for its end.
        """
        seam = self._held[-_STRADDLE:] + piece[:_STRADDLE]
        self._stopped = self._stopped or not (_passable(piece) and _passable(seam))
        if self._stopped:
            return b""
        if len(piece) < _STRADDLE:
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
        if reply is not None and (reply is line or memoryview(reply)[:sent] == memoryview(line)[:sent]):
            return reply[sent:] + b"\n"
        return b"\n" if reply is None else b"\n" + reply + b"\n"


def _passable(piece: bytes) -> bool:
    """Whether the gate would pass this part of a line as it is."""
    if b"\r" in piece:
        return False
    return piece.isascii() or not any(separator in piece for separator in _SEPARATORS)

"""What servers say while the client is not ready to hear it: kept, in order, until it is. Legacy era only.

A server is told that its handshake is done as soon as it is (`hello`), which may be long before the client's own is. To
that server the client is there. But until `initialize` is answered the client expects nothing, and until it has sent
`notifications/initialized` no requests but pings (2025-11-25, "Lifecycle": "Initialization").
"""

import msgspec

from mcp_guard.gate.messages import RequestId

MAX_LINES = 256  # of one server
MAX_BYTES = 1024 * 1024


class Line(msgspec.Struct, frozen=True):
    """One line for the client. `number`: the client's id for it, where it is a request."""

    slug: str
    text: bytes
    number: int | None = None


class Early:
    """The lines of all servers that came too early."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def keep(self, line: Line) -> bool:
        """Keep a line; False where too much of its server's waits already."""
        sizes = [len(one.text) for one in self._lines if one.slug == line.slug]
        if len(sizes) >= MAX_LINES or sum(sizes) + len(line.text) > MAX_BYTES:
            return False
        self._lines.append(line)
        return True

    def notices(self) -> list[Line]:
        """What is no request: the client is told it now."""
        return self._release(requests=False)

    def requests(self) -> list[Line]:
        """The requests that nobody took back: the client is asked them now."""
        return self._release(requests=True)

    def _release(self, *, requests: bool) -> list[Line]:
        released = [line for line in self._lines if (line.number is not None) is requests]
        self._lines = [line for line in self._lines if (line.number is not None) is not requests]
        return released

    def withdraw(self, number: RequestId) -> bool:
        """A request is taken back. Gives whether the client has not heard of it."""
        before = len(self._lines)
        self._lines = [line for line in self._lines if line.number != number]
        return len(self._lines) < before

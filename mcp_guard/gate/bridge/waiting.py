"""Messages of a client's that wait until it is known how to carry them: in order, and bounded."""

from mcp_guard.gate.bridge import members
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.messages import INTERNAL_ERROR
from mcp_guard.gate.outputs import Output, Reply

MAX_LINES = 1_000
MAX_BYTES = 64 * 1024 * 1024


class Waiting:
    """Lines of a client's that wait. What is too much is answered with an error."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lines: list[bytes] = []
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._lines)

    def hold(self, line: bytes, now: int) -> list[Output]:
        """Keep one more line, or say why not."""
        if len(self._lines) >= MAX_LINES or self._bytes + len(line) > MAX_BYTES:
            reason = "too many messages before it is known how the server is to be spoken to"
            return [*refused(line, reason), *self._gate.reject("client", reason, len(line), now)]
        self._lines.append(line)
        self._bytes += len(line)
        return []

    def take(self) -> list[bytes]:
        """All lines that wait, oldest first; they wait no longer."""
        lines, self._lines, self._bytes = self._lines, [], 0
        return lines

    def refuse(self, reason: str) -> list[Output]:
        """Answer every request that waits with an error; nothing waits any longer."""
        return [output for line in self.take() for output in refused(line, reason)]


def refused(line: bytes, reason: str) -> list[Output]:
    """The error that answers a line of a client's, if it is a request."""
    message = members.read(line)
    request_id = members.id_of(message) if message and members.kind_of(message) == "request" else None
    if request_id is None:
        return []
    return [Reply(members.up(members.failure(request_id, INTERNAL_ERROR, reason)))]

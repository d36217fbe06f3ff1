"""What an upstream over HTTP does, whichever of the two transports it speaks (`streamable`, `old_sse`)."""

from abc import ABC, abstractmethod

from mcp_guard.gate import answers
from mcp_guard.gate.messages import INTERNAL_ERROR, RequestId
from mcp_guard.transports.ends import UpstreamListener
from mcp_guard.transports.http_upstream import failures
from mcp_guard.transports.http_upstream.headers import Message
from mcp_guard.transports.http_upstream.link import Link, Valve
from mcp_guard.transports.http_upstream.outgoing import Outgoing

LAST_ANSWERS = 1.0  # seconds that open requests get to be answered when the guard is done


class HttpUpstream(ABC):
    """One connection to a server. `limit`: bytes of one message."""

    def __init__(self, link: Link, limit: int) -> None:
        self._link, self._limit = link, limit
        self._valve = Valve()
        self._listener: UpstreamListener | None = None
        self._outgoing = Outgoing(self._post, self._relieved, self._unanswered)
        self._who = f"the MCP server at {link.url.without_query()}"

    @property
    def waiting(self) -> int:
        """Bytes that the server has not taken yet."""
        return self._outgoing.waiting

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """A line to the server."""
        self._outgoing.send(line)

    def flush(self) -> None:  # noqa: B027  (it is not abstract: there is nothing to do)
        """Nothing is held back."""

    def pause(self) -> None:
        """Let what the server says wait."""
        self._valve.shut()

    def resume(self) -> None:
        """Take it again."""
        self._valve.open()

    def kill(self) -> None:
        """Break off what is open, as if it had had its moment."""
        self._outgoing.abandon()

    async def close(self) -> None:
        """Give open requests a moment to be answered, and end the connection."""
        await self._outgoing.close(LAST_ANSWERS)
        self._listener = None
        await self._leave()
        await self._link.close()

    @abstractmethod
    async def _leave(self) -> None:
        """Nobody listens any more: end what is still open at the server. Does not raise."""

    @abstractmethod
    async def _post(self, line: bytes, message: Message) -> None:
        """Send one message and see to its answer. Does not raise, but where it is cancelled."""

    def _say(self, line: bytes, related: RequestId | None = None) -> None:
        if self._listener is not None:
            self._listener.deliver(line, related)

    def _fail(self, request_id: RequestId, text: str) -> None:
        self._say(answers.error(request_id, INTERNAL_ERROR, text), request_id)

    def _unanswered(self, request_id: RequestId) -> None:
        self._fail(request_id, failures.unanswered(self._link.url))

    def _relieved(self) -> None:
        if self._listener is not None:
            self._listener.relieved()

    def _told_oversized(self, size: int) -> None:
        if self._listener is not None:
            self._listener.oversized(size)

    def _ended(self, how: str) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.ended(how)

"""What all clients over HTTP have in common as an end of a switch: when they may speak, and whether they keep up.

The invariant: whatever a POST said is delivered once, in the order of arrival, and only while the switch takes it.
"""

from abc import ABC, abstractmethod
from collections import deque

from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.ends import Listener
from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.exchange import Exchange
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.requests import Answer, Caller, refusal

ACCEPTED = Answer(202)
CANCELLED = "notifications/cancelled"  # after which there may be no answer
TOO_MUCH = refusal(503, "too much of this client's is open or waits", (("retry-after", "1"),))


class HttpClient(ABC):
    """One client of the server: a session, or a caller of the stateless revision. A `ClientEnd`.

    `clock` is the loop's time; `active` is when anything of the client's was last under way.
    """

    def __init__(self, caller: Caller, limits: Limits, now: float) -> None:
        self.caller, self.limits = caller, limits
        self.active = now
        self.over = False  # nothing more is taken from the client
        self._listener: Listener | None = None
        self._held: deque[tuple[bytes, Exchange | None]] = deque()  # said before the switch takes it
        self._paused = False
        self._current: Exchange | None = None  # what the message at hand was posted with
        self._slow: set[Channel] = set()

    # The end of a switch (see transports.ends)

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet, as far as they are many."""
        return sum(channel.waiting for channel in self._slow) if self._slow else 0

    async def start(self, listener: Listener) -> None:
        """The switch takes messages from now on."""
        self._listener = listener
        self._release()
        if self.over:
            listener.ended("the client ended its session")

    @abstractmethod
    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """Send a line to the client, on the stream that it belongs to."""

    def flush(self) -> None:  # noqa: B027  (not abstract: nothing is held back)
        """Everything is sent at once."""

    def part(self, request_id: RequestId) -> None:  # noqa: B027  (not abstract: of most clients nothing is let go)
        """Let the client go until the answer to this request is there, where it can come back for it."""

    def pause(self) -> None:
        """Hold what the client says."""
        self._paused = True

    def resume(self) -> None:
        """Deliver again."""
        self._paused = False
        self._release()

    async def close(self) -> None:
        """The connection is over: end every response."""
        self.over = True
        self._listener = None
        while self._held:
            self._held.popleft()
        self.end_all("the guarded connection has ended")

    @abstractmethod
    def end_all(self, why: str) -> None:
        """Answer whatever is open with an error, and end all streams."""

    @property
    def spare(self) -> bool:
        """Whether nothing of the client's is under way: no request, no stream."""
        return False

    def congested(self, size: int) -> bool:
        """Whether a message of so many bytes would be one too many to keep until it can be taken."""
        kept = self.kept
        return kept > 0 and kept + size > self.limits.body

    @property
    def kept(self) -> int:
        """Bytes of messages that cannot be taken yet."""
        return sum(len(line) for line, _ in self._held) if self._held else 0

    # What the client says

    def say(self, line: bytes, exchange: Exchange | None = None) -> None:
        """The client said `line` in a POST that `exchange` answers (None: nobody waits)."""
        if self.over:
            return
        if self._listener is None or self._paused or self._held:
            self._held.append((line, exchange))
        else:
            self._deliver(self._listener, line, exchange)

    def leave(self, why: str) -> None:
        """The client is done: the switch ends. Nothing more is taken from it."""
        self.over = True
        if self._listener is not None:
            self._listener.ended(why)

    def _release(self) -> None:
        while self._held and self._listener is not None and not self._paused:
            self._deliver(self._listener, *self._held.popleft())

    def _deliver(self, listener: Listener, line: bytes, exchange: Exchange | None) -> None:
        self._current = exchange
        try:
            if len(line) > self.limits.body:
                listener.oversized(len(line))
            else:
                listener.deliver(line)
        finally:
            self._current = None
        if exchange is not None and not exchange.ids and exchange.channel.open and not exchange.streaming:
            exchange.channel.answer(ACCEPTED)

    # What channels tell

    def channel_slow(self, channel: Channel, slow: bool) -> None:
        """A client falls behind on one of its streams, or has caught up."""
        if slow:
            self._slow.add(channel)
        elif channel in self._slow:
            self._slow.discard(channel)
            self._relieved()

    def channel_gone(self, channel: Channel) -> None:
        """The client has lost a response before it ended."""
        if channel in self._slow:
            self._slow.discard(channel)
            self._relieved()
        self.lost(channel)

    @abstractmethod
    def lost(self, channel: Channel) -> None:
        """The client has lost a response before it ended."""

    def _relieved(self) -> None:
        if self._listener is not None:
            self._listener.relieved()

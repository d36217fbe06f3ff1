"""HTTP with SSE as of 2024-11-05: one stream down, which names an address for POSTs up. The stream is the session."""

from collections import Counter

from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.http_server import spoken
from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.client_end import CANCELLED, TOO_MUCH, HttpClient
from mcp_guard.transports.http_server.events import COMMENT, event
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.requests import Answer, Caller

MESSAGE_PATH = "/message"


class OldSession(HttpClient):
    """One client, as long as its stream stands. A `ClientEnd`. `id` is what its POSTs prove themselves by."""

    def __init__(self, id: str, caller: Caller, limits: Limits, now: float, channel: Channel) -> None:
        super().__init__(caller, limits, now)
        self.id = id
        self._channel = channel
        self._commented = now
        self._open: Counter[RequestId] = Counter()  # requests that are not answered, by their ids
        channel.owner = self
        channel.begin()
        address = f"{MESSAGE_PATH}?session_id={id}"
        channel.write(b"event: endpoint\ndata: %b\n\n" % address.encode("ascii"))

    def post(self, body: bytes, channel: Channel, now: float) -> None:
        """A POST of the client's. What there is to say to it, the stream says."""
        self.active = now
        messages = spoken.read_all(body) or []
        asked = [message.request_id for message in messages if message.kind == "request"]
        if self._open.total() + len(asked) > self.limits.open_requests or self.congested(len(body)):
            channel.answer(TOO_MUCH)
            return
        self._open.update(asked)
        self.say(body)
        for message in messages:
            if message.method == CANCELLED:
                self._answered(spoken.read_params(message.params).request_id)
        channel.answer(Answer(202, b"Accepted", content_type="text/plain"))

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """Send a line to the client."""
        if self._open:
            for message in spoken.read_all(line) or []:
                if message.kind == "response":
                    self._answered(message.request_id)
        self._channel.write(event(line))

    def _answered(self, request_id: object) -> None:
        """One request of that id has its answer, or is not to have one."""
        if spoken.is_id(request_id):
            self._open[request_id] -= 1
            if self._open[request_id] <= 0:
                del self._open[request_id]

    def lost(self, channel: Channel) -> None:
        """The client has closed the stream."""
        self.leave("the client closed its stream")

    def end_all(self, why: str) -> None:
        """End the stream; what waits for an answer learns from that that there will be none."""
        self._channel.end()

    def sweep(self, now: float) -> None:
        """A moment has passed: show that the stream lives."""
        if now - self._commented >= self.limits.patience:
            self._commented = now
            self._channel.write(COMMENT)

    @property
    def busy(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._open)

    def idle(self, now: float) -> bool:
        """Never: the stream stands."""
        return False

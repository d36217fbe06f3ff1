"""A legacy session over streamable HTTP (2025-03-26 to 2025-11-25): the client's side of one guarded connection.

Which stream carries what an upstream says, is decided in `_place`: an answer belongs to its POST, progress to the
request with that token, anything else to the request that it was sent for, if that is known. What is known to have
nothing to do with any request goes to the GET stream; of the rest it is most likely that it belongs to the request made
last. What finds no stream waits for the GET stream, bounded like everything that can be sent again.
"""

import asyncio

from mcp_guard.gate import answers
from mcp_guard.gate.messages import INTERNAL_ERROR, RequestId
from mcp_guard.transports.http_server import spoken
from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.client_end import CANCELLED, TOO_MUCH, HttpClient
from mcp_guard.transports.http_server.events import COMMENT, Replay, Stream, parse_event_id
from mcp_guard.transports.http_server.exchange import Exchange
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.requests import Caller, Fields, Head, prefers_stream, refusal
from mcp_guard.transports.http_server.spoken import Spoken

SESSION_FIELD = "mcp-session-id"
_PRIMING_SINCE = "2025-11-25"  # clients of earlier revisions choke on an event without data
_STANDALONE = "0"  # the GET stream
_FRAME = 128  # bytes that an event has besides its message, at most
_TOO_LARGE_TO_WAIT = "the answer is too large for mcp-guard to keep it until the client comes back for it"
_PROGRESS = "notifications/progress"
_UNRELATED = frozenset(
    {
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/elicitation/complete",
    }
)


class Session(HttpClient):
    """One client between its `initialize` and its DELETE. `id` is what the client proves it by, so it is a secret."""

    def __init__(self, id: str, caller: Caller, limits: Limits, now: float) -> None:
        super().__init__(caller, limits, now)
        self.id = id
        self._fields: Fields = ((SESSION_FIELD, id),)
        self._open: dict[RequestId, Exchange] = {}  # by each request that is not answered; the latest is the last
        self._tokens: dict[RequestId, Exchange] = {}
        self._introduction: RequestId | None = None  # the id of `initialize`
        self._commented = now
        self._replay = Replay(limits.replay)
        self._streams: dict[str, tuple[Stream, Exchange]] = {}  # of exchanges under way
        self._standalone = Stream(_STANDALONE, self._replay)
        self._last_stream = 0

    # What the client asks

    def post(self, head: Head, body: bytes, messages: list[Spoken], channel: Channel, now: float) -> None:
        """A POST of the client's: one message, or a batch of them."""
        self.active = now
        requests = [message for message in messages if message.kind == "request"]
        if len(self._open) + len(requests) > self.limits.open_requests or self.congested(len(body)):
            channel.answer(TOO_MUCH)
            return
        exchange = Exchange(channel, now, self._fields)
        exchange.batch = body.lstrip()[:1] == b"["
        exchange.primes = (head.headers.get("mcp-protocol-version") or "") >= _PRIMING_SINCE
        channel.owner = self
        for request in requests:
            self._expect(exchange, request)
        if exchange.ids and prefers_stream(head.headers.get("accept") or ""):
            self._begin(exchange)
        self.say(body, exchange)
        if exchange.ids:
            self._let_go_later(exchange)
        for message in messages:
            if message.method == CANCELLED:
                self._withdraw(spoken.read_params(message.params).request_id)

    def _expect(self, exchange: Exchange, request: Spoken) -> None:
        """From now on the answer to a request belongs to this exchange, unless another one waits for that id."""
        request_id = request.request_id
        if request_id in self._open:
            exchange.clashing.add(request_id)
            return
        exchange.ids.add(request_id)
        self._open[request_id] = exchange
        token = spoken.read_params(request.params).meta.progress_token
        if spoken.is_id(token):
            exchange.tokens.append(token)
            self._tokens[token] = exchange
        if request.method == "initialize":
            self._introduction = request_id

    def _withdraw(self, request_id: object) -> None:
        """The client does not want an answer any more (there may be none then)."""
        exchange = self._open.pop(request_id, None) if spoken.is_id(request_id) else None
        if exchange is None:
            return
        exchange.ids.discard(request_id)
        if not exchange.ids:
            exchange.abandon()
            self._forget(exchange)

    def listen(self, head: Head, channel: Channel, now: float) -> None:
        """A GET of the client's: the stream for what belongs to no request, or one that broke off before."""
        self.active = now
        last = head.headers.get("last-event-id")
        channel.owner = self
        if last is None:
            channel.begin(self._fields)
            self._take_over(self._standalone, channel, None)
            return
        place = parse_event_id(last)
        if place is None or not self._resume(*place, channel):
            channel.answer(refusal(400, "no stream of this session has an event of that id"))

    def _resume(self, key: str, number: int, channel: Channel) -> bool:
        """Go on with a stream after one of its events; False where there is none such."""
        if key == _STANDALONE:
            channel.begin(self._fields)
            self._take_over(self._standalone, channel, number)
        elif key in self._streams:
            stream, exchange = self._streams[key]
            channel.begin(self._fields)
            exchange.channel = channel
            self._take_over(stream, channel, number)
            if exchange.primes:
                stream.prime(self.limits.retry)  # some clients keep no id from one connection to the next
            self._let_go_later(exchange, self.limits.retry / 1000)  # who came for the answer waits for it a little
        elif self._replay.knows(key):
            channel.begin(self._fields)
            for frame in self._replay.after(key, number):
                channel.write(frame)
            channel.end()
        else:
            return False
        return True

    def _take_over(self, stream: Stream, channel: Channel, after: int | None) -> None:
        """A stream goes on through another channel: the client has lost the former, whether we know it or not."""
        former = stream.channel
        stream.attach(channel, after)
        if former is not None:
            former.end()

    # What upstreams say

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """Send a line to the client, on the stream that it belongs to."""
        elements = spoken.split(line)
        if elements is None:
            self._send_one(line, related)
        elif not self._answer_batch(line, elements):
            for element in elements:
                self._send_one(element, related)

    def _send_one(self, line: bytes, related: RequestId | None) -> None:
        message = spoken.read(line) or Spoken()
        if message.method is not spoken.ABSENT:
            self._send_other(line, message, related)
        elif self._current is not None and (message.id is None or message.id in self._current.clashing):
            self._finish(self._current, line, status=400)  # it has no id that could be read, or one that is in use
        elif spoken.is_id(message.id) and (exchange := self._open.pop(message.request_id, None)) is not None:
            self._answer(exchange, message, line)

    def _answer(self, exchange: Exchange, message: Spoken, line: bytes) -> None:
        exchange.ids.discard(message.request_id)
        if exchange.away and len(line) > self.limits.replay - _FRAME:
            line = answers.error(message.request_id, INTERNAL_ERROR, _TOO_LARGE_TO_WAIT)
        if message.request_id == self._introduction and message.error is not spoken.ABSENT:
            exchange.fields = ()  # no session comes of this
            asyncio.get_running_loop().call_soon(self.leave, "the client's initialize was refused")
        if exchange.ids:
            self._send_into(exchange, line)
        else:
            self._finish(exchange, line)

    def _answer_batch(self, line: bytes, elements: list[bytes]) -> bool:
        """Whether an array is the answer to a batch, as a whole; then it is sent as one."""
        messages = [spoken.read(element) or Spoken() for element in elements]
        ids = {message.request_id for message in messages if message.kind == "response"}
        found = next((self._open[request_id] for request_id in ids if request_id in self._open), self._current)
        if found is None or not found.batch or not found.ids <= ids:
            return False
        if any(message.method is not spoken.ABSENT for message in messages):
            return False
        self._finish(found, line)
        return True

    def _send_other(self, line: bytes, message: Spoken, related: RequestId | None) -> None:
        exchange = self._place(message, related)
        if exchange is None:
            self._standalone.send(line)
        else:
            self._send_into(exchange, line)

    def _place(self, message: Spoken, related: RequestId | None) -> Exchange | None:
        """The request on whose stream a message belongs; None for the GET stream."""
        exchange = self._open.get(related) if related is not None else None
        if exchange is None and message.method == _PROGRESS:
            token = spoken.read_params(message.params).progress_token
            exchange = self._tokens.get(token) if spoken.is_id(token) else None
        if exchange is not None and exchange.reachable:
            return exchange
        if message.method in _UNRELATED and self._standalone.channel is not None:
            return None
        return next((latest for latest in reversed(self._open.values()) if latest.reachable), None)

    def _send_into(self, exchange: Exchange, line: bytes) -> None:
        self._begin(exchange)
        exchange.send(line)

    def _begin(self, exchange: Exchange) -> None:
        """The response to a POST becomes a stream, if it is none yet."""
        if exchange.streaming:
            return
        self._last_stream += 1
        stream = Stream(str(self._last_stream), self._replay)
        self._streams[stream.key] = (stream, exchange)
        exchange.begin(stream)
        if exchange.primes:
            stream.prime(self.limits.retry)

    def _finish(self, exchange: Exchange, line: bytes, status: int = 200) -> None:
        """The last answer of an exchange: its response ends with it."""
        exchange.finish(line, status)
        self._forget(exchange)

    def _forget(self, exchange: Exchange) -> None:
        if exchange.letting_go is not None:
            exchange.letting_go.cancel()
        for request_id in exchange.ids:
            self._open.pop(request_id, None)
        exchange.ids.clear()
        for token in exchange.tokens:
            if self._tokens.get(token) is exchange:
                del self._tokens[token]
        if exchange.stream is not None:
            self._streams.pop(exchange.stream.key, None)

    def part(self, request_id: RequestId) -> None:
        """Let the client go until the answer is there: it has been given an id to come back with."""
        exchange = self._open.get(request_id)
        if exchange is not None and exchange.stream is not None:
            self._let_go(exchange)

    def _let_go_later(self, exchange: Exchange, at_least: float = 0.0) -> None:
        """Let the client go after the time for which a response may wait, if that is bounded: at once where it is 0,
        however fast the answer would be.
        """
        if self.limits.poll_after is None or not exchange.primes:
            return
        if exchange.letting_go is not None:
            exchange.letting_go.cancel()
        after = max(self.limits.poll_after, at_least)
        if after > 0:
            exchange.letting_go = asyncio.get_running_loop().call_later(after, self._let_go, exchange)
        else:
            self._let_go(exchange)

    def _let_go(self, exchange: Exchange) -> None:
        """End a response before its answer is there. The stream goes on: the client knows its id, and when to return
        (2025-11-25, "Sending Messages": 6).
        """
        if exchange.primes and exchange.channel.open:
            self._begin(exchange)
            if exchange.stream is not None:
                exchange.stream.detach(exchange.channel)
                exchange.channel.end()

    # Endings

    def lost(self, channel: Channel) -> None:
        """The client has lost a response. That is no wish to cancel (2025-11-25, "Sending Messages": 6)."""
        self._standalone.detach(channel)
        for stream, _ in self._streams.values():
            stream.detach(channel)

    def end_all(self, why: str) -> None:
        """Answer whatever is open with an error, and end all streams."""
        for request_id, exchange in list(self._open.items()):
            self.send(answers.error(request_id, INTERNAL_ERROR, why))
            exchange.channel.end()
        if self._standalone.channel is not None:
            self._standalone.channel.end()

    def sweep(self, now: float) -> None:
        """A moment has passed: answers that are long in coming become streams, and streams show that they live."""
        for exchange in dict.fromkeys(self._open.values()):
            if now - exchange.opened >= self.limits.patience and exchange.channel.open:
                self._begin(exchange)
        if now - self._commented < self.limits.patience:
            return
        self._commented = now
        streams = [stream for stream, _ in self._streams.values()]
        for stream in (*streams, self._standalone):
            if stream.channel is not None:
                stream.channel.write(COMMENT)

    @property
    def busy(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._open)

    @property
    def spare(self) -> bool:
        """Whether nothing of the client's is under way: no request, no stream."""
        return not self._open and self._standalone.channel is None

    def idle(self, now: float) -> bool:
        """Whether nothing has been under way for so long that the session can end."""
        if not self.spare:
            self.active = now
            return False
        return now - self.active > self.limits.session_idle

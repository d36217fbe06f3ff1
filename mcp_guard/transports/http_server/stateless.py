"""A caller of the stateless revision (2026-07-28): many POSTs, one guarded connection behind them.

The revision knows no sessions, but a gate, an upstream process and the log need to know what belongs together: all
requests of one credential, from one address, under one `clientInfo`, are one connection until none has come for a
while. Each request gets an id and a progress token of the guard's own, so what a client chooses meets nobody else's
choice. Its answer and notices go to its own response stream and nowhere else; a client that closes it has cancelled.
"""

import asyncio

import msgspec

from mcp_guard.gate import answers
from mcp_guard.gate.bridge.eras import MODERN_ERRORS
from mcp_guard.gate.connection import CAPABILITIES_META, CLIENT_META, PROTOCOL_META
from mcp_guard.gate.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RequestId,
)
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Json
from mcp_guard.transports.http_server import rewriting, spoken
from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.client_end import TOO_MUCH, HttpClient
from mcp_guard.transports.http_server.events import COMMENT
from mcp_guard.transports.http_server.exchange import Exchange
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.listed import ListedTools
from mcp_guard.transports.http_server.mirrored import PARAM_PREFIX, check_params
from mcp_guard.transports.http_server.requests import Caller, Headers, prefers_stream
from mcp_guard.transports.http_server.spoken import Spoken

LOG_LEVEL_META = "io.modelcontextprotocol/logLevel"

# What HTTP status an error has, where its response has not begun (2026-07-28, "Protocol Version Header", "_meta", …)
_STATUS = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    METHOD_NOT_FOUND: 404,
    **dict.fromkeys(MODERN_ERRORS, 400),
}


Params = dict[str, msgspec.Raw]  # the members of a request's params, as their texts

_LISTING_PAGES = 100  # of one list that the guard asks for itself
_LISTING_TIME = 10.0  # seconds after which calls do not wait for it any longer


class Asked(msgspec.Struct, frozen=True, eq=False):
    """A request as the client made it, and where its answer goes. `token` is its progress token, if it has one."""

    id: RequestId
    method: str
    meta: dict[str, Json]
    headers: Headers
    token: RequestId | None
    exchange: Exchange

    @property
    def logs(self) -> bool:
        """Whether it asked for log messages."""
        return LOG_LEVEL_META in self.meta

    @property
    def prefers_stream(self) -> bool:
        """Whether it would rather have a stream than plain JSON."""
        return prefers_stream(self.headers.get("accept") or "")


class StatelessCaller(HttpClient):
    """All that one caller has open. A `ClientEnd`."""

    def __init__(self, caller: Caller, limits: Limits, now: float) -> None:
        super().__init__(caller, limits, now)
        self._asked: dict[int, Asked] = {}  # by the guard's own id; the latest is the last
        self._by_channel: dict[Channel, int] = {}
        self._last_id = 0
        self._commented = now
        self._tools = ListedTools()
        self._listing: int | None = None  # the id of the guard's own list request
        self._listing_meta: dict[str, Json] = {}
        self._listing_pages = 0
        self._unlisted: list[tuple[bytes, Params, Asked]] = []  # calls that wait for that list
        self._listing_since = 0.0

    # What the client asks

    def ask(self, line: bytes, params: Params, asked: Asked, now: float) -> None:
        """A request of the client's, whose standard header fields have been found to say what it says."""
        self.active = now
        channel = asked.exchange.channel
        if len(self._asked) + len(self._unlisted) >= self.limits.open_requests or self.congested(len(line)):
            channel.answer(TOO_MUCH)
            return
        channel.owner = self
        if asked.method != "tools/call" or not _mirrors(params, asked.headers):
            self._forward(line, asked)
        elif self._tools.complete:
            self._check(line, params, asked)
        else:
            self._unlisted.append((line, params, asked))
            if self._listing is None:
                self._listing_pages, self._listing_since = 0, now
                self._list(asked.meta, None)

    def _forward(self, line: bytes, asked: Asked) -> None:
        own = self._new_id()
        asked.exchange.ids.add(own)
        self._asked[own] = asked
        self._by_channel[asked.exchange.channel] = own
        self.say(rewriting.request_under(line, own, progress=asked.token is not None), asked.exchange)

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    # Arguments that header fields repeat

    def _check(self, line: bytes, params: Params, asked: Asked) -> None:
        """Let a call go on if its fields say what its arguments do."""
        name = spoken.plain(params.get("name"))
        mirrored = self._tools.params(name)
        arguments = spoken.plain(params.get("arguments")) if mirrored else None
        mismatch = check_params(asked.headers, mirrored, arguments) if mirrored else None
        if mismatch is None:
            self._forward(line, asked)
        else:
            asked.exchange.finish(answers.error(asked.id, mismatch.code, mismatch.message), 400)

    def _list(self, meta: dict[str, Json], cursor: str | None) -> None:
        """Ask for the tools as the client would, and with its own envelope."""
        self._listing = own = self._new_id()
        self._listing_meta = {key: meta[key] for key in (PROTOCOL_META, CLIENT_META, CAPABILITIES_META) if key in meta}
        self._listing_pages += 1
        params: dict[str, Json] = {"_meta": self._listing_meta}
        if cursor is not None:
            params["cursor"] = cursor
        self.say(encode({"jsonrpc": "2.0", "id": own, "method": "tools/list", "params": params}))

    def _listed(self, line: bytes) -> None:
        """A page of that list: go on to the next, or to the calls that waited."""
        cursor = self._tools.learn(line)
        self._listing = None
        if cursor is not None and self._listing_pages < _LISTING_PAGES:
            asyncio.get_running_loop().call_soon(self._list, self._listing_meta, cursor)
        else:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        waiting, self._unlisted = self._unlisted, []
        for line, params, asked in waiting:
            if asked.exchange.channel.open:
                self._check(line, params, asked)

    # What upstreams say

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """Send a line to the client, on the response stream of the request that it belongs to."""
        message = spoken.read(line) or Spoken()
        match message.kind:
            case "response":
                self._answer(line, message)
            case "notification":
                self._notify(line, message, related)
            case "request":  # forbidden in this revision: the client must never see it
                reply = answers.error(message.request_id, METHOD_NOT_FOUND, "a server must not send requests")
                asyncio.get_running_loop().call_soon(self.say, reply)
            case "malformed":
                if self._current is not None and message.method is spoken.ABSENT:
                    self._refuse_current(line, message)

    def _answer(self, line: bytes, message: Spoken) -> None:
        own = message.request_id
        if own == self._listing:
            self._listed(line)
        asked = self._asked.get(own) if isinstance(own, int) else None
        if asked is None or not isinstance(own, int):
            return
        if asked.method == "tools/list":
            self._tools.learn(line)
        restore = rewriting.listen_response_to if asked.method == "subscriptions/listen" else rewriting.response_to
        code = spoken.error_code(message)
        self._close(own, restore(line, asked.id), _STATUS.get(code, 200) if code is not None else 200)

    def _refuse_current(self, line: bytes, message: Spoken) -> None:
        """The request at hand was refused under no id, as it could not be read: it is answered all the same."""
        assert self._current is not None
        for own in list(self._current.ids):
            if isinstance(own, int) and own in self._asked:
                self._close(own, rewriting.response_to(line, self._asked[own].id), 400)

    def _notify(self, line: bytes, message: Spoken, related: RequestId | None) -> None:
        params = spoken.read_params(message.params)
        if message.method == "notifications/cancelled":
            self._torn_down(params.request_id)
        elif message.method == "notifications/progress":
            own = params.progress_token
            if isinstance(own, int) and own in self._asked:
                self._send_into(own, rewriting.progress_for(line, self._asked[own].token))
        elif isinstance(own := params.meta.subscription, int):
            if message.method == "notifications/tools/list_changed":
                self._tools.complete = False
            if own in self._asked:
                self._send_into(own, rewriting.notice_for(line, self._asked[own].id))
        elif isinstance(related, int) and related in self._asked:
            self._send_into(related, line)
        elif message.method == "notifications/message":
            latest = next((own for own, asked in reversed(self._asked.items()) if asked.logs), None)
            if latest is not None:
                self._send_into(latest, line)

    def _torn_down(self, own: object) -> None:
        """The upstream ended a subscription; over HTTP, that is the end of the stream."""
        if isinstance(own, int) and own in self._asked:
            asked = self._asked[own]
            self._forget(own)
            asked.exchange.abandon()
            asyncio.get_running_loop().call_soon(self._cancel, own)

    def _send_into(self, own: int, line: bytes) -> None:
        exchange = self._asked[own].exchange
        if not exchange.streaming:
            exchange.begin()
        exchange.send(line)

    def _close(self, own: int, line: bytes, status: int) -> None:
        """The answer to a request, with which its response ends."""
        asked = self._asked[own]
        self._forget(own)
        exchange = asked.exchange
        if status == 200 and asked.prefers_stream and not exchange.streaming:
            exchange.begin()
        exchange.finish(line, status)

    def _forget(self, own: int) -> None:
        asked = self._asked.pop(own)
        self._by_channel.pop(asked.exchange.channel, None)
        asked.exchange.ids.discard(own)

    # Endings

    def lost(self, channel: Channel) -> None:
        """The client has closed a response stream: that is how it cancels (2026-07-28, "Cancellation")."""
        own = self._by_channel.get(channel)
        if own is not None:
            self._forget(own)
            self._cancel(own)

    def _cancel(self, own: int) -> None:
        self.say(encode({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": own}}))

    def end_subscriptions(self) -> None:
        """The server ends: tell so to whoever listens (2026-07-28, "Graceful Closure")."""
        for own, asked in list(self._asked.items()):
            if asked.method == "subscriptions/listen":
                meta = {rewriting.SUBSCRIPTION_META: asked.id}
                result = {"resultType": "complete", "_meta": meta}
                self._close(own, encode({"jsonrpc": "2.0", "id": asked.id, "result": result}), 200)
                self._cancel(own)

    def end_all(self, why: str) -> None:
        """Answer whatever is open with an error, and end all streams."""
        for own, asked in list(self._asked.items()):
            self._close(own, answers.error(asked.id, INTERNAL_ERROR, why), 502)
        for _, _, asked in self._unlisted:
            asked.exchange.finish(answers.error(asked.id, INTERNAL_ERROR, why), 502)
        self._unlisted.clear()

    def sweep(self, now: float) -> None:
        """A moment has passed: answers that are long in coming become streams, and streams show that they live."""
        if self._unlisted and now - self._listing_since > _LISTING_TIME:
            self._listing = None
            self._go_on()
        comment = now - self._commented >= self.limits.patience
        for asked in self._asked.values():
            exchange = asked.exchange
            if now - exchange.opened >= self.limits.patience and not exchange.streaming:
                exchange.begin()
            if comment and exchange.streaming:
                exchange.channel.write(COMMENT)
        self._commented = now if comment else self._commented

    @property
    def kept(self) -> int:
        """Bytes of messages that cannot be taken yet."""
        return super().kept + sum(len(line) for line, _, _ in self._unlisted)

    @property
    def busy(self) -> bool:
        """Whether a request waits for its answer, other than subscriptions."""
        return bool(self._unlisted) or any(asked.method != "subscriptions/listen" for asked in self._asked.values())

    @property
    def spare(self) -> bool:
        """Whether nothing of the client's is under way."""
        return not self._asked and not self._unlisted

    def idle(self, now: float) -> bool:
        """Whether nothing has been under way for so long that the connection can end."""
        if not self.spare:
            self.active = now
            return False
        return now - self.active > self.limits.caller_idle


def _mirrors(params: Params, headers: Headers) -> bool:
    """Whether a call has anything that a field may have to repeat, or a field that claims to."""
    return "arguments" in params or any(name.startswith(PARAM_PREFIX) for name in headers)

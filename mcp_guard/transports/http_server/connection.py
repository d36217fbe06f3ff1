"""HTTP/1.1 on one TCP connection: bytes to requests, answers to bytes. What is asked and answered is no matter of this.

The parser is llhttp, in its strict mode: what two readers could take for two different requests is no request. A
request is refused by its head, before its body is read, and every wait for a client has an end. One request at a time:
a client that sends the next before it has the answer (pipelining) gets that answer and then a new connection.

Invariant: nothing that a client sends or does not send holds more than `Limits` says, for longer than it says.
"""

import asyncio
from typing import NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.requests import (
    EVENT_STREAM,
    Answer,
    Caller,
    Fields,
    Head,
    Headers,
    refusal,
    response_head,
)
from mcp_guard.transports.http_server.server import Server

_STREAM_FIELDS = (
    ("content-type", EVENT_STREAM),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),  # to proxies such as nginx: pass events on at once
)
_WRITE_HIGH = 256 * 1024  # unsent bytes from which on a client counts as slow
_NEVER = float("inf")
_PIECES = 4_096  # of a body that are kept apart: each takes many times its bytes, where they are small
_FIELD = 4  # bytes of a header field beside its name and value
_CONTENT_LENGTH = b"content-length"


class _Known(NamedTuple):
    """What was found of the head of the last request: what it said, and what that means."""

    said: tuple[bytes, bytes, list[tuple[bytes, bytes]]]
    head: Head
    fields: Fields
    caller: Caller


class HttpConnection(asyncio.Protocol):
    """One client's TCP connection. `deadline` is the loop's time at which it has taken too long."""

    def __init__(self, server: Server) -> None:
        self._server, self._limits = server, server.limits
        self._loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self.deadline = self._loop.time() + self._limits.head_time
        self.slow = False
        self._stalled_at: tuple[int, float] | None = None  # unsent bytes, and since when no fewer
        self._peer = ""
        self._channel: Channel | None = None  # the response that is under way
        self._fell_behind: Channel | None = None  # the response that is not taken fast enough, under way or ended
        self._refused = False  # nothing more is read: the connection ends after what it was sent
        self._closing = False  # the connection ends after the response under way
        self._chunked = True
        self._known: _Known | None = None
        self._received = 0  # bytes of the request so far
        self._settled = 0  # of them, those up to the last that the head or a piece of the body came with
        self._begin()

    def _begin(self) -> None:
        """Ready for the next request."""
        self._url = b""
        self._lines: list[tuple[bytes, bytes]] = []  # header fields, but Content-Length
        self._declared: bytes | None = None  # Content-Length
        self._head: Head | None = None
        self._fields: Fields = ()
        self._caller: Caller | None = None
        self._body: list[bytes] = []
        self._joined = 0  # of its pieces, those that were put together of many small ones
        self.size = 0  # bytes of its body so far
        self._settled = 0
        self._reading = False  # in the middle of a request

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        address = self._transport.get_extra_info("peername")
        self._peer = str(cast(tuple[object, ...], address)[0]) if isinstance(address, tuple) else "local"
        if not self._server.connected(self):
            self._refuse(refusal(503, "too many connections", (("retry-after", "1"),)))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was let go."""
        self._drop_body()
        self._server.disconnected(self)
        self._transport = None
        self._caught_up()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.lost()

    def data_received(self, data: bytes) -> None:
        """Bytes came from the client."""
        if self._refused or self._transport is None:
            return
        self._received = len(data) + (self._received if self._reading else 0)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._refuse(refusal(400, "upgrades are not supported"))
        except HttpParserError:
            self._refuse(refusal(400, "not a valid HTTP/1.1 request"))
        self._check_pace(len(data))

    def eof_received(self) -> None:
        """The client has closed its side: it does not wait for an answer any more."""

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        self.slow = True
        self._stalled_at = (self.unsent, self._loop.time())
        if self._channel is not None:
            self._fell_behind = self._channel
            self._channel.slow(True)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.slow, self._stalled_at = False, None
        if self._transport is not None:
            self._transport.resume_reading()
        self._caught_up()

    def _caught_up(self) -> None:
        channel, self._fell_behind = self._fell_behind, None
        if channel is not None:
            channel.slow(False)

    # What the parser tells

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._channel is not None:
            self._closing = True  # pipelined: see the module's docstring
            self._refused = True
            return
        self._begin()
        self._reading = True
        self.deadline = self._loop.time() + self._limits.head_time

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        if not self._refused:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field, or a trailer, of which none is expected."""
        if self._refused or self._head is not None:
            return
        if len(name) == len(_CONTENT_LENGTH) and name.lower() == _CONTENT_LENGTH:
            self._declared = value
            return
        self._lines.append((name, value))
        if len(self._lines) > self._limits.fields:
            self._refuse(refusal(431, f"more than {self._limits.fields} header fields"))

    def on_headers_complete(self) -> None:
        """The head is here: refuse the request, or go on with its body."""
        if self._refused:
            return
        self._settled = self._received
        if self._parser.should_upgrade():
            self._refuse(refusal(400, "upgrades are not supported"))
            return
        self._recognize()
        if self._caller is None:
            return
        if self._declared is not None and int(self._declared) > self._limits.body:
            self._refuse(self._too_large())
        elif self._head is not None and (self._head.headers.get("expect") or "").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _recognize(self) -> None:
        """Find out who asks for what, or refuse it. A client that keeps its connection mostly says the same again."""
        method, known = self._parser.get_method(), self._known
        said_again = known is not None and (method, self._url, self._lines) == known.said
        if known is not None and said_again and self._server.door.still_hears(known.caller):
            self._head, self._fields, self._caller = known.head, known.fields, known.caller
            return
        if len(self._url) + sum(len(name) + len(value) + _FIELD for name, value in self._lines) > self._limits.head:
            self._refuse(self._too_long())
            return
        headers = Headers()
        for name, value in self._lines:
            headers.add(name, value)
        path, _, query = self._url.decode("latin-1").partition("?")
        self._head = Head(method.decode("latin-1"), path, query, headers, self._peer)
        self._fields = self._server.door.fields(self._head)
        verdict = self._server.door.admit(self._head)
        if isinstance(verdict, Answer):
            self._refuse(verdict)
        else:
            self._caller = verdict
            self._known = _Known((method, self._url, self._lines), self._head, self._fields, verdict)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._refused:
            return
        self._settled = self._received
        self.size += len(body)
        self._server.receiving += len(body)
        self._body.append(body)
        if len(self._body) - self._joined >= _PIECES:
            self._body[self._joined :] = [b"".join(self._body[self._joined :])]
            self._joined += 1
        if self.size > self._limits.body:
            self._refuse(self._too_large())
        elif self._server.receiving > self._limits.bodies:
            self._server.relieve()

    def on_message_complete(self) -> None:
        """The request is here as a whole."""
        if self._refused or self._head is None or self._caller is None:
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        head, caller = self._head, self._caller
        self._drop_body()
        self._reading = False
        self.deadline = _NEVER
        self._closing = not self._parser.should_keep_alive()
        self._chunked = self._parser.get_http_version() == "1.1"
        self._channel = channel = Channel(self)
        self._server.handle(head, caller, body, channel)

    def _too_long(self) -> Answer:
        return refusal(431, f"the head of the request, or what follows its body, is over {self._limits.head} bytes")

    def _too_large(self) -> Answer:
        return refusal(413, f"the message is larger than the limit of {self._limits.body} bytes")

    def _drop_body(self) -> None:
        self._server.receiving -= self.size
        self.size = self._joined = 0
        self._body = []

    def _check_pace(self, came: int) -> None:
        """Where a request goes on arriving: is too much of it no body, and how much time is left for the rest?

        What has come quickly gains time, but never more than a client may stand still for.
        """
        if self._refused or not self._reading:
            return
        if self._received - self._settled > self._limits.head:
            self._refuse(self._too_long())
        elif self._head is not None:
            latest = self._loop.time() + self._limits.stall
            self.deadline = min(self.deadline + came / self._limits.body_rate, latest)

    def give_way(self) -> None:
        """For the server: what is being received here is too much for now."""
        self._refuse(refusal(503, "too much is being received", (("retry-after", "1"),)))

    def _refuse(self, answer: Answer) -> None:
        """Answer before the request is here as a whole; nothing more of it is read, and the connection ends.

        What follows a request that has not been answered yet gets no answer: none may stand in that one's.
        """
        if self._refused:
            return
        self._refused = self._closing = True
        self._drop_body()
        if self._channel is None:
            self._send_whole(answer)
            self._hang_up()

    # Responses

    @property
    def unsent(self) -> int:
        """Bytes that wait for the client to take them."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def send_answer(self, answer: Answer) -> None:
        """For the channel: the whole response."""
        self._send_whole(answer)
        self._ended()

    def begin_stream(self, fields: Fields) -> None:
        """For the channel: the head of a stream."""
        if self._chunked:
            framing: Fields = (("transfer-encoding", "chunked"),)
        else:
            framing, self._closing = (("connection", "close"),), True
        self._write(response_head(200, (*_STREAM_FIELDS, *framing, *fields, *self._fields), self._server.date))

    def send_piece(self, data: bytes) -> None:
        """For the channel: a piece of the stream."""
        self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end_stream(self) -> None:
        """For the channel: the stream has ended."""
        if self._chunked:
            self._write(b"0\r\n\r\n")
        self._ended()

    def _send_whole(self, answer: Answer) -> None:
        framing = [("content-length", str(len(answer.body)))]
        if answer.body:
            framing.append(("content-type", answer.content_type))
        if self._closing:
            framing.append(("connection", "close"))
        head = response_head(answer.status, (*framing, *answer.fields, *self._fields), self._server.date)
        without_body = self._head is not None and self._head.method == "HEAD"
        self._write(head if without_body else head + answer.body)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _ended(self) -> None:
        """The response under way has ended: wait for the next request, or close."""
        self._channel = None
        if self._closing:
            self._hang_up()
        else:
            self.deadline = self._loop.time() + self._limits.keep_alive
            if self.slow and self._transport is not None:
                self._transport.pause_reading()  # it asks for more when it has read what it asked for

    def _hang_up(self) -> None:
        """Let the client read what it was sent; it is cut off when it has closed its side, or after a moment."""
        self._refused = True
        self.deadline = self._loop.time() + self._limits.linger
        if self._transport is not None:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    # Time

    def sweep(self, now: float) -> None:
        """About a second has passed: give up a client that takes too long to ask or to read."""
        if self._transport is None:
            return
        if self._stalled_at is not None:
            unsent, since = self._stalled_at
            if self.unsent < unsent:
                self._stalled_at = (self.unsent, now)
            elif now - since > self._limits.stall:
                self._transport.abort()
        elif now > self.deadline:
            if self._reading and not self._refused:
                self._refuse(refusal(408, "the request took too long to arrive"))
            elif self._transport.is_closing():  # it does not take what it is still owed
                self._transport.abort()
            else:
                self._transport.close()
                self.deadline = now + self._limits.linger

    @property
    def answers(self) -> str | None:
        """The credential of whoever waits for an answer here."""
        return self._caller.credential if self._channel is not None and self._caller is not None else None

    @property
    def idle(self) -> bool:
        """Whether the client has asked for nothing, or has been answered."""
        return self._channel is None and not self._reading

    def finish(self) -> None:
        """The server ends: close now if no response is under way, else after it."""
        self._closing = True
        if self._channel is None and self._transport is not None and not self._refused:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection off."""
        if self._transport is not None:
            self._transport.abort()

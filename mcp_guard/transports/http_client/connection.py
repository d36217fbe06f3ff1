"""One connection and the one exchange that it carries at a time.

Backpressure both ways: a large body is written as the server takes it, and a response that nobody reads is not read
from the network. What comes while nothing was asked for ends the connection. Only a connection whose request was sent
and whose response has come, each as a whole, carries another.
"""

import asyncio
import re
import select
import socket
from contextlib import suppress
from typing import Protocol, cast

from mcp_guard.transports.http_client.incoming import Incoming

KEEP_ALIVE = 30.0  # seconds that an unused connection is kept
READ_AT_ONCE = 64 * 1024  # bytes that are taken from the network in one piece
AT_ONCE = 256 * 1024  # bytes that are handed to the network in one piece
_MOST_UNREAD = 256 * 1024  # bytes of a response that wait for a reader before no more is read
_MOST_LEFT = 64 * 1024  # bytes of a response nobody wants that are read for the sake of the connection
_LONGEST_LEFT = 1.0  # and seconds
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}  # seconds, seconds, times
_KEPT_FOR = re.compile(r"(?:.*[ ,;])?timeout=(\d{1,6})(?:[ ,;].*)?", re.I)


class Owner(Protocol):
    """Who a connection belongs to.

    The `buffer` is for all its connections: the loop fills and empties it in one step. Without it, each read would have
    memory mapped and unmapped for as much as could come.
    """

    buffer: memoryview

    def free(self, connection: "Connection") -> None:
        """It can carry another exchange."""
        ...

    def lost(self, connection: "Connection") -> None:
        """It is gone."""
        ...


class Connection(asyncio.BufferedProtocol):
    """A connection that stands once it is given a transport. `kept_until` is the loop's time until which it may be used
    again.
    """

    def __init__(self, owner: Owner) -> None:
        self.kept_until = 0.0
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._incoming: Incoming | None = None  # the response under way
        self._waiter: asyncio.Future[None] | None = None  # who waits for more of it
        self._unsent = memoryview(b"")  # of the request's body
        self._slow = False  # the server takes no more for now
        self._paused = False  # nothing is read for now
        self._left: Incoming | None = None  # a response that nobody wants any more
        self._left_until: asyncio.TimerHandle | None = None
        self._poll: select.poll | None = None

    # One exchange

    async def ask(self, head: bytes, body: bytes = b"") -> Incoming:
        """Send a request; gives its response as soon as its head is here. Raises HttpError."""
        incoming = self._incoming = Incoming()
        self._send(head, body)
        while not incoming.status:
            if incoming.failure is not None:
                self.abort()
                raise incoming.failure
            await self.more(incoming)
        return incoming

    async def more(self, incoming: Incoming) -> None:
        """Wait until more of a response has come, or it is over. Who is cancelled here wants nothing more of it."""
        if incoming.over or self._incoming is not incoming:
            return
        self._read_on()
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter  # when this goes on, another exchange may be under way here
        except asyncio.CancelledError:
            self.drop(incoming)
            raise

    def leave(self, incoming: Incoming) -> None:
        """Nobody wants the rest of a response. If it is short and comes soon, the connection is kept."""
        incoming.take()
        if self._incoming is not incoming or incoming.over:
            return
        self._left = incoming
        self._left_until = self._loop.call_later(_LONGEST_LEFT, self.abort)
        self._read_on()

    def drop(self, incoming: Incoming) -> None:
        """End the connection if this response is still under way."""
        if self._incoming is incoming:
            self.abort()

    # The transport

    @property
    def stands(self) -> bool:
        """Whether it is there."""
        return self._transport is not None

    @property
    def usable(self) -> bool:
        """Whether it can be asked now: it stands, and the server has neither closed it nor said anything unasked."""
        transport, poll = self._transport, self._poll
        if transport is None or transport.is_closing() or self._loop.time() >= self.kept_until:
            return False
        if poll is None:
            poll = self._poll = select.poll()
            poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def abort(self) -> None:
        """Cut it off."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, head: bytes, body: bytes) -> None:
        transport = self._transport
        assert transport is not None
        if len(body) <= AT_ONCE:
            transport.write(head + body)
        else:
            self._unsent = memoryview(body)
            transport.write(head)
            self._send_on()

    def _send_on(self) -> None:
        while self._unsent and not self._slow and self._transport is not None and not self._transport.is_closing():
            piece, self._unsent = self._unsent[:AT_ONCE], self._unsent[AT_ONCE:]
            self._transport.write(piece)

    def _read_on(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=AT_ONCE)
        _notice_silence(self._transport.get_extra_info("socket"))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where bytes from the server are put."""
        return self._owner.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came from the server."""
        incoming = self._incoming
        if incoming is None:
            self.abort()  # nobody had asked
            return
        incoming.feed(self._owner.buffer[:nbytes])
        if self._left is incoming and incoming.size > _MOST_LEFT:
            self.abort()
        elif incoming.size > _MOST_UNREAD and not incoming.over and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if incoming.over:
            self._ended(incoming)
        self._tell()

    def eof_received(self) -> None:
        """The server has closed its side; so does the guard."""
        self.kept_until = 0.0
        if self._incoming is not None:
            self._incoming.end()
            self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        transport, incoming = self._transport, self._incoming
        self._transport, self._unsent = None, memoryview(b"")
        self._let_go()
        if incoming is not None:
            if exc is not None and transport is not None:
                _last_words(transport, incoming)
            incoming.lost()
            self._tell()
        self._owner.lost(self)

    def pause_writing(self) -> None:
        """The server takes more slowly than it is sent to."""
        self._slow = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._slow = False
        self._send_on()

    def _tell(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _ended(self, incoming: Incoming) -> None:
        """The response has come, or never will."""
        whole = incoming.complete and incoming.keeps and not self._unsent
        self._let_go()
        transport = self._transport
        if not whole or transport is None or transport.is_closing() or transport.get_write_buffer_size():
            self.abort()
            return
        self.kept_until = self._loop.time() + _kept_for(incoming.get("keep-alive"))
        self._owner.free(self)

    def _let_go(self) -> None:
        """No response is under way any more."""
        self._incoming = self._left = None
        if self._left_until is not None:
            self._left_until.cancel()
            self._left_until = None


def _kept_for(said: str | None) -> float:
    """Seconds for which a connection is kept: a little less than the server says that it keeps it."""
    found = _KEPT_FOR.fullmatch(said) if said is not None else None
    return KEEP_ALIVE if found is None else min(KEEP_ALIVE, int(found[1]) - 1.0)


def _last_words(transport: asyncio.Transport, incoming: Incoming) -> None:
    """Take in what still lies in the socket of a connection that could not be written to: a server may refuse a large
    body and close before it has taken it. (Under TLS, what is left cannot be read any more.)
    """
    if transport.get_extra_info("sslcontext") is not None:
        return
    with suppress(OSError), transport.get_extra_info("socket").dup() as left:
        while not incoming.over and incoming.size <= _MOST_UNREAD and (data := left.recv(READ_AT_ONCE)):
            incoming.feed(data)


def _notice_silence(sock: socket.socket) -> None:
    """Have the system notice when the other side is gone without a word: a stream may be silent for hours."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

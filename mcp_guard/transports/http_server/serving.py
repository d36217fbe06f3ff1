"""Listening: from an address to a running server, and from a signal to its orderly end."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import ssl as tls
import sys
from collections.abc import Callable

import msgspec

from mcp_guard.errors import GuardError
from mcp_guard.transports.http_server import handshakes
from mcp_guard.transports.http_server.connection import HttpConnection
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.service import Service

if sys.platform != "win32":
    import resource

_SWEEP = 1.0  # seconds
_LAST_CHANCE = 5.0  # seconds for what is ended at once to have ended
_BACKLOG = 256


async def serve(
    service: Service,
    host: str,
    port: int,
    *,
    ready: Callable[[str, int], None],
    grace: float = 10.0,
    ssl: tls.SSLContext | None = None,
) -> int:
    """Serve until a signal asks to end; gives that signal. `ready` is told the address when connections are taken.

    A second signal ends at once what the first has left to end in order; the ends are recorded all the same. Raises
    GuardError where the address cannot be listened at.
    """
    loop = asyncio.get_running_loop()
    service.limits = _within_descriptors(service.limits, _OWN if ssl is None else _OWN + handshakes.MOST)
    told = _Told(loop)
    try:
        address, close = await _listen(service, host, port, ssl)
    except OSError as error:
        hint = _NOT_HERE if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL else _TAKEN
        raise GuardError(f"cannot listen at {host} port {port}: {_why(error)}", hint) from error
    sweeping = loop.create_task(_sweep(service))
    try:
        ready(*address)
        number = await told.first
        close()
        stopping = loop.create_task(service.stop(grace))
        await asyncio.wait((stopping, told.second), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            service.hurry()
            await asyncio.wait((stopping,), timeout=_LAST_CHANCE)
        stopping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stopping
        return number
    finally:
        close()
        sweeping.cancel()
        told.close()


async def _listen(
    service: Service, host: str, port: int, ssl: tls.SSLContext | None
) -> tuple[tuple[str, int], Callable[[], None]]:
    """Take connections at an address. Gives that address, and what ends it. Raises OSError."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: HttpConnection(service), host, port, backlog=_BACKLOG, start_serving=ssl is None
    )
    address, close = server.sockets[0].getsockname(), server.close
    if ssl is not None:
        sockets = [bound.dup() for bound in server.sockets]
        server.close()
        for bound in sockets:
            bound.listen(_BACKLOG)
        close = handshakes.Handshakes(service, ssl, sockets).close
    return (address[0], address[1]), close


def _why(error: OSError) -> str:
    """The system's own words: the event loop puts the address, which is told already, among them."""
    number = error.errno or 0  # a host that is not known has one of its own, below zero
    return os.strerror(number) if number > 0 else error.strerror or str(error)


_TAKEN = "choose another with --port, or end what listens there"
_NOT_HERE = "give a name or an address of this machine with --host"


_OWN = 64  # descriptors for everything but clients and their upstreams
_UPSTREAM = 4  # descriptors of one process
_FEWEST = 64


def _within_descriptors(limits: Limits, own: int) -> Limits:
    """The limits, with so many connections that there are descriptors left for each client's upstream."""
    if sys.platform == "win32":
        return limits
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    left = soft - own - _UPSTREAM * limits.sessions
    return msgspec.structs.replace(limits, connections=max(_FEWEST, min(limits.connections, left)))


class _Told:
    """The signals that ask the server to end, as futures."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.first: asyncio.Future[int] = loop.create_future()
        self.second: asyncio.Future[int] = loop.create_future()
        self._numbers = (signal.SIGTERM, signal.SIGINT, *((signal.SIGHUP,) if sys.platform != "win32" else ()))
        for number in self._numbers:
            loop.add_signal_handler(number, self._take, number)

    def _take(self, number: int) -> None:
        waiting = self.second if self.first.done() else self.first
        if not waiting.done():
            waiting.set_result(number)

    def close(self) -> None:
        """Put everything back as it was."""
        for number in self._numbers:
            self._loop.remove_signal_handler(number)


async def _sweep(service: Service) -> None:
    while True:
        await asyncio.sleep(_SWEEP)
        service.sweep()

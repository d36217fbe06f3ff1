"""TLS for connections that come in: each has so long for its handshake, and only so many are at it at one time.

asyncio's own server tells nobody of a connection before its handshake is done, so no limit would count those that come
and say nothing. Here the oldest of them gives way: who means to speak is done in a moment.
"""

import asyncio
import socket
import ssl as tls
from collections.abc import Iterable
from contextlib import suppress

from mcp_guard.transports.http_server.connection import HttpConnection
from mcp_guard.transports.http_server.service import Service

MOST = 64  # under way at one time
_NO_DESCRIPTORS = 1.0  # seconds until connections are taken again


class Handshakes:
    """The handshakes with a service, at these sockets, from now until `close`."""

    def __init__(
        self, service: Service, context: tls.SSLContext, sockets: Iterable[socket.socket], most: int = MOST
    ) -> None:
        self._service, self._context, self._most = service, context, most
        self._loop = asyncio.get_running_loop()
        self._accepting = [self._loop.create_task(self._accept(listening)) for listening in sockets]
        self._under_way: dict[asyncio.Task[None], None] = {}  # the oldest is the first

    def close(self) -> None:
        """Take no more connections. What is under way has its time still."""
        for task in self._accepting:
            task.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        with listening:
            await self._take(listening)

    async def _take(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(_NO_DESCRIPTORS)
                continue
            if len(self._under_way) >= self._most:
                oldest = next(iter(self._under_way))
                oldest.cancel()
                self._ended(oldest)
            task = self._loop.create_task(self._shake(connection))
            self._under_way[task] = None
            task.add_done_callback(self._ended)
            await asyncio.sleep(0)  # it has begun, and so can be cancelled

    async def _shake(self, connection: socket.socket) -> None:
        with suppress(OSError):  # TLS errors among them: who fails may try again
            await self._loop.connect_accepted_socket(
                lambda: HttpConnection(self._service),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._service.limits.head_time,
            )

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)

"""Requests to one origin over kept connections.

What is sent twice: nothing but a GET or DELETE that met a kept connection which the server had closed, before anything
of an answer came. A POST never is: the server may have taken it.
"""

import asyncio
import time
from collections.abc import Mapping

from mcp_guard.transports.http_client import connecting, proxies
from mcp_guard.transports.http_client.connection import KEEP_ALIVE, READ_AT_ONCE, Connection
from mcp_guard.transports.http_client.cookies import Cookies
from mcp_guard.transports.http_client.errors import BrokenOffError, ProxyError
from mcp_guard.transports.http_client.heads import Heads, Method
from mcp_guard.transports.http_client.incoming import Incoming
from mcp_guard.transports.http_client.proxies import Proxy
from mcp_guard.transports.http_client.response import Response
from mcp_guard.transports.http_client.url import Url

_REPEATABLE = ("GET", "DELETE")
_USER_AGENT = {"User-Agent": "mcp-guard"}


class HttpClient:
    """The way to `url`'s origin and to no other. `standing` fields go with every request."""

    def __init__(self, url: Url, standing: Mapping[str, str]) -> None:
        self.buffer = memoryview(bytearray(READ_AT_ONCE))
        self._url = url
        self._proxy: Proxy | None = None
        self._bad_proxy = False
        self._prefix = ""  # of a request's target
        own = {} if any(name.lower() == "user-agent" for name in standing) else _USER_AGENT
        self._heads = Heads(url.authority, {**own, **standing, **self._way()})
        self._cookies = Cookies(url.host, secure=url.scheme == "https")
        self._kept: list[Connection] = []  # the one that was used last comes last
        self._open: set[Connection] = set()
        self._emptied = asyncio.Event()
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    def _way(self) -> Mapping[str, str]:
        """Find the proxy, if there is one; gives what it is told with every request."""
        named = proxies.named_for(self._url)
        if not named:
            return {}
        try:
            self._proxy = proxies.read(named)
        except ValueError:
            self._bad_proxy = True
            return {}
        if self._url.scheme == "https":
            return {}
        self._prefix = f"http://{self._url.authority}"
        return {"Proxy-Authorization": self._proxy.authorization} if self._proxy.authorization else {}

    async def open(self, method: Method, target: str, fields: Mapping[str, str], body: bytes | None) -> Response:
        """Ask; gives the response as soon as its head is here. Raises HttpError, OSError, ValueError (a field that
        cannot be sent).
        """
        cookie = self._cookies.header(target, time.time()) if self._cookies else ""
        length = None if body is None else len(body)
        head = self._heads.head(method, self._prefix + target, fields, cookie, length)
        connection = self._take()
        kept = connection is not None
        while True:
            connection = connection or await self._connect()
            try:
                incoming = await connection.ask(head, body or b"")
                break
            except BrokenOffError as error:
                if not (kept and error.untouched and method in _REPEATABLE):
                    raise
                connection, kept = None, False
        if incoming.cookies:
            self._keep_cookies(incoming, target)
        return Response(incoming, connection, fields)

    async def close(self) -> None:
        """Cut every connection off, and make no other."""
        self._closed = True
        self._kept.clear()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in self._open:
            connection.abort()
        if self._open:
            await self._emptied.wait()

    # Connections

    def _take(self) -> Connection | None:
        """A kept connection, if there is one that can be used."""
        while self._kept:
            connection = self._kept.pop()
            if connection.usable:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        if self._closed:
            raise BrokenOffError(untouched=True)
        if self._bad_proxy:
            raise ProxyError
        connection = await connecting.connected(self._url, self._proxy, lambda: Connection(self))
        if self._closed or not connection.stands:
            connection.abort()
            raise BrokenOffError(untouched=True)
        self._open.add(connection)
        return connection

    def free(self, connection: Connection) -> None:
        """For the connection: it can carry another exchange."""
        self._kept.append(connection)
        if self._sweeping is None:
            self._sweep_later()

    def lost(self, connection: Connection) -> None:
        """For the connection: it is gone."""
        self._open.discard(connection)
        if connection in self._kept:
            self._kept.remove(connection)
        if self._closed and not self._open:
            self._emptied.set()

    def _sweep_later(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(KEEP_ALIVE, self._sweep)

    def _sweep(self) -> None:
        """Close what has not been used for so long."""
        self._sweeping = None
        for connection in [one for one in self._kept if not one.usable]:
            self._kept.remove(connection)
            connection.abort()
        if self._kept:
            self._sweep_later()

    def _keep_cookies(self, incoming: Incoming, target: str) -> None:
        for line in incoming.cookies:
            self._cookies.take(line, target, time.time())

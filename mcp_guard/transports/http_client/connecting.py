"""How a connection comes to stand: names looked up, addresses tried side by side, a proxy asked for a way, TLS.

The certificate is always that of the URL's host, also behind a proxy, which sees nothing but where to.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

from mcp_guard.transports.http_client.connection import Connection
from mcp_guard.transports.http_client.errors import ProxyError
from mcp_guard.transports.http_client.heads import lines
from mcp_guard.transports.http_client.incoming import Incoming
from mcp_guard.transports.http_client.proxies import Proxy
from mcp_guard.transports.http_client.url import Url

CONNECT = 20.0  # seconds for a connection to stand
_NEXT_ADDRESS = 0.25  # seconds after which the next address is tried beside the one before it (RFC 8305)
_ERRNO = re.compile(r"\[Errno (\d+)\]")

_P = TypeVar("_P", bound=asyncio.BaseProtocol)


async def connected(url: Url, proxy: Proxy | None, make: Callable[[], Connection]) -> Connection:
    """A connection to the URL's origin. Raises HttpError, OSError (an SSLError, a gaierror, a TimeoutError)."""
    async with asyncio.timeout(CONNECT):
        if proxy is None:
            return await _stand(url, make)
        if url.scheme == "http":
            return await _to_proxy(proxy, make)
        opening = await _to_proxy(proxy, _Opening)
        return await _tunnel(await opening.through(url, proxy), url, make())


async def _stand(url: Url, make: Callable[[], _P]) -> _P:
    """A connection to a host, with TLS where it is https."""
    tls = verified() if url.scheme == "https" else None
    name = _certified(url) if tls is not None else None
    loop = asyncio.get_running_loop()
    try:
        _, protocol = await loop.create_connection(
            make, url.host, url.port, ssl=tls, server_hostname=name, happy_eyeballs_delay=_NEXT_ADDRESS
        )
    except OSError as error:
        raise _one(error) from None
    return protocol


async def _to_proxy(proxy: Proxy, make: Callable[[], _P]) -> _P:
    try:
        return await _stand(proxy.url, make)
    except OSError as error:
        raise ProxyError from error


async def _tunnel(way: asyncio.Transport, url: Url, connection: Connection) -> Connection:
    """TLS with the server itself, over the way that a proxy has opened."""
    loop = asyncio.get_running_loop()
    try:
        made = await loop.start_tls(way, connection, verified(), server_hostname=_certified(url))
    except BaseException:
        way.abort()
        raise
    if made is None:
        raise ConnectionResetError
    connection.connection_made(made)
    return connection


class _Opening(asyncio.Protocol):
    """The one request to a proxy that makes it a way to somebody else (RFC 9110, 9.3.6)."""

    def __init__(self) -> None:
        self._incoming = Incoming()
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    async def through(self, url: Url, proxy: Proxy) -> asyncio.Transport:
        """The way to a URL's host and port. Raises ProxyError."""
        transport, target = self._transport, f"{url.bracketed}:{url.port}"
        assert transport is not None
        secret = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        try:
            transport.write(
                f"CONNECT {target} HTTP/1.1\r\n".encode("ascii") + lines({"Host": target, **secret}) + b"\r\n"
            )
            await self._answered
            incoming = self._incoming
            if not 200 <= incoming.status < 300 or incoming.pieces:  # the server cannot have said anything yet
                raise ProxyError(incoming.status)
        except BaseException:
            transport.abort()
            raise
        return transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._incoming.feed(data)
        if self._incoming.status or self._incoming.failure:
            self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell()

    def _tell(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)


@cache
def verified() -> ssl.SSLContext:
    """What every server has to prove. The authorities are the system's, or those that SSL_CERT_FILE names."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _certified(url: Url) -> str:
    """The name that a certificate has to be for."""
    return url.host.rstrip(".")


def _one(error: OSError) -> OSError:
    """The error of a host none of whose addresses could be reached: the one of them all, where it is the same."""
    numbers = set(_ERRNO.findall(str(error))) if error.errno is None else set[str]()
    return OSError(int(numbers.pop()), "") if len(numbers) == 1 else error

"""A server on loopback that says exactly the bytes that a test wants, and a client of it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mcp_guard.transports.http_client.client import HttpClient
from mcp_guard.transports.http_client.response import Response
from mcp_guard.transports.http_client.url import Url, parse

OK = b"HTTP/1.1 200 OK\r\n"


def answer(body: bytes = b"", *fields: bytes) -> bytes:
    """A whole response of status 200."""
    return OK + b"".join(line + b"\r\n" for line in fields) + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


@dataclass
class Peer:
    """One connection as the server has it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """One request as it came, with its body. Raises IncompleteReadError where the client has closed."""
        head = await self.head()
        length = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
        return head + (await self.reader.readexactly(int(length[0][16:])) if length else b"")

    async def say(self, *pieces: bytes) -> None:
        """Each of them in a packet of its own, as far as that can be had."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def gone(self) -> bool:
        """Wait until the client has closed the connection, whatever it still says."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            pass
        return True

    def drop(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Raw:
    """The server. `peers`: the connections that have come, in order."""

    url: Url
    peers: list[Peer] = field(default_factory=list)
    met: "asyncio.Queue[Peer]" = field(default_factory=asyncio.Queue)


@asynccontextmanager
async def serving(script: Script | None = None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    """A server that does as `script` says with each connection, or leaves it to the test."""
    over = asyncio.Event()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        raw.peers.append(peer)
        raw.met.put_nowait(peer)
        try:
            if script is not None:
                await script(peer)
            else:
                await over.wait()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0, limit=1 << 26, ssl=tls)
    raw = Raw(parse(f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"))
    try:
        yield raw
    finally:
        over.set()
        server.close()


@asynccontextmanager
async def client_of(url: Url, **standing: str) -> AsyncIterator[HttpClient]:
    client = HttpClient(url, standing)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def between(script: Script | None = None) -> AsyncIterator[tuple[Raw, HttpClient]]:
    """A server and its client."""
    async with serving(script) as raw, client_of(raw.url) as client:
        yield raw, client


async def post(client: HttpClient, body: bytes = b"{}") -> Response:
    return await client.open("POST", "/mcp", {}, body)


async def get(client: HttpClient) -> Response:
    return await client.open("GET", "/mcp", {}, None)


async def whole(response: Response) -> bytes:
    """The body to its end."""
    chunks: list[bytes] = []
    while chunk := await response.some():
        chunks.append(chunk)
    return b"".join(chunks)


def nobody_there() -> int:
    """A port of loopback at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]

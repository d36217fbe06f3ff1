"""Connections with TLS, before anybody knows what they want: silent ones keep nobody out, and not for long."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_guard.transports.http_server.handshakes import Handshakes
from tests.transports.http_server.certificate import self_signed
from tests.transports.http_server.place import Http, Place, place, scenario

GET = ("GET", "/healthz", {"Connection": "close"})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@contextlib.asynccontextmanager
async def served(there: Place, files: tuple[Path, Path], most: int) -> AsyncIterator[int]:
    """The place with TLS before it; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    port = listening.getsockname()[1]
    handshakes = Handshakes(there.service, context, [listening], most)
    yield port
    handshakes.close()


async def healthy(port: int, certificate: Path) -> bool:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=ssl.create_default_context(cafile=certificate)
    )
    http = Http(reader, writer, port)
    http.send(*GET)
    try:
        return (await http.reply()).status == 200
    finally:
        http.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@scenario
async def test_the_oldest_that_says_nothing_gives_way_to_the_next(files):
    async with place() as there, served(there, files, 2) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        gone = [await reader.read() for reader, _ in silent[:2]]
        assert await healthy(port, files[0])
        assert gone == [b"", b""]
        assert not silent[3][0].at_eof()
        for _, writer in silent:
            writer.close()


@scenario
async def test_who_says_nothing_is_given_up_as_one_that_sends_no_head(files):
    async with place(head_time=0.05) as there, served(there, files, 2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()


@scenario
async def test_who_speaks_no_tls_leaves_the_others(files):
    async with place() as there, served(there, files, 2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.read()
        assert await healthy(port, files[0])
        writer.close()


@scenario
async def test_after_the_end_nobody_is_taken(files):
    async with place() as there:
        async with served(there, files, 2) as port:
            assert await healthy(port, files[0])
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

"""That nothing is left of a request once it is over, whichever way it went; and that no bytes upset a connection."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.transports.http_server.connection import HttpConnection
from mcp_guard.transports.http_server.service import Service
from tests.transports.http_server.place import (
    LOCAL,
    Limits,
    modern,
    notification,
    place,
    request,
    scenario,
)
from tests.transports.http_server.test_session import gone
from tests.transports.http_server.test_stateless import ask, begun

ROUNDS = 50


@scenario
async def test_a_session_keeps_nothing_of_requests_that_are_over():
    async with place() as there:
        client = await there.session()
        end = client.connection.client
        for number in range(1, ROUNDS):
            message = request(number, "tools/call", _meta={"progressToken": number})
            http = await client.post(message)
            await client.connection.hears()
            if number % 4 == 1:  # answered at once
                client.connection.answer(message)
            elif number % 4 == 2:  # as a stream
                client.connection.say(notification("notifications/progress", progressToken=number))
                client.connection.answer(message)
            elif number % 4 == 3:  # cancelled
                await (await client.post(notification("notifications/cancelled", requestId=number))).reply()
                await client.connection.hears()
            else:  # given up by its client, and answered all the same
                client.connection.say(notification("notifications/progress", progressToken=number))
                http.close()
                await gone(client)
                client.connection.answer(message)
        assert (end._open, end._tokens, end._streams, list(end._held)) == ({}, {}, {}, [])


@scenario
async def test_a_caller_keeps_nothing_of_requests_that_are_over():
    async with place() as there:
        for number in range(ROUNDS):
            message = modern(1, "tools/call", name="x", meta={"progressToken": 1})
            http = await ask(there, message)
            connection = await begun(there)
            heard = await connection.hears()
            if number % 3 == 0:
                connection.answer(heard)
                await http.reply()
            elif number % 3 == 1:
                connection.say(notification("notifications/progress", progressToken=heard["id"], progress=1))
                connection.answer(heard)
                await http.stream()
            else:
                http.close()
                assert (await connection.hears())["method"] == "notifications/cancelled"
        end = connection.client
        assert (end._asked, end._by_channel, end._unlisted, list(end._held)) == ({}, {}, [], [])


class _Transport(asyncio.Transport):
    """Takes everything, and says what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closing = bytearray(), False

    def get_extra_info(self, name, default=None):
        return ("127.0.0.1", 1) if name == "peername" else default

    def set_write_buffer_limits(self, high=None, low=None): ...

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close


PIECES = [
    b"POST /mcp HTTP/1.1\r\n", b"GET /mcp HTTP/1.1\r\n", b"GET /sse HTTP/1.0\r\n", b"OPTIONS * HTTP/1.1\r\n",
    b"DELETE /mcp?a=b HTTP/1.1\r\n", b"CONNECT a:1 HTTP/1.1\r\n", b"GET http://a/healthz HTTP/1.1\r\n",
    b"Host: localhost\r\n", b"Host:\r\n", b"Content-Length: 2\r\n", b"Content-Length: 0\r\n", b"\r\n", b"\n", b"\r",
    b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n", b"0\r\n\r\n", b"Trailer: x\r\n", b"{}", b"[", b"\x00", b"\xff",
    b"Content-Type: application/json\r\n", b"Accept: */*\r\n", b"MCP-Protocol-Version: 2026-07-28\r\n",
    b"Mcp-Session-Id: x\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n",
    b" folded\r\n", b"Origin: null\r\n", b'{"jsonrpc":"2.0","id":1,"method":"initialize"}', b"Last-Event-ID: 1-1\r\n",
]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=30), st.integers(1, 64))
@settings(max_examples=300, deadline=None)
def test_no_bytes_in_whatever_pieces_raise_or_leave_anything_behind(pieces, size):
    async def feed() -> None:
        said: list[str] = []
        service = Service(LOCAL, Limits(body=1000), lambda client, transport: _Nothing(client), said.append)
        connection, transport = HttpConnection(service), _Transport()
        connection.connection_made(transport)
        text = b"".join(pieces)
        for start in range(0, len(text), size):
            connection.data_received(text[start : start + size])
        service.sweep()
        connection.connection_lost(None)
        assert (service.receiving, len(service._connections), said) == (0, 0, [])
        assert transport.written[:5] in (b"", b"HTTP/")
        await service.stop(grace=0)

    asyncio.run(feed())


class _Nothing:
    """A switch that carries nothing, until it is stopped."""

    def __init__(self, client) -> None:
        self._client = client
        self._over = asyncio.get_running_loop().create_future()

    async def run(self) -> str:
        why = await self._over
        await self._client.close()
        return why

    def stop(self, why: str) -> None:
        self._over.set_result(why)

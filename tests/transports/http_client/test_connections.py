"""Connections: which of them carry another request, what is never sent twice, and who waits for whom."""

import asyncio
import socket
import struct

import pytest

from mcp_guard.transports.http_client.client import HttpClient
from mcp_guard.transports.http_client.connection import AT_ONCE, READ_AT_ONCE, Connection
from mcp_guard.transports.http_client.errors import BrokenOffError, EncodedError, HttpError, NotHttpError
from mcp_guard.transports.http_client.url import parse
from tests.transports.http_client.raw import (
    OK,
    Peer,
    Script,
    answer,
    between,
    client_of,
    get,
    nobody_there,
    post,
    serving,
    whole,
)
from tests.transports.http_upstream.remote import scenario


def always(*pieces: bytes) -> Script:
    """A server that answers every request in the same way."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(*pieces)

    return script


CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"

KEPT = [
    ("a length", [answer(b"{}")]),
    ("a length, in pieces", [OK, b"Content-Length: 2\r\n", b"\r\n", b"{", b"}"]),
    ("chunks", [CHUNKS, b"2\r\n{}\r\n", b"0\r\n\r\n"]),
    ("nothing", [b"HTTP/1.1 204 No Content\r\n\r\n"]),
    ("first that it goes on", [b"HTTP/1.1 100 Continue\r\n\r\n", answer(b"{}")]),
    ("as long as it says", [answer(b"{}", b"Keep-Alive: max=100, timeout=60")]),
]


@pytest.mark.parametrize("pieces", [case[1] for case in KEPT], ids=[case[0] for case in KEPT])
@scenario
async def test_a_connection_is_kept_after(pieces: list[bytes]) -> None:
    async with between(always(*pieces)) as (raw, client):
        for _ in range(3):
            await whole(await post(client))
        assert len(raw.peers) == 1


NOT_KEPT = [
    ("the last that it wants", [answer(b"{}", b"Connection: close")]),
    ("HTTP/1.0", [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"]),
    ("more than was asked for", [answer(b"{}") + answer(b"{}")]),
    ("garbage after the answer", [answer(b"{}") + b"garbage"]),
    ("a body where none can be", [b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"]),
    ("that it is about to close it", [answer(b"{}", b"Keep-Alive: timeout=1")]),
]


@pytest.mark.parametrize("pieces", [case[1] for case in NOT_KEPT], ids=[case[0] for case in NOT_KEPT])
@scenario
async def test_a_connection_is_not_kept_after(pieces: list[bytes]) -> None:
    async with between(always(*pieces)) as (raw, client):
        for _ in range(3):
            await whole(await post(client))
        assert len(raw.peers) == 3


@scenario
async def test_a_body_until_the_server_closes_is_whole() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK + b"\r\n", b"{", b"}")

    async with between(script) as (_, client):
        assert await whole(await post(client)) == b"{}"


@scenario
async def test_side_by_side_requests_have_connections_of_their_own_and_each_gets_its_answer() -> None:
    async def echo(peer: Peer) -> None:
        while True:
            await peer.say(answer((await peer.request()).rpartition(b"\r\n\r\n")[2]))

    async with between(echo) as (raw, client):

        async def ask(who: int) -> None:
            for number in range(20):
                body = b"%d-%d" % (who, number)
                assert await whole(await post(client, body)) == body

        await asyncio.gather(*map(ask, range(8)))
        assert len(raw.peers) == 8


@scenario
async def test_what_a_server_says_unasked_is_nobodys_answer() -> None:
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client))
        first = await raw.met.get()
        await first.request()
        await first.say(answer(b"1"))
        assert await whole(await asked) == b"1"
        await first.say(answer(b"forged"))
        assert await first.gone()
        asked = asyncio.ensure_future(post(client))
        second = await raw.met.get()
        await second.request()
        await second.say(answer(b"2"))
        assert await whole(await asked) == b"2"


# What is sent twice


@scenario
async def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with client_of(parse(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp")) as client:
            for number in (b"1", b"2", b"3"):
                asked = asyncio.ensure_future(post(client))
                server, _ = await loop.sock_accept(listener)
                with server:
                    await loop.sock_recv(server, 1 << 16)
                    await loop.sock_sendall(server, answer(number))
                    assert await whole(await asked) == number
                # closed, and the next request is there before the loop has heard of it


async def second_time_dropped(peer: Peer) -> None:
    """Answers, takes another request on the same connection, and drops it."""
    await peer.request()
    await peer.say(answer(b"first"))
    await peer.request()
    peer.drop()


@scenario
async def test_a_post_that_the_server_may_have_taken_is_never_sent_again() -> None:
    async with between(second_time_dropped) as (raw, client):
        await whole(await post(client))
        with pytest.raises(BrokenOffError):
            await post(client)
        assert len(raw.peers) == 1


@scenario
async def test_a_get_is_sent_again_where_a_kept_connection_turns_out_to_be_closed() -> None:
    async with between(second_time_dropped) as (raw, client):
        await whole(await get(client))
        assert await whole(await get(client)) == b"first"
        assert len(raw.peers) == 2


@scenario
async def test_a_get_is_sent_again_once_and_over_a_connection_of_its_own() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if len(raw.peers) == 1:
            await peer.say(answer(b"first"))
            await peer.request()
        peer.drop()

    async with between(script) as (raw, client):
        await whole(await get(client))
        with pytest.raises(BrokenOffError):
            await get(client)
        assert len(raw.peers) == 2


@scenario
async def test_nothing_is_sent_again_where_an_answer_had_begun() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer(b"first"))
        await peer.request()
        await peer.say(b"HTTP/1.1 2")
        peer.drop()

    async with between(script) as (raw, client):
        await whole(await get(client))
        with pytest.raises(BrokenOffError):
            await get(client)
        assert len(raw.peers) == 1


@scenario
async def test_connections_that_nobody_uses_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("client", "connection"):
        monkeypatch.setattr(f"mcp_guard.transports.http_client.{module}.KEEP_ALIVE", 0.02)
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client))
        peer = await raw.met.get()
        await peer.request()
        await peer.say(answer())
        await whole(await asked)
        assert await peer.gone()


# Answers that break, or are not wanted


BROKEN = [
    ("half a body", [OK + b"Content-Length: 5\r\n\r\n{"], b"{", BrokenOffError),
    ("no last chunk", [CHUNKS + b"2\r\n{}\r\n"], b"{}", BrokenOffError),
    ("no chunk", [CHUNKS + b"2\r\n{}\r\n", b"zz\r\n"], b"{}", NotHttpError),
]


@pytest.mark.parametrize(("pieces", "came", "error"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
@scenario
async def test_a_body_that_breaks_off_gives_what_came_and_is_an_error(
    pieces: list[bytes], came: bytes, error: type[HttpError]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(*pieces)

    async with between(script) as (_, client):
        response = await post(client)
        assert await response.some() == came
        with pytest.raises(error):
            await whole(response)


@pytest.mark.parametrize(
    ("said", "error"), [(b"", BrokenOffError), (b"HTTP/1.1 200 OK\r\nX", BrokenOffError), (b"SSH-2.0", NotHttpError)]
)
@scenario
async def test_no_answer_is_an_error(said: bytes, error: type[HttpError]) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(said)

    async with between(script) as (_, client):
        with pytest.raises(error):
            await post(client)


@scenario
async def test_a_compressed_body_is_not_taken_for_a_plain_one() -> None:
    async with between(always(answer(b"\x1f\x8b...", b"Content-Encoding: gzip"))) as (_, client):
        response = await post(client)
        assert response.encoded
        with pytest.raises(EncodedError):
            await response.some()


@scenario
async def test_an_empty_body_may_be_called_compressed() -> None:
    async with between(always(answer(b"", b"Content-Encoding: gzip"))) as (_, client):
        assert await (await post(client)).some() == b""


@scenario
async def test_who_is_no_longer_waited_for_sees_the_connection_close() -> None:
    async with between() as (raw, client):
        for say in (b"", OK + b"Content-Length: 5\r\n\r\n{"):
            asked = asyncio.ensure_future(_asked(client))
            peer = await raw.met.get()
            await peer.request()
            await peer.say(say)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            assert await peer.gone()


async def _asked(client: HttpClient) -> bytes:
    return await whole(await post(client))


@scenario
async def test_the_rest_of_a_released_answer_that_soon_comes_leaves_its_connection_kept() -> None:
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client))
        peer = await raw.met.get()
        await peer.request()
        await peer.say(OK + b"Content-Length: 5\r\n\r\n")
        (await asked).release()
        await peer.say(b"hello")
        while not client._kept:
            await asyncio.sleep(0)
        again = asyncio.ensure_future(post(client))
        await peer.request()
        await peer.say(answer(b"again"))
        assert await whole(await again) == b"again"
        assert len(raw.peers) == 1


@pytest.mark.parametrize("rest", [b"", b"x" * 200_000], ids=["nothing more", "too much"])
@scenario
async def test_the_rest_of_a_released_answer_is_not_waited_for_without_end(
    rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_client.connection._LONGEST_LEFT", 0.02 if not rest else 1000.0)
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client))
        peer = await raw.met.get()
        await peer.request()
        await peer.say(OK + b"Content-Length: 5000000\r\n\r\n{")
        (await asked).release()
        await peer.say(rest)
        assert await peer.gone()


# Who waits for whom


@scenario
async def test_a_body_that_nobody_reads_waits_on_the_servers_side() -> None:
    size = 32 << 20
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client))
        peer = await raw.met.get()
        await peer.request()
        peer.writer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
        response = await asked
        peer.writer.write(b"x" * size)
        drained = asyncio.ensure_future(peer.writer.drain())
        done, _ = await asyncio.wait([drained], timeout=0.2)
        assert not done, "the server could send 32 MiB to somebody who takes nothing"
        assert len(await whole(response)) == size
        await drained


@scenario
async def test_a_large_request_is_written_as_the_server_takes_it() -> None:
    body = b"0123456789abcdef" * (1 << 20)
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client, body))
        peer = await raw.met.get()
        head = await peer.head()
        assert b"Content-Length: %d\r\n" % len(body) in head
        (connection,) = client._open
        assert connection._transport.get_write_buffer_size() <= 2 * AT_ONCE
        assert await peer.reader.readexactly(len(body)) == body
        await peer.say(answer(b"taken"))
        assert await whole(await asked) == b"taken"


@scenario
async def test_an_answer_before_the_request_is_there_as_a_whole_counts_and_ends_the_connection() -> None:
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client, b"x" * (32 << 20)))
        peer = await raw.met.get()
        await peer.head()
        await peer.say(b"HTTP/1.1 413 -\r\nContent-Length: 9\r\n\r\ntoo large")
        response = await asked
        assert (response.status, await whole(response)) == (413, b"too large")
        assert await peer.gone()
        assert not client._kept


# The end, and where nobody is


TOO_LARGE = b"HTTP/1.1 413 -\r\nContent-Length: 9\r\n\r\ntoo large"


class Nobody:
    """An owner that wants nothing of its connection."""

    buffer = memoryview(bytearray(READ_AT_ONCE))

    def free(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


@scenario
async def test_an_answer_counts_whose_server_took_nothing_of_a_large_request_and_cut_it_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(Nobody()), sock=ours)
    theirs.sendall(TOO_LARGE)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()  # the first write fails, before anything was read
    incoming = await connection.ask(b"POST / HTTP/1.1\r\n\r\n", b"x" * (16 * AT_ONCE))
    assert (incoming.status, incoming.take(), incoming.complete) == (413, b"too large", True)
    assert not connection.stands
    assert not caplog.records, "the rest of the request was written to a connection that is gone"


@scenario
async def test_a_closed_client_has_no_connections_and_makes_none() -> None:
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client))
        peer = await raw.met.get()
        await peer.request()
        await asyncio.gather(client.close(), client.close())
        with pytest.raises(BrokenOffError):
            await asked
        assert await peer.gone()
        with pytest.raises(BrokenOffError):
            await post(client)
        assert len(raw.peers) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@scenario
async def test_nobody_there_is_said_as_the_system_says_it(host: str) -> None:
    async with client_of(parse(f"http://{host}:{nobody_there()}/mcp")) as client:
        with pytest.raises(OSError) as raised:  # noqa: PT011  (its number is what matters)
            await post(client)
        assert raised.value.errno is not None


@scenario
async def test_a_host_of_which_one_address_answers_is_there() -> None:
    async with serving(always(answer(b"{}"))) as raw, client_of(raw.url._replace(host="localhost")) as client:
        assert await whole(await post(client)) == b"{}"


@scenario
async def test_a_cookie_that_one_answer_sets_goes_with_the_next_request() -> None:
    async with between() as (raw, client):
        asked = asyncio.ensure_future(post(client))
        peer = await raw.met.get()
        assert b"Cookie" not in await peer.request()
        await peer.say(answer(b"", b"Set-Cookie: lb=node-1; Path=/; HttpOnly"))
        await asked
        asked = asyncio.ensure_future(post(client))
        assert b"\r\nCookie: lb=node-1\r\n" in await peer.request()
        await peer.say(answer(b"", b"Set-Cookie: lb=; Path=/; Max-Age=0"))
        await asked
        asked = asyncio.ensure_future(post(client))
        assert b"Cookie" not in await peer.request()
        await peer.say(answer())
        await asked


@scenario
async def test_a_request_says_what_it_has_to() -> None:
    async with serving() as raw, client_of(raw.url, **{"X-Api-Key": "k"}) as client:
        asked = asyncio.ensure_future(client.open("POST", "/mcp?a=b", {"Accept": "x"}, b"{}"))
        peer = await raw.met.get()
        first, *fields = (await peer.request()).decode().split("\r\n")
        assert first == "POST /mcp?a=b HTTP/1.1"
        assert fields == [
            f"Host: 127.0.0.1:{raw.url.port}", "Accept-Encoding: identity", "User-Agent: mcp-guard", "X-Api-Key: k",
            "Accept: x", "Content-Length: 2", "", "{}",
        ]  # fmt: skip
        await peer.say(answer())
        await asked

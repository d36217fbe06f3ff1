"""HTTP+SSE of 2024-11-05, and finding out that a server speaks only that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mcp_guard.transports.http_upstream.either import EitherUpstream
from mcp_guard.transports.http_upstream.failures import RemoteError
from mcp_guard.transports.http_upstream.link import Link
from mcp_guard.transports.http_upstream.old_sse import SseUpstream
from tests.transports.http_upstream.remote import (
    LIMIT,
    Got,
    Heard,
    Remote,
    initialize,
    initialized,
    line,
    notification,
    remote,
    request,
    result,
    scenario,
)


def endpoint(got: Got, url: str = "/messages?session=1") -> None:
    got.stream()
    got.chunk(f"event: endpoint\ndata: {url}\n\n".encode())


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Remote, SseUpstream, Heard, Got]]:
    async with remote() as server:
        end, heard = SseUpstream(Link(server.url, {"X-Key": "k"}), LIMIT), Heard()
        starting = asyncio.ensure_future(end.start(heard))
        stream = await server.next()
        endpoint(stream)
        await starting
        try:
            yield server, end, heard, stream
        finally:
            await end.close()


@scenario
async def test_messages_go_up_by_post_and_come_down_on_the_stream() -> None:
    async with connected() as (server, end, heard, stream):
        end.send(line(initialize()))
        got = await server.next()
        assert (stream.method, got.method, got.path) == ("GET", "POST", "/messages?session=1")
        assert got.headers["x-key"] == stream.headers["x-key"] == "k"
        got.accept()
        stream.event(initialized())
        assert await heard.related() == (initialized(), None)
        stream.event(request(0, "roots/list"))
        assert await heard.next() == request(0, "roots/list")
        end.send(line(result(0, roots=[])))
        (await server.next()).accept()


@scenario
async def test_a_message_that_the_server_refuses_is_an_error_for_its_request() -> None:
    async with connected() as (server, end, heard, _):
        end.send(line(request(1, "tools/call", name="t")))
        (await server.next()).reply(status=404)
        answer = await heard.next()
        assert (answer["id"], "HTTP 404" in answer["error"]["message"]) == (1, True)
        assert "session=1" not in answer["error"]["message"]


@scenario
async def test_a_request_is_over_with_an_answer_that_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.outgoing.MOST_IN_FLIGHT", 1)
    async with connected() as (server, end, _, stream):
        for number in range(3):
            end.send(line(request(number, "tools/call", name="t")))
            (await server.next()).accept()
            stream.chunk(b'data: {"jsonrpc":"2.0","id":%d,"result":{"x":NaN}}\n\n' % number)


@scenario
async def test_the_end_of_the_stream_is_the_end_of_the_server() -> None:
    async with connected() as (_, _, heard, stream):
        stream.end()
        assert await heard.over == "closed its stream of events"


@scenario
async def test_a_stream_that_breaks_is_the_end_of_the_server() -> None:
    async with connected() as (_, _, heard, stream):
        stream.drop()
        assert await heard.over == "broke the connection off"


@scenario
async def test_an_event_that_is_too_large_is_the_end_of_the_server() -> None:
    async with connected() as (_, _, heard, stream):
        stream.chunk(b"data: " + b"x" * (LIMIT + 10) + b"\n\n")
        assert "more than the limit" in await heard.over
        assert heard.too_large


@pytest.mark.parametrize(
    "url", ["http://evil.example/m", "//evil.example/m", "https://127.0.0.1/m", "http://a@127.0.0.1/m", "http://["]
)
@scenario
async def test_an_endpoint_at_another_origin_is_refused(url: str) -> None:
    async with remote() as server:
        end = SseUpstream(Link(server.url), LIMIT)
        starting = asyncio.ensure_future(end.start(Heard()))
        endpoint(await server.next(), url)
        with pytest.raises(RemoteError, match=r"another origin|not a URL"):
            await starting
        assert len(server.seen) == 1


STARTS = [
    (lambda got: got.reply(status=404), "HTTP 404"),
    (lambda got: got.reply(b"{}"), "does not answer with a stream of events; if it speaks streamable HTTP"),
    (lambda got: got.reply(status=400), r"\(HTTP 400\); if it speaks streamable HTTP, its transport is `http`"),
    (lambda got: got.reply(status=405), r"\(HTTP 405\); if it speaks streamable HTTP, its transport is `http`"),
    (lambda got: (got.stream(), got.end()), "ended at once"),
    (lambda got: got.drop(), "broke the connection off"),
]


@pytest.mark.parametrize(("answer", "text"), STARTS)
@scenario
async def test_a_server_that_opens_no_session_cannot_be_started(answer, text: str) -> None:
    async def handle(got: Got) -> None:
        answer(got)

    async with remote(handle) as server:
        with pytest.raises(RemoteError, match=text):
            await SseUpstream(Link(server.url), LIMIT).start(Heard())


@scenario
async def test_a_server_that_names_no_endpoint_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.old_sse.OPENING", 0.05)

    async def handle(got: Got) -> None:
        got.stream()

    async with remote(handle) as server:
        with pytest.raises(RemoteError, match="no endpoint in time"):
            await SseUpstream(Link(server.url), LIMIT).start(Heard())
        for got in server.seen:
            await got.gone.wait()


@scenario
async def test_what_is_open_at_the_end_is_answered_by_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.end.LAST_ANSWERS", 0.01)
    async with connected() as (server, end, heard, _):
        for number in (1, 2):
            end.send(line(request(number, "ping")))
            (await server.next()).accept()
        end.send(line(notification("notifications/cancelled", requestId=2)))
        (await server.next()).accept()
        await end.close()
        answer = await heard.next()
        assert (answer["id"], answer["error"]["message"]) == (
            1,
            f"mcp-guard ended before the MCP server at {server.url} had answered",
        )
        assert heard.queue.empty()


# Which of the two a server speaks


@pytest.mark.parametrize("status", [400, 404, 405])
@scenario
async def test_a_server_that_knows_no_posts_is_spoken_to_in_the_old_way(status: int) -> None:
    async with remote() as server:
        end, heard = EitherUpstream(lambda: Link(server.url), LIMIT), Heard()
        await end.start(heard)
        end.send(line(initialize()))
        (await server.next()).reply(status=status)
        stream = await server.next()
        assert stream.method == "GET"
        endpoint(stream)
        again = await server.next()
        assert (again.path, again.message) == ("/messages?session=1", initialize())
        again.accept()
        stream.event(initialized())
        assert await heard.next() == initialized()
        end.send(line(notification("notifications/initialized")))
        got = await server.next()
        assert got.path == "/messages?session=1"
        got.accept()
        await end.close()


@scenario
async def test_a_server_that_knows_neither_is_an_error() -> None:
    async with remote() as server:
        end, heard = EitherUpstream(lambda: Link(server.url), LIMIT), Heard()
        await end.start(heard)
        end.send(line(initialize()))
        (await server.next()).reply(status=405)
        (await server.next()).reply(status=404)
        assert "HTTP 405" in (await heard.next())["error"]["message"]
        await end.close()


@scenario
async def test_a_json_rpc_error_is_an_answer_and_no_reason_to_try_the_old_way() -> None:
    async with remote() as server:
        end, heard = EitherUpstream(lambda: Link(server.url), LIMIT), Heard()
        await end.start(heard)
        end.send(line(initialize()))
        (await server.next()).reply(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"m"}}', 400)
        assert (await heard.next())["error"]["code"] == -32022
        assert len(server.seen) == 1
        await end.close()

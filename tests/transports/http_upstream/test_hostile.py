"""Servers that mean harm, or are broken beyond what the specification foresees: each costs its request, and no more."""

import asyncio
import json
from collections.abc import Callable

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.transports.http_client.url import parse
from mcp_guard.transports.http_upstream.link import Link
from mcp_guard.transports.http_upstream.streamable import StreamableUpstream
from tests.transports.http_upstream.remote import (
    LIMIT,
    Got,
    Heard,
    initialize,
    initialized,
    line,
    modern,
    notification,
    remote,
    request,
    result,
    scenario,
)
from tests.transports.http_upstream.test_streamable import connected

Attack = Callable[[Got], None]


def garbage_events(got: Got) -> None:
    got.stream()
    got.chunk(b"\xff\x00data\n:::\n\n\r\r\rdata: {]\n\n" * 100)
    got.end()


def unended_event(got: Got) -> None:
    got.stream()
    got.chunk(b"data: " + b"x" * 1000)
    got.end()


def wrong_chunks(got: Got) -> None:
    got.stream()
    got.raw(b"zz\r\nnonsense\r\n")


def dropped_in_the_middle(got: Got) -> None:
    got.stream()
    got.event(notification("notifications/message"))
    got.raw(b"ffff\r\ndata: {")
    got.drop()


def dropped_before_it_began(got: Got) -> None:
    got.drop()


def half_a_body(got: Got) -> None:
    got.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{")
    got.drop()


def no_http(got: Got) -> None:
    got.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def endless_headers(got: Got) -> None:
    got.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")


def two_lengths(got: Got) -> None:
    body = b"{}"
    got.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 200\r\n\r\n" + body)


def broken_compression(got: Got) -> None:
    got.reply(b"\x1f\x8bnonsense", Content_Encoding="gzip")


def web_page(got: Got) -> None:
    got.reply(b"<html>log in</html>", kind="text/html")


def no_type(got: Got) -> None:
    got.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def empty_json(got: Got) -> None:
    got.reply(b"")


def half_json(got: Got) -> None:
    got.reply(b'{"jsonrpc":"2.0","id":1,"result":')


def anothers_answer(got: Got) -> None:
    got.json(result(999))


def answer_to_true(got: Got) -> None:
    got.reply(b'{"jsonrpc":"2.0","id":true,"result":{}}')


def request_of_the_same_id(got: Got) -> None:
    got.json(request(1, "sampling/createMessage"))


def too_large_json(got: Got) -> None:
    got.reply(b" " * (LIMIT + 1))


def too_large_event(got: Got) -> None:
    got.stream()
    got.chunk(b"data: " + b"x" * (LIMIT + 10) + b"\n\n")


def too_large_comment(got: Got) -> None:
    got.stream()
    got.chunk(b":" + b"x" * (2 * LIMIT))


def endless_event(got: Got) -> None:
    got.stream()
    for _ in range(64):
        got.chunk(b"data: " + b"x" * (LIMIT // 32) + b"\n")


ATTACKS: list[Attack] = [
    garbage_events, unended_event, wrong_chunks, dropped_in_the_middle, dropped_before_it_began, half_a_body, no_http,
    endless_headers, two_lengths, broken_compression, web_page, no_type, empty_json, half_json, anothers_answer,
    answer_to_true, request_of_the_same_id, too_large_json, too_large_event, too_large_comment, endless_event,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("ask", [request, modern], ids=["legacy", "modern"])
@scenario
async def test_the_request_gets_one_error_and_the_next_one_its_answer(attack: Attack, ask: Callable[..., dict]) -> None:
    async with connected() as (server, end, heard):
        end.send(line(ask(1, "tools/call", name="t")))
        attack(await server.next())
        own: list[dict] = []
        while not own:
            said, related = await heard.queue.get()
            assert related == 1
            own = [found for found in [_readable(said)] if "the MCP server at" in str(found.get("error"))]
        assert own[0]["id"] == 1
        end.send(line(ask(2, "tools/call", name="t")))
        (await server.next()).json(result(2))
        assert await heard.next() == result(2)
        assert heard.queue.empty()


def _readable(said: bytes) -> dict:
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@pytest.mark.parametrize("attack", [too_large_json, too_large_event, too_large_comment, endless_event])
@scenario
async def test_what_is_too_large_is_told_and_not_kept(attack: Attack) -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "tools/call", name="t")))
        attack(await server.next())
        assert f"more than the limit of {LIMIT} bytes" in (await heard.next())["error"]["message"]
        assert all(size > LIMIT for size in heard.too_large)
        assert heard.too_large


@scenario
async def test_a_message_of_a_hundred_megabytes_is_refused_and_the_connection_lives() -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "tools/call", name="t")))
        got = await server.next()
        got.stream()
        for _ in range(100):
            got.chunk(b"data: " + b"x" * (1 << 20))
            if got.writer.is_closing():
                break
            await asyncio.sleep(0)
        assert "more than the limit" in (await heard.next())["error"]["message"]
        end.send(line(request(2, "ping")))
        (await server.next()).json(result(2))
        assert await heard.next() == result(2)


@scenario
async def test_a_server_that_hangs_holds_up_nobody_else() -> None:
    async with connected() as (server, end, heard):
        for number in range(1, 11):
            end.send(line(request(number, "tools/call", name="hang")))
        hanging = [await server.next() for _ in range(10)]
        end.send(line(request(11, "ping")))
        (await server.next()).json(result(11))
        assert await heard.next() == result(11)
        assert all(not got.gone.is_set() for got in hanging)


@scenario
async def test_a_server_that_hangs_on_a_notification_holds_up_the_rest_only_for_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.outgoing._IN_ORDER", 0.05)
    async with connected() as (server, end, _):
        end.send(line(notification("notifications/roots/list_changed")))
        end.send(line(request(1, "ping")))
        hanging = await server.next()
        assert (await server.next()).message["id"] == 1
        assert not hanging.gone.is_set()


@scenario
async def test_an_answer_that_comes_twice_is_delivered_for_the_gate_to_refuse() -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "ping")))
        got = await server.next()
        got.stream()
        got.event(result(1))
        got.event(result(1))
        got.end()
        assert [await heard.next(), await heard.next()] == [result(1), result(1)]


# Where credentials may go


ELSEWHERE = [
    "http://127.0.0.1:1/mcp",
    "https://127.0.0.1/mcp",
    "http://evil.example/mcp",
    "//evil.example/mcp",
    "http://127.0.0.1@evil.example/mcp",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://[",
    "",
]


@pytest.mark.parametrize("location", ELSEWHERE)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@scenario
async def test_a_redirect_to_another_origin_is_not_followed(status: int, location: str) -> None:
    async with remote() as server:
        end, heard = StreamableUpstream(Link(server.url, {"Authorization": "Bearer s3cret"}), LIMIT), Heard()
        await end.start(heard)
        end.send(line(request(1, "ping")))
        (await server.next()).reply(b"", status, Location=location)
        message = (await heard.next())["error"]["message"]
        assert "is not followed" in message
        assert "s3cret" not in message
        assert len(server.seen) == 1
        await end.close()


@pytest.mark.parametrize("status", [307, 308])
@scenario
async def test_a_redirect_within_the_origin_is_followed_with_the_same_request(status: int) -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "ping")))
        (await server.next()).reply(b"", status, Location="/mcp/")
        got = await server.next()
        assert (got.method, got.path, got.message) == ("POST", "/mcp/", request(1, "ping"))
        got.json(result(1))
        assert await heard.next() == result(1)


@scenario
async def test_a_redirect_that_would_make_another_request_of_a_post_is_not_followed() -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "ping")))
        (await server.next()).reply(b"", 302, Location="/elsewhere")
        assert "is not followed" in (await heard.next())["error"]["message"]


@scenario
async def test_redirects_in_a_circle_end() -> None:
    async def again(got: Got) -> None:
        got.reply(b"", 307, Location="/mcp")

    async with connected(again) as (server, end, heard):
        end.send(line(request(1, "ping")))
        assert "is not followed" in (await heard.next())["error"]["message"]
        assert len(server.seen) < 10


@scenario
async def test_configured_headers_go_with_every_request_and_never_into_an_error() -> None:
    async with remote() as server:
        end, heard = StreamableUpstream(Link(server.url, {"X-Api-Key": "s3cret"}), LIMIT), Heard()
        await end.start(heard)
        end.send(line(initialize()))
        first = await server.next()
        first.json(initialized())
        await heard.next()
        end.send(line(request(1, "ping")))
        second = await server.next()
        second.reply(status=500)
        assert first.headers["x-api-key"] == second.headers["x-api-key"] == "s3cret"
        assert "s3cret" not in str(await heard.next())
        await end.close()


BAD_HEADERS = [
    {"X\r\nEvil": "y"}, {"": "y"}, {"X Y": "y"}, {"X": "a\r\nEvil: y"}, {"X": "a\nb"}, {"X": "a\0"}, {"X": " a"},
    {"Content-Length": "5"}, {"mcp-session-id": "x"}, {"Host": "evil"}, {"Transfer-Encoding": "chunked"},
]  # fmt: skip


@pytest.mark.parametrize("headers", BAD_HEADERS)
def test_a_header_that_would_change_the_request_is_refused_without_showing_its_value(headers: dict[str, str]) -> None:
    with pytest.raises(GuardError) as raised:
        Link("http://127.0.0.1/mcp", {name: value + "s3cret" for name, value in headers.items()})
    assert "s3cret" not in raised.value.message
    assert raised.value.message.isprintable()


LOOPBACK = ["http://127.0.0.1:1", "http://localhost/", "http://[::1]:80", "http://127.255.0.9/", "http://a.localhost/"]
ABROAD = ["http://127.0.0.1.evil.example/", "http://localhost.evil.example", "http://10.0.0.1", "http://[::2]/"]


def test_which_urls_are_of_this_machine() -> None:
    assert all(parse(url).is_loopback for url in LOOPBACK)
    assert not any(parse(url).is_loopback for url in ABROAD)


BAD_URLS = [
    "ftp://x/mcp",
    "localhost:8000",
    "",
    "http://",
    "https://user:s3cret@host/mcp",
    "http://[",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_is_not_a_servers_is_refused(url: str) -> None:
    with pytest.raises(GuardError) as raised:
        Link(url)
    assert "s3cret" not in str(raised.value)
    assert raised.value.hint

"""Streamable HTTP as the guard speaks it to a server: what it sends, and what becomes of each kind of answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mcp_guard.transports.http_upstream.link import Link
from mcp_guard.transports.http_upstream.streamable import StreamableUpstream
from tests.transports.http_upstream.remote import (
    LIMIT,
    Got,
    Handler,
    Heard,
    Message,
    Remote,
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

Connected = tuple[Remote, StreamableUpstream, Heard]


@asynccontextmanager
async def connected(
    handler: Handler | None = None, *, limit: int = LIMIT, ends: bool = False
) -> AsyncIterator[Connected]:
    async with remote(handler) as server:
        end, heard = StreamableUpstream(Link(server.url), limit, ends=ends), Heard()
        await end.start(heard)
        try:
            yield server, end, heard
        finally:
            server.handler = server.handler or _accept
            while not server.queue.empty():
                server.queue.get_nowait().drop()
            await end.close()


async def _accept(got: Got) -> None:
    got.accept()


async def opened(server: Remote, end: StreamableUpstream, heard: Heard, session: str = "s-1") -> Got:
    """A legacy session; gives the GET for what the server says unasked, which stays open."""
    end.send(line(initialize()))
    (await server.next()).json(initialized(), Mcp_Session_Id=session)
    await heard.next()
    end.send(line(notification("notifications/initialized")))
    (await server.next()).accept()
    listening = await server.next()
    assert listening.method == "GET"
    listening.stream()
    return listening


# What is sent


@scenario
async def test_a_message_is_a_post_that_takes_json_and_events() -> None:
    async with connected() as (server, end, _):
        end.send(line(request(1, "tools/list")))
        got = await server.next()
        assert (got.method, got.path, got.message) == ("POST", "/mcp", request(1, "tools/list"))
        assert got.headers["accept"] == "application/json, text/event-stream"
        assert got.headers["content-type"] == "application/json"


@scenario
async def test_a_legacy_session_is_named_with_its_revision_in_everything_after_initialize() -> None:
    async with connected() as (server, end, heard):
        listening = await opened(server, end, heard)
        end.send(line(request(1, "tools/list")))
        for got in (server.seen[1], listening, await server.next()):
            assert (got.headers["mcp-session-id"], got.headers["mcp-protocol-version"]) == ("s-1", "2025-11-25")
        assert "mcp-session-id" not in server.seen[0].headers
        assert "mcp-protocol-version" not in server.seen[0].headers


@scenario
async def test_a_modern_request_has_its_headers_and_no_session() -> None:
    async with connected() as (server, end, _):
        end.send(line(modern(1, "tools/call", name="echo", arguments={})))
        got = await server.next()
        assert got.headers["mcp-protocol-version"] == "2026-07-28"
        assert (got.headers["mcp-method"], got.headers["mcp-name"]) == ("tools/call", "echo")
        assert "mcp-session-id" not in got.headers


@scenario
async def test_arguments_that_the_listed_schema_marks_are_mirrored() -> None:
    region = {"type": "string", "x-mcp-header": "Region"}
    async with connected() as (server, end, heard):
        end.send(line(modern(1, "tools/list")))
        tool = {"name": "sql", "inputSchema": {"type": "object", "properties": {"region": region}}}
        (await server.next()).json(result(1, tools=[tool]))
        await heard.next()
        end.send(line(modern(2, "tools/call", name="sql", arguments={"region": "us-west1"})))
        assert (await server.next()).headers["mcp-param-region"] == "us-west1"


@scenario
async def test_a_call_whose_headers_were_not_expected_is_made_again_with_what_the_tool_is_now() -> None:
    mismatch = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32020, "message": "Header mismatch"}}
    region = {"type": "string", "x-mcp-header": "Region"}
    tool = {"name": "sql", "inputSchema": {"type": "object", "properties": {"region": region}}}
    call = modern(1, "tools/call", name="sql", arguments={"region": "us-west1"})
    async with connected() as (server, end, heard):
        end.send(line(call))
        (await server.next()).json(mismatch, status=400)
        listing = await server.next()
        assert listing.headers["mcp-method"] == "tools/list"
        assert listing.message["params"]["_meta"] == call["params"]["_meta"]
        listing.json(result(listing.message["id"], tools=[], nextCursor="2"))
        listing = await server.next()
        assert listing.message["params"]["cursor"] == "2"
        listing.stream()
        listing.event(result(listing.message["id"], tools=[tool]))
        listing.end()
        again = await server.next()
        assert (again.message, again.headers["mcp-param-region"]) == (call, "us-west1")
        again.json(mismatch, status=400)
        assert await heard.next() == mismatch, "once is enough"
        assert heard.queue.empty()


@scenario
async def test_a_call_whose_headers_are_right_as_far_as_the_list_says_is_not_made_again() -> None:
    mismatch = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32020, "message": "Header mismatch"}}
    async with connected() as (server, end, heard):
        end.send(line(modern(1, "tools/call", name="sql", arguments={})))
        (await server.next()).json(mismatch, status=400)
        listing = await server.next()
        listing.json(result(listing.message["id"], tools=[]))
        assert await heard.next() == mismatch
        assert len(server.seen) == 2


@scenario
async def test_requests_go_side_by_side() -> None:
    async with connected() as (server, end, heard):
        for number in (1, 2):
            end.send(line(request(number, "tools/call", name="t")))
        first, second = await server.next(), await server.next()
        second.json(result(second.message["id"]))
        first.json(result(first.message["id"]))
        assert {(await heard.next())["id"], (await heard.next())["id"]} == {1, 2}


@scenario
async def test_nothing_overtakes_a_notification() -> None:
    async with connected() as (server, end, _):
        end.send(line(notification("notifications/initialized")))
        end.send(line(request(1, "tools/list")))
        notice = await server.next()
        assert notice.message["method"] == "notifications/initialized"
        assert server.queue.empty()
        notice.accept()
        posted = [await server.next(), await server.next()]
        assert {got.method for got in posted} == {"GET", "POST"}


@scenario
async def test_nothing_overtakes_initialize_so_that_everything_has_the_session() -> None:
    async with connected() as (server, end, _):
        end.send(line(initialize()))
        end.send(line(request(1, "ping")))
        (await server.next()).json(initialized(), Mcp_Session_Id="s-1")
        assert (await server.next()).headers["mcp-session-id"] == "s-1"


@scenario
async def test_connections_are_kept() -> None:
    async def answer(got: Got) -> None:
        got.json(result(got.message["id"]))

    async with connected(answer) as (server, end, heard):
        for number in range(20):
            end.send(line(request(number, "ping")))
            await heard.next()
        assert server.connections == 1


@scenario
async def test_a_stream_that_ends_after_the_answer_gives_its_connection_back() -> None:
    async def answer(got: Got) -> None:
        got.stream()
        got.event(result(got.message["id"]))
        await asyncio.sleep(0)  # the end of the stream is a packet of its own
        got.end()

    async with connected(answer) as (server, end, heard):
        for number in range(10):
            end.send(line(request(number, "ping")))
            await heard.next()
        assert server.connections <= 2


# Answers


@scenario
async def test_an_answer_in_json_is_delivered_as_one_line_for_its_request() -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "ping")))
        (await server.next()).reply(b'{\n  "jsonrpc": "2.0",\r\n  "id": 1,\n  "result": {}\n}\n')
        said, related = await heard.queue.get()
        assert b"\n" not in said
        assert related == 1


@scenario
async def test_an_answer_with_half_a_character_in_it_is_the_answer() -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "ping")))
        answer = b'{"jsonrpc":"2.0","id":1,"result":{"text":"\\ud83d"}}'
        (await server.next()).reply(answer)
        assert await heard.queue.get() == (answer, 1)


@scenario
async def test_all_that_a_stream_brings_before_the_answer_is_delivered_for_its_request() -> None:
    async with connected() as (server, end, heard):
        end.send(line(request("a", "tools/call", name="t")))
        got = await server.next()
        got.stream()
        got.event(notification("notifications/progress", progressToken=1, progress=1))
        got.event(request(0, "elicitation/create"))
        assert await heard.related() == (notification("notifications/progress", progressToken=1, progress=1), "a")
        assert await heard.related() == (request(0, "elicitation/create"), "a")
        end.send(line(result(0, action="accept")))
        response = await server.next()
        assert response.message == result(0, action="accept")
        response.accept()
        got.event(result("a", content=[]))
        assert await heard.related() == (result("a", content=[]), "a")


@scenario
async def test_what_the_server_says_unasked_belongs_to_no_request() -> None:
    async with connected() as (server, end, heard):
        listening = await opened(server, end, heard)
        listening.event(notification("notifications/tools/list_changed"))
        assert await heard.related() == (notification("notifications/tools/list_changed"), None)


@scenario
async def test_a_server_that_says_nothing_unasked_is_not_asked_again() -> None:
    async with connected() as (server, end, _):
        end.send(line(initialize()))
        (await server.next()).json(initialized(), Mcp_Session_Id="s-1")
        end.send(line(notification("notifications/initialized")))
        (await server.next()).accept()
        (await server.next()).reply(status=405)
        end.send(line(request(1, "ping")))
        assert (await server.next()).method == "POST"


ERRORS = [  # an HTTP error and its body: the code that the client gets
    (400, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"m"}}', -32020),
    (400, b'{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"m"}}', -32600),
    (404, b'{"jsonrpc":"2.0","error":{"code":-32601,"message":"m"}}', -32601),
    (400, b'{"error":"no JSON-RPC"}', -32603),
    (400, b'{"jsonrpc":"2.0","id":1,"result":{}}', -32603),
    (500, b"", -32603),
    (500, b"{", -32603),
    (418, b"tea", -32603),
]


@pytest.mark.parametrize(("status", "body", "code"), ERRORS)
@scenario
async def test_an_http_error_is_an_error_for_its_request(status: int, body: bytes, code: int) -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "tools/call", name="t")))
        (await server.next()).reply(body, status)
        answer = await heard.next()
        assert (answer["id"], answer["error"]["code"]) == (1, code)


TEXTS = [
    (401, {}, "demands authorization (HTTP 401)"),
    (403, {}, "refuses access (HTTP 403)"),
    (404, {}, "nothing at this URL (HTTP 404)"),
    (429, {"Retry_After": "7"}, "asked too often (HTTP 429). Wait before the next request; it asks for a pause of 7 s"),
    (503, {"Retry_After": "evil"}, "in trouble (HTTP 503)"),
    (503, {"Retry_After": "evil\x1b"}, "what it says is not HTTP"),
    (202, {}, "gave no answer that MCP knows (HTTP 202"),
]


@pytest.mark.parametrize(("status", "headers", "text"), TEXTS)
@scenario
async def test_an_error_says_what_is_wrong(status: int, headers: dict[str, str], text: str) -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "tools/list")))
        (await server.next()).reply(b"", status, **headers)
        message = (await heard.next())["error"]["message"]
        assert text in message
        assert message.isprintable()


# Streams that break


@scenario
async def test_a_broken_stream_is_taken_up_again_after_the_event_that_came_last() -> None:
    async with connected() as (server, end, heard):
        await opened(server, end, heard)
        end.send(line(request(1, "tools/call", name="t")))
        got = await server.next()
        got.stream()
        got.event(b"", id="e-1", retry=1)
        got.event(notification("notifications/message", data=1), id="e-2")
        await heard.next()
        got.drop()
        again = await server.next()
        assert (again.method, again.headers["last-event-id"]) == ("GET", "e-2")
        assert again.headers["mcp-session-id"] == "s-1"
        again.stream()
        again.event(result(1, content=[]), id="e-3")
        assert await heard.related() == (result(1, content=[]), 1)


@scenario
async def test_a_server_may_close_the_connection_and_be_polled_for_the_answer() -> None:
    async with connected() as (server, end, heard):
        await opened(server, end, heard)
        end.send(line(request(1, "tools/call", name="t")))
        got = await server.next()
        got.stream()
        got.event(b"", id="0", retry=1)
        got.end()
        for number in (1, 2, 3):
            got = await server.next()
            assert got.headers["last-event-id"] == str(number - 1)
            got.stream()
            got.event(result(1) if number == 3 else notification("notifications/message"), id=str(number))
            got.end()
        assert [await heard.next() for _ in range(3)][-1] == result(1)
        assert heard.let_go == [1, 1, 1]


@scenario
async def test_a_broken_stream_without_ids_is_an_error_for_its_request() -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "tools/call", name="t")))
        got = await server.next()
        got.stream()
        got.event(notification("notifications/message"))
        got.drop()
        await heard.next()
        assert "closed the connection before it had answered" in (await heard.next())["error"]["message"]


@scenario
async def test_a_modern_stream_is_never_taken_up_again() -> None:
    async with connected() as (server, end, heard):
        end.send(line(modern(1, "tools/call", name="t")))
        got = await server.next()
        got.stream()
        got.event(notification("notifications/message"), id="e-1")
        got.end()
        await heard.next()
        assert (await heard.next())["error"]["code"] == -32603
        assert len(server.seen) == 1


@scenario
async def test_a_stream_that_brings_nothing_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.streams._LEAST_REST", 0.0001)

    async def handle(got: Got) -> None:
        got.stream()
        if got.method == "POST":
            got.event(b"", id="e-1", retry=0)
        got.end()

    async with connected(handle) as (server, end, heard):
        end.send(line(request(1, "tools/call", name="t")))
        assert "before it had answered" in (await heard.next())["error"]["message"]
        assert 2 <= len(server.seen) < 20


@scenario
async def test_the_stream_for_what_is_said_unasked_is_opened_again_where_it_broke() -> None:
    async with connected() as (server, end, heard):
        listening = await opened(server, end, heard)
        listening.event(notification("notifications/message"), id="g-1", retry=1)
        await heard.next()
        listening.drop()
        again = await server.next()
        assert (again.method, again.headers["last-event-id"]) == ("GET", "g-1")


# Sessions that end


@scenario
async def test_a_session_that_the_server_forgot_is_opened_again_in_the_words_of_the_client() -> None:
    async with connected() as (server, end, heard):
        await opened(server, end, heard)
        end.send(line(request(1, "tools/call", name="t")))
        (await server.next()).reply(status=404)
        again = await server.next()
        assert again.message == initialize()
        assert "mcp-session-id" not in again.headers
        again.json(initialized(), Mcp_Session_Id="s-2")
        notice = await server.next()
        assert (notice.message["method"], notice.headers["mcp-session-id"]) == ("notifications/initialized", "s-2")
        notice.accept()
        later = {got.method: got for got in (await server.next(), await server.next())}
        assert later["POST"].message == request(1, "tools/call", name="t")
        assert {got.headers["mcp-session-id"] for got in later.values()} == {"s-2"}
        assert await heard.next() == notification("notifications/tools/list_changed")
        later["POST"].json(result(1))
        assert await heard.next() == result(1)


NO_SESSION = b'{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: %b"},"id":null}'


@pytest.mark.parametrize("words", [b"No valid session ID provided", b"Server not initialized"])
@scenario
async def test_a_session_that_the_server_does_not_know_with_status_400_is_opened_again_as_well(words: bytes) -> None:
    async with connected() as (server, end, heard):
        await opened(server, end, heard)
        end.send(line(request(1, "tools/call", name="t")))
        (await server.next()).reply(NO_SESSION % words, status=400)
        again = await server.next()
        assert again.message == initialize()
        again.json(initialized(), Mcp_Session_Id="s-2")
        (await server.next()).accept()
        later = {got.method: got for got in (await server.next(), await server.next())}
        assert {got.headers["mcp-session-id"] for got in later.values()} == {"s-2"}
        assert await heard.next() == notification("notifications/tools/list_changed")
        later["POST"].reply(NO_SESSION % words, status=400)
        assert (await heard.next())["error"]["code"] == -32000
        assert [got.message["method"] for got in server.seen if got.method == "POST"].count("initialize") == 2


@pytest.mark.parametrize(("status", "words"), [(400, b"Bad arguments"), (403, b"No valid session ID provided")])
@scenario
async def test_another_refusal_opens_no_session(status: int, words: bytes) -> None:
    async with connected() as (server, end, heard):
        await opened(server, end, heard)
        end.send(line(request(1, "tools/call", name="t")))
        (await server.next()).reply(NO_SESSION % words, status=status)
        assert (await heard.next())["error"]["code"] == -32000
        assert [got.message["method"] for got in server.seen if got.method == "POST"].count("initialize") == 1


@scenario
async def test_many_requests_that_meet_a_forgotten_session_open_one() -> None:
    openings = 0

    async def handle(got: Got) -> None:
        nonlocal openings
        if got.method != "POST":
            return got.reply(status=405)
        if got.message["method"] == "initialize":
            openings += 1
            return got.json(initialized(), Mcp_Session_Id=f"s-{openings}")
        if got.headers.get("mcp-session-id") != "s-2":
            return got.reply(status=404)
        return got.json(result(got.message["id"])) if "id" in got.message else got.accept()

    async with connected(handle) as (_, end, heard):
        end.send(line(initialize()))
        await heard.next()
        for number in range(1, 9):
            end.send(line(request(number, "ping")))
        assert {(await heard.next())["id"] for _ in range(8)} == set(range(1, 9))
        assert openings == 2


@scenario
async def test_a_session_that_cannot_be_opened_like_the_former_is_an_error() -> None:
    async with connected() as (server, end, heard):
        await opened(server, end, heard)
        end.send(line(request(1, "ping")))
        (await server.next()).reply(status=404)
        (await server.next()).json(initialized(revision="2024-11-05"), Mcp_Session_Id="s-2")
        assert "does not open another like it" in (await heard.next())["error"]["message"]


@scenario
async def test_a_404_without_a_session_is_no_reason_to_open_one() -> None:
    async with connected() as (server, end, heard):
        end.send(line(request(1, "ping")))
        (await server.next()).reply(status=404)
        assert "HTTP 404" in (await heard.next())["error"]["message"]
        assert len(server.seen) == 1


@pytest.mark.parametrize("session", ["a b", "\x80", "x" * 2000, ""])
@scenario
async def test_a_session_id_that_breaks_the_rules_is_never_sent_back(session: str) -> None:
    async with connected() as (server, end, heard):
        end.send(line(initialize()))
        (await server.next()).json(initialized(), Mcp_Session_Id=session)
        await heard.next()
        end.send(line(request(1, "ping")))
        assert "mcp-session-id" not in (await server.next()).headers


# Withdrawing a request


@scenario
async def test_a_modern_request_is_withdrawn_by_closing_its_stream() -> None:
    async with connected() as (server, end, _):
        end.send(line(modern(1, "tools/call", name="t")))
        got = await server.next()
        got.stream()
        end.send(line(notification("notifications/cancelled", requestId=1)))
        await got.gone.wait()
        assert len(server.seen) == 1


@scenario
async def test_a_legacy_request_is_withdrawn_by_a_notification_and_its_stream_stays() -> None:
    async with connected() as (server, end, heard):
        await opened(server, end, heard)
        end.send(line(request(1, "tools/call", name="t")))
        got = await server.next()
        got.stream()
        end.send(line(notification("notifications/cancelled", requestId=1)))
        notice = await server.next()
        assert notice.message["params"] == {"requestId": 1}
        notice.accept()
        got.event(result(1))
        assert await heard.next() == result(1)


@scenario
async def test_a_request_that_waits_for_its_turn_is_withdrawn_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.outgoing.MOST_IN_FLIGHT", 1)
    async with connected() as (server, end, heard):
        for number in (1, 2, 3):
            end.send(line(modern(number, "tools/call", name="t")))
        first = await server.next()
        end.send(line(notification("notifications/cancelled", requestId=2)))
        assert server.queue.empty()
        first.json(result(1))
        assert (await server.next()).message["id"] == 3
        assert await heard.next() == result(1)


@scenario
async def test_a_subscription_takes_nobodys_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.outgoing.MOST_IN_FLIGHT", 1)
    async with connected() as (server, end, _):
        end.send(line(modern(1, "subscriptions/listen")))
        (await server.next()).stream()
        end.send(line(modern(2, "tools/list")))
        assert (await server.next()).message["id"] == 2


# The end


@scenario
async def test_closing_waits_for_the_answers_that_are_nearly_there_and_ends_the_session() -> None:
    async with connected() as (server, end, heard):
        await opened(server, end, heard)
        end.send(line(request(1, "ping")))
        got = await server.next()
        closing = asyncio.ensure_future(end.close())
        await asyncio.sleep(0)
        got.json(result(1))
        goodbye = await server.next()
        assert (goodbye.method, goodbye.headers["mcp-session-id"]) == ("DELETE", "s-1")
        goodbye.reply(status=405)
        await closing
        assert await heard.next() == result(1)


@pytest.mark.parametrize("killed", [False, True])
@scenario
async def test_what_is_open_at_the_end_is_answered_by_an_error_that_says_so(
    killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.end.LAST_ANSWERS", 3600.0 if killed else 0.01)
    monkeypatch.setattr("mcp_guard.transports.http_upstream.outgoing.MOST_IN_FLIGHT", 2)
    async with connected() as (server, end, heard):
        for message in (request(1, "ping"), modern(2, "tools/list"), request(3, "ping")):
            end.send(line(message))
        assert {(await server.next()).message["id"] for _ in range(2)} == {1, 2}, "the third waits for its turn"
        end.send(line(modern(4, "subscriptions/listen")))
        (await server.next()).stream()
        closing = asyncio.ensure_future(end.close())
        await asyncio.sleep(0)
        if killed:
            end.kill()
        await closing
        answers = [await heard.next() for _ in range(3)]
        assert {answer["id"] for answer in answers} == {1, 2, 3}
        assert {answer["error"]["message"] for answer in answers} == {
            f"mcp-guard ended before the MCP server at {server.url} had answered"
        }
        assert heard.queue.empty()


@scenario
async def test_a_handshake_that_is_open_at_the_end_is_answered_and_so_is_what_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.end.LAST_ANSWERS", 0.01)
    async with connected() as (server, end, heard):
        end.send(line(initialize()))
        await server.next()
        end.send(line(request(1, "ping")))
        await end.close()
        assert {(await heard.next())["id"] for _ in range(2)} == {0, 1}


@pytest.mark.parametrize("message", [request(1, "ping"), modern(1, "ping")], ids=["by a word", "by its stream"])
@scenario
async def test_what_the_client_has_withdrawn_is_not_answered_at_the_end(
    message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.end.LAST_ANSWERS", 0.01)
    async with connected() as (server, end, heard):
        end.send(line(message))
        await server.next()
        end.send(line(notification("notifications/cancelled", requestId=1)))
        await end.close()
        assert heard.queue.empty()


@scenario
async def test_closing_does_not_wait_for_subscriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.end.LAST_ANSWERS", 3600.0)
    async with connected() as (server, end, _):
        end.send(line(modern(1, "subscriptions/listen")))
        got = await server.next()
        got.stream()
        await end.close()
        await got.gone.wait()


@scenario
async def test_a_server_that_is_not_there_is_an_error_that_says_so() -> None:
    async with remote() as server:
        url = server.url
    end, heard = StreamableUpstream(Link(url + "?key=secret"), LIMIT), Heard()
    await end.start(heard)
    end.send(line(initialize()))
    message = (await heard.next())["error"]["message"]
    assert (
        message
        == f"the MCP server at {url} cannot be reached: connection refused. Is it running, and is the port right?"
    )
    await end.close()


@scenario
async def test_a_server_that_is_not_there_when_it_is_greeted_has_ended_for_whoever_begins_again() -> None:
    async with remote() as server:
        url = server.url
    end, heard = StreamableUpstream(Link(url), LIMIT, ends=True), Heard()
    await end.start(heard)
    end.send(line(initialize()))
    assert (await heard.over).startswith(f"at {url} cannot be reached: connection refused")
    await end.close()


# Backpressure


@scenario
async def test_what_waits_is_counted_until_the_server_has_taken_it() -> None:
    async with connected() as (server, end, heard):
        message = line(request(1, "tools/call", name="t", arguments={"text": "x" * 2_000_000}))
        end.send(message)
        assert end.waiting == len(message)
        (await server.next()).json(result(1))
        await heard.next()
        await heard.relief.wait()
        assert end.waiting == 0


@scenario
async def test_a_paused_end_lets_a_large_answer_wait() -> None:
    async with connected(limit=64 << 20) as (server, end, heard):
        end.send(line(request(1, "ping")))
        end.pause()
        got = await server.next()
        got.json(result(1, text="x" * (32 << 20)))
        drained = asyncio.ensure_future(got.writer.drain())
        done, _ = await asyncio.wait([drained], timeout=0.2)
        assert not done, "the server could send 32 MiB to somebody who takes nothing"
        end.resume()
        assert len((await heard.next())["result"]["text"]) == 32 << 20
        await drained

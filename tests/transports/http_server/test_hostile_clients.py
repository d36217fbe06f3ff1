"""Clients that mean no good, or were badly made: what they get, and that it never costs more than `Limits` says."""

import asyncio
import json

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.transports.http_server import connection
from mcp_guard.transports.http_server.access import LOOPBACK, Access
from tests.transports.http_server.place import (
    BOTH,
    credential,
    notification,
    place,
    request,
    scenario,
)
from tests.transports.http_server.test_session import there_turns

INITIALIZE = request(1, "initialize", protocolVersion="2025-11-25")
TOKEN = "correct-horse-battery-staple"
GUARDED = Access(LOOPBACK, ["https://app.example"], [credential(TOKEN), credential("another-token-of-20", "two")])

USUAL = {"Accept": BOTH, "Content-Type": "application/json"}
EVIL = {"Host": "evil.example", "Origin": "http://evil.example"}

REFUSED_BY_HEAD = [
    # what is sent, method, path, fields, status
    ("a name that is rebound to us", "POST", "/mcp", EVIL, 421),
    ("such a name with our port", "POST", "/mcp", {"Host": "evil.example:8808"}, 421),
    ("a name that only begins like ours", "POST", "/mcp", {"Host": "localhost.evil.example"}, 421),
    ("a name that only ends like ours", "POST", "/mcp", {"Host": "evil.localhost:1"}, 421),
    ("no Host", "POST", "/mcp", {"Host": None}, 400),
    ("an empty Host", "POST", "/mcp", {"Host": ""}, 421),
    ("another site's page", "POST", "/mcp", {"Origin": "https://evil.example"}, 403),
    ("a page from a file", "POST", "/mcp", {"Origin": "null"}, 403),
    ("a page of another local server", "POST", "/mcp", {"Origin": "http://localhost:1"}, 403),
    ("an image on another site's page", "GET", "/sse", {"Sec-Fetch-Site": "cross-site"}, 403),
    (
        "a frame on another site's page", "GET", "/sse",
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403,
    ),
    (
        "a link on another site's page", "GET", "/sse",
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "*/*"},
        406,
    ),
    ("an image on a page of another local server", "GET", "/sse", {"Sec-Fetch-Site": "same-site"}, 403),
    ("an origin that only begins like ours", "POST", "/mcp", {"Origin": "http://127.0.0.1.evil.example"}, 403),
    ("another path", "POST", "/admin", {}, 404),
    ("a path with dots", "POST", "/mcp/../mcp", {}, 404),
    ("a path in another spelling", "POST", "/%6dcp", {}, 404),
    ("another method", "PUT", "/mcp", {}, 405),
    ("a preflight from nowhere", "OPTIONS", "/mcp", {}, 405),
    ("a form", "POST", "/mcp", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ("text, which a page may send without asking", "POST", "/mcp", {"Content-Type": "text/plain"}, 415),
    ("no Content-Type", "POST", "/mcp", {"Content-Type": None}, 415),
    ("no Accept", "POST", "/mcp", {"Accept": None}, 406),
    ("an Accept without streams", "POST", "/mcp", {"Accept": "application/json"}, 406),
    ("streams that weigh nothing", "POST", "/mcp", {"Accept": "application/json, text/event-stream;q=0"}, 406),
    ("a GET that takes no stream", "GET", "/mcp", {"Accept": "application/json"}, 406),
    ("a version that never was", "GET", "/mcp", {"MCP-Protocol-Version": "1.0"}, 400),
    ("a body that is declared too large", "POST", "/mcp", {"Content-Length": "1001"}, 413),
    ("a body without an end", "POST", "/mcp", {"Content-Length": "9" * 25}, 400),
    ("an upgrade", "POST", "/mcp", {"Connection": "Upgrade", "Upgrade": "websocket"}, 400),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "method", "path", "given", "status"), REFUSED_BY_HEAD, ids=[case[0] for case in REFUSED_BY_HEAD]
)
@scenario
async def test_a_request_is_refused_by_its_head_and_the_connection_ends(what, method, path, given, status):
    async with place(body=1000) as there:
        http = await there.dial()
        http.send(method, path, {"Content-Length": "5", **USUAL, **given})
        reply = await http.reply()
        assert reply.status == status
        assert reply.json["error"]["message"]
        assert "evil" not in reply.body.decode()
        assert await http.closed()
        assert there.connections == []


MANGLED = [
    ("two lengths", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (
        "a length and chunks",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    ("a line that ends in LF alone", b"POST /mcp HTTP/1.1\nHost: localhost\n\n", 400),
    ("a folded field", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400),
    ("a space before the colon", b"POST /mcp HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
    ("a NUL", b"POST /mcp HTTP/1.1\r\nHost: local\0host\r\n\r\n", 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("two Hosts", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
    ("another encoding of the body", b"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 421),
    ("too many fields", b"GET /mcp HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
    ("a head that is too large and comes in one piece", b"GET /mcp HTTP/1.1\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", 431),
    ("a target that is too long", b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
    ("a head without an end", b"GET /mcp HTTP/1.1\r\nX: " + b"y" * 40_000, 431),
    ("a target without an end", b"GET /" + b"y" * 40_000, 431),
]  # fmt: skip


@pytest.mark.parametrize(("what", "sent", "status"), MANGLED, ids=[case[0] for case in MANGLED])
@scenario
async def test_what_two_readers_could_read_differently_is_no_request(what, sent, status):
    async with place() as there:
        http = await there.dial()
        http.raw(sent)
        assert (await http.reply()).status == status
        assert await http.closed()


@scenario
async def test_chunks_are_counted_as_they_come():
    async with place(body=1000) as there:
        http = await there.dial()
        http.send("POST", "/mcp", {**USUAL, "Transfer-Encoding": "chunked"})
        http.raw(b"1f4\r\n" + b" " * 500 + b"\r\n" + b"1f5\r\n" + b" " * 501 + b"\r\n")
        reply = await http.reply()
        assert (reply.status, there.service.receiving) == (413, 0)
        assert await http.closed()


@scenario
async def test_a_body_of_very_many_chunks_is_kept_in_few_pieces(monkeypatch):
    monkeypatch.setattr(connection, "_PIECES", 10)
    body = json.dumps(INITIALIZE).encode()
    chunks = [body[at : at + 2] for at in range(0, len(body), 2)]
    async with place() as there:
        http = await there.dial()
        http.send("POST", "/mcp", {**USUAL, "Transfer-Encoding": "chunked"})
        http.raw(b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks))
        while there.service.receiving < len(body):
            await asyncio.sleep(0)
        (held,) = there.service._connections
        assert len(held._body) < len(chunks) / 10 + 10
        http.raw(b"0\r\n\r\n")
        while not there.connections:
            await asyncio.sleep(0)
        assert await there.connections[0].hears() == INITIALIZE


@scenario
async def test_all_bodies_together_are_bounded_and_the_largest_gives_way():
    async with place(bodies=1000) as there:
        largest = await there.dial()
        largest.send("POST", "/mcp", {**USUAL, "Content-Length": "2000"}, b" " * 900)
        while there.service.receiving < 900:
            await there_turns()
        other = await there.dial()
        other.send("POST", "/mcp", {**USUAL, "Content-Length": "500"}, b" " * 200)
        reply = await largest.reply()
        assert (reply.status, reply.headers["retry-after"], there.service.receiving) == (503, "1", 200)
        other.close()
        while there.service.receiving:
            await there_turns()


WAITING = [
    ("a request", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("garbage", b"\0\0"),
    ("an upgrade", b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
]


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize(("what", "sent"), WAITING, ids=[case[0] for case in WAITING])
@scenario
async def test_what_follows_a_request_does_not_stand_in_its_response(what, sent, connection):
    async with place() as there:
        client = await there.session()
        get = await client.get(Connection=connection)
        await get.stream()
        get.raw(sent)
        await get.writer.drain()
        while not any(other._refused for other in there.service._connections):
            await there_turns()
        client.connection.say(notification("notifications/tools/list_changed"))
        there.service.sweep()
        assert (await get.event()).json["method"] == "notifications/tools/list_changed"


@scenario
async def test_what_comes_after_a_body_is_bounded_as_what_comes_before_it():
    async with place() as there:
        for endless in (b"0\r\nX: " + b"y" * 400_000, b"2;" + b"y" * 400_000):
            http = await there.dial()
            http.send("POST", "/mcp", {**USUAL, "Transfer-Encoding": "chunked"})
            http.raw(b"2\r\n{}\r\n" + endless)
            assert (await http.reply()).status == 431


@scenario
async def test_a_batch_of_more_messages_than_there_may_be_is_not_read():
    async with place(batch=2) as there:
        client = await there.session()
        ping = notification("notifications/x")
        for batch, status in (([ping] * 3, 413), (b"  [1,2,3", 413), ([ping] * 2, 202)):
            assert (await (await client.post(batch)).reply()).status == status
        assert len(await client.connection.hears()) == 2
        http = await there.dial()
        http.post([INITIALIZE] * 3)
        assert (await http.reply()).status == 413


@scenario
async def test_a_head_that_does_not_come_to_an_end_is_given_up():
    async with place(head_time=0.0) as there:
        silent, slow = await there.dial(), await there.dial()
        slow.raw(b"POST /mcp HTTP/1.1\r\nHost: loc")
        await slow.writer.drain()
        while len(there.service._connections) < 2 or not any(c._reading for c in there.service._connections):
            await there_turns()
        there.service.sweep()
        assert (await slow.reply()).status == 408
        assert await slow.closed()
        assert await silent.closed()


@scenario
async def test_a_body_that_trickles_is_given_up():
    async with place(head_time=0.0, body_rate=10**9) as there:
        http = await there.dial()
        http.send("POST", "/mcp", {**USUAL, "Content-Length": "100"}, b" " * 10)
        while not there.service.receiving:
            await there_turns()
        await asyncio.sleep(0)
        there.service.sweep()
        assert (await http.reply()).status == 408
        assert there.service.receiving == 0


@scenario
async def test_a_body_that_came_quickly_and_then_no_further_is_given_up():
    async with place(head_time=10**6, stall=0.0) as there:
        http = await there.dial()
        http.send("POST", "/mcp", {**USUAL, "Content-Length": "10000000"}, b" " * 9_000_000)
        while there.service.receiving < 9_000_000:
            await there_turns()
        there.service.sweep()
        assert (await http.reply()).status == 408
        assert there.service.receiving == 0


@scenario
async def test_more_connections_than_there_may_be_are_refused():
    async with place(connections=1) as there:
        first = await there.dial()
        first.send("GET", "/nowhere", {"Connection": "keep-alive"})
        second = await there.dial()
        assert (await second.reply()).status == 503
        assert await second.closed()


@scenario
async def test_one_credential_takes_no_more_than_half_of_all_connections():
    async with place(GUARDED, connections=6) as there:
        mine = await there.session(Authorization=f"Bearer {TOKEN}")
        for number in range(3):
            await mine.post(request(number, "ping"))
            await mine.connection.hears()
        refused = await mine.post(request(3, "ping"))
        assert (await refused.reply()).status == 503
        await there.session(Authorization="Bearer another-token-of-20")
        mine.connection.answer({"id": 0})
        while sum(connection.answers is not None for connection in there.service._connections) > 2:
            await there_turns()
        await mine.post(request(4, "ping"))
        assert (await mine.connection.hears())["id"] == 4


@scenario
async def test_a_connection_that_is_idle_gives_way_to_a_new_one():
    async with place(connections=2) as there:
        silent, busy = await there.dial(), await there.dial()
        busy.raw(b"GET /mcp HTTP/1.1\r\nHost: loc")
        await busy.writer.drain()
        while not any(connection._reading for connection in there.service._connections):
            await there_turns()
        third = await there.dial()
        third.send("GET", "/healthz", {})
        assert (await third.reply()).status == 200
        assert await silent.closed()


@scenario
async def test_a_second_request_before_the_first_answer_costs_the_connection_but_not_the_answer():
    async with place() as there:
        client = await there.session()
        http = await client.post(request(7, "ping"))
        http.post(request(8, "ping"), **client.headers)
        client.connection.answer(await client.connection.hears())
        assert (await http.reply()).json["id"] == 7
        assert await http.closed()
        assert client.connection.heard.empty()


@scenario
async def test_a_client_that_expects_to_be_told_to_go_on_is_told_or_refused():
    async with place() as there:
        http = await there.dial()
        body = json.dumps(notification("x")).encode()
        http.send("POST", "/mcp", {**USUAL, "Expect": "100-continue", "Content-Length": str(len(body))})
        assert (await http.head())[0] == 100
        http.raw(body)
        assert (await http.reply()).status == 400  # it has no session
        refused = await there.dial()
        refused.send("POST", "/mcp", {**USUAL, **EVIL, "Expect": "100-continue", "Content-Length": "5"})
        assert (await refused.reply()).status == 421


# Credentials

CREDENTIALS = [
    ("none", {}, 401, "Bearer"),
    ("a false one", {"Authorization": "Bearer wrong-horse-battery-staple"}, 401, 'Bearer error="invalid_token"'),
    ("a part of it", {"Authorization": f"Bearer {TOKEN[:-1]}"}, 401, 'Bearer error="invalid_token"'),
    ("in capitals", {"Authorization": f"Bearer {TOKEN.upper()}"}, 401, 'Bearer error="invalid_token"'),
    ("by another scheme", {"Authorization": f"Basic {TOKEN}"}, 401, 'Bearer error="invalid_token"'),
    ("empty", {"Authorization": "Bearer "}, 401, 'Bearer error="invalid_token"'),
    ("beyond ASCII", {"Authorization": "Bearer ü"}, 401, 'Bearer error="invalid_token"'),
    ("the right one", {"Authorization": f"Bearer {TOKEN}"}, 400, None),
    ("with the scheme in small letters", {"Authorization": f"bearer {TOKEN}"}, 400, None),
]


@pytest.mark.parametrize(("what", "given", "status", "challenge"), CREDENTIALS, ids=[case[0] for case in CREDENTIALS])
@scenario
async def test_where_tokens_are_asked_for_nothing_goes_without_a_right_one(what, given, status, challenge):
    async with place(GUARDED) as there:
        http = await there.dial()
        http.post(request(1, "ping"), **given)
        reply = await http.reply()
        assert (reply.status, reply.headers.get("www-authenticate")) == (status, challenge)
        assert TOKEN not in str(there.said) + reply.body.decode()


@scenario
async def test_a_token_given_twice_is_none():
    async with place(GUARDED) as there:
        http = await there.dial()
        http.raw(f"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode())
        http.raw(f"Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert (await http.reply()).status == 401


@scenario
async def test_health_says_nothing_but_that_it_is_well_and_asks_for_no_token():
    async with place(GUARDED) as there:
        for method in ("GET", "HEAD"):
            http = await there.dial()
            http.send(method, "/healthz", {"Host": "10.0.0.7"})
            status, headers = await http.head()
            assert (status, headers["content-length"]) == (200, "15")
            assert await http.reader.read() == (b'{"status":"ok"}' if method == "GET" else b"")


# Sessions of others

GUESSES = [
    ("none", None, 400),
    ("one that was never given", "0" * 32, 404),
    ("an empty one", "", 404),
    ("one with a wildcard", "*", 404),
    ("one of the client's own making", "my-session", 404),
]


@pytest.mark.parametrize(("what", "guess", "status"), GUESSES, ids=[case[0] for case in GUESSES])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@scenario
async def test_a_session_is_found_by_its_id_alone(method, what, guess, status):
    async with place() as there:
        await there.session()
        http = await there.dial()
        body = json.dumps(request(1, "tools/list")).encode() if method == "POST" else b""
        http.send(method, "/mcp", {**USUAL, "Mcp-Session-Id": guess}, body)
        assert (await http.reply()).status == status


@scenario
async def test_an_initialize_cannot_bring_its_own_session_id():
    async with place() as there:
        http = await there.dial()
        http.post(INITIALIZE, **{"Mcp-Session-Id": "attackers-choice"})
        assert (await http.reply()).status == 404
        client = await there.session()
        again = await client.post(INITIALIZE)
        assert (await again.reply()).status == 400
        assert len(there.connections) == 1


@scenario
async def test_session_ids_are_long_random_and_plain_ascii():
    async with place() as there:
        ids = [(await there.session()).headers["Mcp-Session-Id"] for _ in range(5)]
        assert len(set(ids)) == 5
        assert all(len(one) >= 32 and one.isascii() and one.isprintable() and " " not in one for one in ids)


@scenario
async def test_a_session_is_worth_nothing_with_anothers_token():
    async with place(GUARDED) as there:
        client = await there.session(Authorization=f"Bearer {TOKEN}")
        stolen = {"Authorization": "Bearer another-token-of-20"}
        for http in (await client.post(request(1, "ping"), **stolen), await client.get(**stolen)):
            assert (await http.reply()).status == 404
        assert client.connection.heard.empty()


@scenario
async def test_two_session_ids_in_one_request_are_none():
    async with place() as there:
        client = await there.session()
        session_id = client.headers["Mcp-Session-Id"]
        http = await there.dial()
        http.raw(f"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nMcp-Session-Id: {session_id}\r\n".encode())
        http.raw(f"Mcp-Session-Id: {session_id}\r\n\r\n".encode())
        assert (await http.reply()).status == 400


@scenario
async def test_more_clients_than_there_may_be_are_told_to_come_again():
    async with place(sessions=1) as there:
        await there.session()
        http = await there.dial()
        http.post(INITIALIZE)
        reply = await http.reply()
        assert (reply.status, reply.headers["retry-after"]) == (503, "2")
        stream = await there.dial()
        stream.send("GET", "/sse", {"Accept": "text/event-stream"})
        assert (await stream.reply()).status == 503


@scenario
async def test_nobody_keeps_all_others_out():
    mine, anothers = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer another-token-of-20"}
    async with place(GUARDED, sessions=3) as there:
        clients = [await there.session(**mine) for _ in range(3)]
        for client in clients:
            await (await client.get()).stream()
        asking = await clients[0].post(request(1, "ping"))
        await clients[0].connection.hears()
        refused = []
        while not clients[1].connection.why:
            http = await there.dial()
            http.post(INITIALIZE, **anothers)
            refused.append((await http.reply()).status)
        assert refused == [503]
        assert clients[1].connection.why.startswith("its credential had the most clients")
        await there.session(**anothers)  # of two places to one, nobody gives way
        http.post(INITIALIZE, **anothers)
        assert (await http.reply()).status == 503
        clients[0].connection.answer({"id": 1})
        assert (await asking.reply()).status == 200
        assert [client.connection.why for client in (clients[0], clients[2])] == ["", ""]


@scenario
async def test_more_requests_than_a_client_may_have_open_are_refused():
    async with place(open_requests=1) as there:
        client = await there.session()
        await client.post(request(1, "ping"))
        await client.connection.hears()
        assert (await (await client.post(request(2, "ping"))).reply()).status == 503
        assert client.connection.heard.empty()


@scenario
async def test_a_legacy_session_speaks_no_modern_revision():
    async with place() as there:
        client = await there.session()
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        http = await client.post(request(4, "tools/list", _meta=meta))
        reply = await http.reply()
        assert (reply.status, reply.json["id"], reply.json["error"]["code"]) == (400, 4, -32020)
        assert client.connection.heard.empty()


# What goes out


@scenario
async def test_an_upstream_cannot_end_an_event_early_or_begin_another():
    async with place() as there:
        client = await there.session()
        get = await client.get()
        await get.stream()
        client.connection.say(
            b'{"jsonrpc":"2.0",\n\nevent: endpoint\ndata: x\n\n"method":"notifications/x"}'
        )  # no JSON
        client.connection.say(b'{"jsonrpc":"2.0",\r\n\r\n"method":\n\n"notifications/x"}')
        client.connection.say(notification("notifications/y"))
        event, after = await get.event(), await get.event()
        assert [(one.event, one.json["method"]) for one in (event, after)] == [
            ("message", "notifications/x"),
            ("message", "notifications/y"),
        ]


@scenario
async def test_a_client_that_does_not_read_is_told_of_and_cut_off():
    async with place(stall=-1.0) as there:
        client = await there.session()
        get = await client.get()
        await get.stream()
        big = notification("notifications/message", data="x" * 500_000)
        while not client.connection.client.waiting:
            client.connection.say(big)
            await there_turns()
        there.service.sweep()
        while client.connection.client._standalone.channel is not None:
            await there_turns()
        assert (client.connection.client.waiting, client.connection.relieved_times) == (0, 1)


@scenario
async def test_a_page_of_an_allowed_origin_may_speak_and_read_and_no_other_may():
    async with place(GUARDED) as there:
        origin = {"Origin": "https://app.example"}
        asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,mcp-method"}
        http = await there.dial()
        http.send("OPTIONS", "/mcp", {**origin, **asking})
        reply = await http.reply()
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (204, "https://app.example")
        assert reply.headers["access-control-allow-headers"] == "authorization,mcp-method"
        http = await there.dial()
        http.post(request(1, "ping"), **origin, Authorization=f"Bearer {TOKEN}")
        reply = await http.reply()
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        other = await there.dial()
        other.send("OPTIONS", "/mcp", {"Origin": "https://evil.example", **asking})
        reply = await other.reply()
        assert (reply.status, "access-control-allow-origin" in reply.headers) == (403, False)


@scenario
async def test_what_a_paused_client_goes_on_saying_is_bounded():
    async with place(body=1000) as there:
        client = await there.session()
        client.connection.client.pause()
        kept = await client.post(notification("notifications/x", data="x" * 800))
        while not client.connection.client.kept:
            await there_turns()
        refused = await (await client.post(notification("notifications/x", data="x" * 800))).reply()
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        client.connection.client.resume()
        assert (await kept.reply()).status == 202


@scenario
async def test_who_is_refused_is_told_of_in_a_line_now_and_then():
    async with place(GUARDED, report=0.0) as there:
        for given in ({}, {}, EVIL, {"Origin": "https://evil.example"}):
            http = await there.dial()
            http.post(request(1, "ping"), **given)
            await http.reply()
        there.service.sweep()
        there.service.sweep()
        assert there.said == ["refused: 2 × no valid token, 1 × another Origin, 1 × another Host"]


MISTAKES = [
    ("one that a person can mend", GuardError("no such command", "Install it."), 503, "no such command"),
    ("one of the guard's own", ZeroDivisionError("secret"), 500, "internal error (ZeroDivisionError)"),
]


@pytest.mark.parametrize(("what", "error", "status", "says"), MISTAKES, ids=[case[0] for case in MISTAKES])
@scenario
async def test_a_mistake_behind_the_server_is_said_to_its_operator_and_not_to_the_client(what, error, status, says):
    async with place() as there:

        def fail(client, transport):
            raise error

        there.service._clients._open_switch = fail
        http = await there.dial()
        http.post(INITIALIZE)
        reply = await http.reply()
        assert (reply.status, there.said) == (status, [says])
        assert "secret" not in reply.body.decode()
        assert "command" not in reply.body.decode()
        http.send("GET", "/healthz", {})
        assert (await http.reply()).status == 200

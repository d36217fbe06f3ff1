"""A legacy session, as client and upstream see it: which response carries what, what outlives a lost connection."""

import asyncio

import pytest

from tests.transports.http_server.place import BOTH, PATIENCE, notification, place, request, scenario

CALL = request(7, "tools/call", name="echo", arguments={})
PROGRESS = request(7, "tools/call", name="echo", arguments={}, _meta={"progressToken": "p"})
LOG = notification("notifications/message", level="info", data="working")


@scenario
async def test_an_answer_that_comes_alone_is_plain_json_with_the_clients_own_id():
    async with place() as there:
        client = await there.session()
        http = await client.post(CALL)
        client.connection.answer(await client.connection.hears(), content=[])
        reply = await http.reply()
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        assert reply.json == {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}


@scenario
async def test_what_comes_before_the_answer_turns_the_response_into_a_stream_that_ends_with_the_answer():
    async with place() as there:
        client = await there.session()
        http = await client.post(PROGRESS)
        call = await client.connection.hears()
        client.connection.say(notification("notifications/progress", progressToken="p", progress=1))
        client.connection.answer(call, content=[])
        headers = await http.stream()
        assert headers["mcp-session-id"] == client.headers["Mcp-Session-Id"]
        progress, answer = await http.event(), await http.event()
        assert (progress.json["method"], answer.json["id"]) == ("notifications/progress", 7)
        assert progress.id != answer.id
        assert await http.event() is None


@scenario
async def test_notifications_and_responses_of_the_client_are_accepted_without_a_body():
    async with place() as there:
        client = await there.session()
        for message in (notification("notifications/initialized"), {"jsonrpc": "2.0", "id": 1, "result": {}}):
            http = await client.post(message)
            reply = await http.reply()
            assert (reply.status, reply.body) == (202, b"")
            assert await client.connection.hears() == message


@scenario
async def test_what_is_no_json_gets_the_gates_error_with_status_400():
    async with place() as there:
        client = await there.session()
        reply = await (await client.post(b"{nonsense")).reply()
        assert (reply.status, reply.json["error"]["code"]) == (400, -32700)


# Which stream carries what

NOTICE = notification("notifications/tools/list_changed")
PLACES = [
    # what the upstream says, related to, is a GET stream open → where it arrives
    (
        "the answer's own request",
        notification("notifications/progress", progressToken="p", progress=1),
        None,
        True,
        "post",
    ),
    ("a log message of a known request", LOG, 7, True, "post"),
    ("a log message of nobody knows what", LOG, None, True, "post"),
    ("a question of the upstream's", request(0, "sampling/createMessage"), None, True, "post"),
    ("a notice that has nothing to do with any request", NOTICE, None, True, "get"),
    ("such a notice without a GET stream", NOTICE, None, False, "post"),
    (
        "progress under a token that nobody gave",
        notification("notifications/progress", progressToken="q"),
        None,
        True,
        "post",
    ),
]


@pytest.mark.parametrize(("what", "said", "related", "listening", "where"), PLACES, ids=[case[0] for case in PLACES])
@scenario
async def test_each_message_has_its_stream_while_a_request_is_open(what, said, related, listening, where):
    async with place() as there:
        client = await there.session()
        get = await client.get() if listening else None
        if get is not None:
            await get.stream()
        post = await client.post(PROGRESS)
        call = await client.connection.hears()
        client.connection.say(said, related)
        client.connection.answer(call)
        if where == "post":
            await post.stream()
            assert (await post.event()).json == said
        else:
            assert get is not None
            assert (await get.event()).json == said
            assert (await post.reply()).json["id"] == 7


@scenario
async def test_without_any_request_a_message_waits_for_the_get_stream():
    async with place() as there:
        client = await there.session()
        client.connection.say(LOG)
        client.connection.say(NOTICE)
        get = await client.get()
        await get.stream()
        assert [(await get.event()).json, (await get.event()).json] == [LOG, NOTICE]


@scenario
async def test_with_two_requests_open_each_gets_its_own_progress_and_answer():
    async with place() as there:
        client = await there.session()
        posts, calls = [], []
        for number in (1, 2):
            posts.append(await client.post(request(number, "tools/call", _meta={"progressToken": f"t{number}"})))
            calls.append(await client.connection.hears())
        for number in (2, 1):
            client.connection.say(notification("notifications/progress", progressToken=f"t{number}", progress=number))
            client.connection.answer(calls[number - 1])
        for number in (1, 2):
            await posts[number - 1].stream()
            assert (await posts[number - 1].event()).json["params"]["progress"] == number
            assert (await posts[number - 1].event()).json["id"] == number


@scenario
async def test_a_client_that_names_the_stream_first_gets_one_that_begins_with_an_event_to_resume_from():
    async with place() as there:
        client = await there.session()
        prefers = {"Accept": "text/event-stream, application/json", "MCP-Protocol-Version": "2025-11-25"}
        http = await client.post(CALL, **prefers)
        await http.stream()
        priming = await http.event()
        assert (priming.data, priming.retry) == ("", "1000")
        assert priming.id
        client.connection.answer(await client.connection.hears())
        assert (await http.event()).json["id"] == 7


@scenario
async def test_an_answer_that_is_long_in_coming_becomes_a_stream_that_shows_it_lives():
    async with place(patience=0.0) as there:
        client = await there.session()
        http = await client.post(CALL)
        call = await client.connection.hears()
        there.service.sweep()
        await http.stream()
        assert (await http.event()).comment is not None
        client.connection.answer(call)
        assert (await http.event()).json["id"] == 7


# Batches (2025-03-26)


@scenario
async def test_a_batch_is_one_post_and_its_answers_are_one_array():
    async with place() as there:
        client = await there.session()
        http = await client.post([request(1, "ping"), notification("notifications/x"), request(2, "ping")])
        assert len(await client.connection.hears()) == 3
        answers = [{"jsonrpc": "2.0", "id": number, "result": {}} for number in (1, 2)]
        client.connection.say(answers)
        assert (await http.reply()).json == answers


@scenario
async def test_an_array_of_an_upstreams_answers_to_different_posts_is_taken_apart():
    async with place() as there:
        client = await there.session()
        posts = []
        for number in (1, 2):
            posts.append(await client.post(request(number, "ping")))
            await client.connection.hears()
        client.connection.say([{"jsonrpc": "2.0", "id": number, "result": {}} for number in (1, 2)])
        assert [(await post.reply()).json["id"] for post in posts] == [1, 2]


# Cancelling and losing


@scenario
async def test_a_cancelled_request_ends_without_an_answer():
    async with place() as there:
        client = await there.session()
        http = await client.post(CALL)
        await client.connection.hears()
        assert (await (await client.post(notification("notifications/cancelled", requestId=7))).reply()).status == 202
        await http.stream()
        assert await http.event() is None
        assert (await client.connection.hears())["method"] == "notifications/cancelled"


@scenario
async def test_a_lost_connection_cancels_nothing_and_the_stream_can_be_taken_up_again():
    async with place() as there:
        client = await there.session()
        http = await client.post(PROGRESS)
        call = await client.connection.hears()
        client.connection.say(notification("notifications/progress", progressToken="p", progress=1))
        await http.stream()
        first = await http.event()
        http.close()
        await gone(client)
        client.connection.say(notification("notifications/progress", progressToken="p", progress=2))
        again = await client.get(**{"Last-Event-ID": first.id})
        await again.stream()
        assert (await again.event()).json["params"]["progress"] == 2
        client.connection.answer(call)
        assert (await again.event()).json["id"] == 7
        assert await again.event() is None
        assert client.connection.heard.empty()


@scenario
async def test_a_client_is_let_go_when_its_server_lets_go_and_comes_back_for_the_answer():
    async with place() as there:
        client = await there.session()
        prefers = {"Accept": "text/event-stream, application/json", "MCP-Protocol-Version": "2025-11-25"}
        http = await client.post(CALL, **prefers)
        await http.stream()
        priming = await http.event()
        call = await client.connection.hears()
        client.connection.client.part(call["id"])
        assert await http.event() is None
        client.connection.answer(call)
        again = await client.get(**{"Last-Event-ID": priming.id})
        await again.stream()
        assert [(await again.event()).json["id"], await again.event()] == [7, None]


@scenario
async def test_a_client_that_was_given_no_id_to_come_back_with_is_not_let_go():
    async with place() as there:
        client = await there.session()
        http = await client.post(CALL)
        call = await client.connection.hears()
        client.connection.client.part(call["id"])
        client.connection.answer(call)
        assert (await http.reply()).json["id"] == 7


@scenario
async def test_a_stream_that_ended_while_nobody_read_it_is_sent_again_to_its_end():
    async with place() as there:
        client = await there.session()
        http = await client.post(
            CALL, Accept="text/event-stream, application/json", **{"MCP-Protocol-Version": "2025-11-25"}
        )
        await http.stream()
        priming = await http.event()
        call = await client.connection.hears()
        http.close()
        await gone(client)
        client.connection.say(LOG)
        client.connection.answer(call)
        again = await client.get(**{"Last-Event-ID": priming.id})
        await again.stream()
        assert [(await again.event()).json, (await again.event()).json["id"], await again.event()] == [LOG, 7, None]


@scenario
async def test_resuming_one_stream_gives_nothing_of_another():
    async with place() as there:
        client = await there.session()
        http = await client.post(PROGRESS)
        call = await client.connection.hears()
        client.connection.say(notification("notifications/progress", progressToken="p", progress=1))
        await http.stream()
        first = await http.event()
        get = await client.get()
        await get.stream()
        client.connection.say(NOTICE)
        standalone = await get.event()
        client.connection.answer(call)
        again = await client.get(**{"Last-Event-ID": first.id})
        await again.stream()
        assert [(await again.event()).json["id"], await again.event()] == [7, None]
        back = await client.get(**{"Last-Event-ID": standalone.id})
        await back.stream()
        client.connection.say(LOG)
        assert (await back.event()).json == LOG


FORGED = ["", "x", "1", "-1", "1-", "99-1", "1-x", "0x1-1", "٣-١", "1" * 5000 + "-1"]


@pytest.mark.parametrize("forged", FORGED, ids=[forged[:8] for forged in FORGED])
@scenario
async def test_an_event_id_that_this_session_never_gave_resumes_nothing(forged):
    async with place() as there:
        client = await there.session()
        reply = await (await client.get(**{"Last-Event-ID": forged})).reply()
        assert reply.status == 400


@scenario
async def test_a_second_get_takes_the_stream_over_and_the_first_one_ends():
    async with place() as there:
        client = await there.session()
        first = await client.get()
        await first.stream()
        second = await client.get()
        await second.stream()
        assert await first.event() is None
        client.connection.say(LOG)
        assert (await second.event()).json == LOG


@scenario
async def test_what_can_be_sent_again_is_bounded_and_the_oldest_goes_first():
    async with place(replay=1000) as there:
        client = await there.session()
        for number in range(100):
            client.connection.say(notification("notifications/message", number=number))
        get = await client.get()
        await get.stream()
        numbers = []
        while not numbers or numbers[-1] != 99:
            numbers.append((await get.event()).json["params"]["number"])
        assert numbers == list(range(100 - len(numbers), 100))
        assert len(numbers) < 15


@scenario
async def test_a_request_under_an_id_that_is_in_use_does_not_get_the_others_answer():
    async with place() as there:
        client = await there.session()
        first = await client.post(CALL)
        call = await client.connection.hears()
        client.connection.refuses = "the id belongs to a request that is still open"
        reply = await (await client.post(CALL)).reply()
        assert (reply.status, reply.json["id"], reply.json["error"]["code"]) == (400, None, -32600)
        client.connection.answer(call)
        assert (await first.reply()).json["id"] == 7


# Beginning and ending


@scenario
async def test_an_initialize_that_is_refused_gives_no_session():
    async with place() as there:
        http = await there.dial()
        http.post(request(1, "initialize"))
        while not there.connections:
            await http.writer.drain()
            await there_turns()
        opening = await there.connections[0].hears()
        there.connections[0].say({"jsonrpc": "2.0", "id": opening["id"], "error": {"code": -32602, "message": "no"}})
        reply = await http.reply()
        assert (reply.status, "mcp-session-id" in reply.headers) == (200, False)
        assert await ended(there.connections[0]) == "the client's initialize was refused"


@scenario
async def test_delete_ends_the_session_and_its_id_is_worth_nothing_any_more():
    async with place() as there:
        client = await there.session()
        get = await client.get()
        await get.stream()
        http = await there.dial()
        http.send("DELETE", "/mcp", client.headers)
        assert (await http.reply()).status == 204
        assert await get.event() is None
        for again in (await client.post(CALL), await client.get()):
            assert (await again.reply()).status == 404
        assert client.connection.why == "the client ended its session"


@scenario
async def test_an_idle_session_ends_but_not_one_with_an_open_stream_or_request():
    async with place(session_idle=-1.0) as there:
        idle, listening, waiting = await there.session(), await there.session(), await there.session()
        get = await listening.get()
        await get.stream()
        post = await waiting.post(CALL)
        call = await waiting.connection.hears()
        there.service.sweep()
        assert await ended(idle.connection) == "the client was idle for too long"
        waiting.connection.answer(call)
        assert (await post.reply()).status == 200
        listening.connection.say(LOG)
        assert (await get.event()).json == LOG


@scenario
async def test_when_the_connection_behind_it_ends_every_open_request_is_answered():
    async with place() as there:
        client = await there.session()
        post = await client.post(CALL)
        await client.connection.hears()
        client.connection.stop("the upstream is gone")
        reply = await post.reply()
        assert (reply.json["id"], reply.json["error"]["code"]) == (7, -32603)
        assert (await (await client.post(CALL)).reply()).status == 404


@scenario
async def test_a_paused_client_is_held_and_heard_in_order_when_it_may_speak_again():
    async with place() as there:
        client = await there.session()
        client.connection.client.pause()
        posts = [await client.post(notification("notifications/x", number=number)) for number in range(3)]
        for post in posts:
            await post.writer.drain()
        while len(client.connection.client._held) < 3:
            await there_turns()
        assert client.connection.heard.empty()
        client.connection.client.resume()
        numbers = [(await client.connection.hears())["params"]["number"] for _ in posts]
        assert sorted(numbers) == [0, 1, 2]
        assert [(await post.reply()).status for post in posts] == [202] * 3


async def there_turns() -> None:
    await asyncio.sleep(0)


async def ended(connection) -> str:
    while not connection.why:
        await there_turns()
    return connection.why


async def gone(client) -> None:
    """Until the server has noticed that no response of this session is being read."""
    while any(stream.channel is not None for stream, _ in client.connection.client._streams.values()):
        await there_turns()


@scenario
async def test_while_the_server_ends_an_open_call_may_still_be_answered_but_none_begun():
    async with place() as there:
        client = await there.session()
        kept = await there.dial()
        kept.post(CALL, **client.headers)
        call = await client.connection.hears()
        ending = asyncio.ensure_future(there.service.stop(grace=PATIENCE))
        await there_turns()
        refused = await client.post(request(8, "ping"))
        assert (await refused.reply()).status == 503
        answered = await client.post({"jsonrpc": "2.0", "id": 0, "result": {}})
        assert (await answered.reply()).status == 202
        assert (await client.connection.hears())["id"] == 0
        client.connection.answer(call)
        assert (await kept.reply()).json["id"] == 7
        for http in there.dialed:
            http.close()
        await ending


@scenario
async def test_a_server_that_is_to_end_at_once_waits_for_no_open_call_and_still_ends_each_connection_in_order():
    async with place() as there:
        client = await there.session()
        call = await client.post(CALL)
        await client.connection.hears()
        ending = asyncio.ensure_future(there.service.stop(grace=PATIENCE))
        await there_turns()
        assert client.connection.why == ""
        there.service.hurry()
        assert (await call.reply()).json["id"] == 7
        for http in there.dialed:
            http.close()
        await ending
        assert (client.connection.killed, client.connection.why) == (True, "the guard was told to end")


NO_SESSION = [
    (b"{bad", -32700, "the body is not JSON"),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"}', -32600, "a session is needed"),
    (b"[]", -32600, "a session is needed"),
]


@pytest.mark.parametrize("version", [None, "2025-11-25"])
@pytest.mark.parametrize(("body", "code", "text"), NO_SESSION)
@scenario
async def test_what_cannot_begin_a_session_is_told_what_is_wrong_with_it(version, body, code, text):
    async with place() as there:
        http = await there.dial()
        usual = {"Accept": BOTH, "Content-Type": "application/json", "MCP-Protocol-Version": version}
        http.send("POST", "/mcp", {**usual, "Content-Length": str(len(body))}, body)
        reply = await http.reply()
        assert (reply.status, reply.json["error"]["code"]) == (400, code)
        assert reply.json["error"]["message"].startswith(text)


@scenario
async def test_health_says_when_the_server_ends():
    async with place() as there:
        await there.session()
        there.service.door.stopping = True
        http = await there.dial()
        http.send("GET", "/healthz", {})
        reply = await http.reply()
        assert (reply.status, reply.json) == (503, {"status": "stopping"})

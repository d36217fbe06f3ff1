"""The stateless revision over HTTP: many POSTs of many clients, one connection behind each caller, nothing mixed up."""

import json

import pytest

from mcp_guard.transports.http_server.access import LOOPBACK, Access
from tests.transports.http_server.place import (
    META,
    credential,
    fields,
    modern,
    notification,
    place,
    scenario,
)
from tests.transports.http_server.test_session import ended, there_turns

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
PROTOCOL = "io.modelcontextprotocol/protocolVersion"


async def begun(there, count=1):
    """Until so many connections have been opened behind the server; gives the last."""
    while len(there.connections) < count:
        await there_turns()
    return there.connections[count - 1]


async def ask(there, message, **more):
    http = await there.dial()
    http.post(message, **fields(message["method"], message["params"].get("name"), **more))
    return http


@scenario
async def test_clients_with_the_same_ids_and_tokens_at_once_get_each_their_own_progress_and_answer():
    async with place() as there:
        message = modern(1, "tools/call", name="echo", meta={"progressToken": "p"})
        posts = [await ask(there, message) for _ in range(3)]
        connection = await begun(there)
        calls = [await connection.hears() for _ in posts]
        assert len({call["id"] for call in calls}) == 3
        for number, call in enumerate(calls):
            token = call["params"]["_meta"]["progressToken"]
            connection.say(notification("notifications/progress", progressToken=token, progress=number))
        for number, call in reversed(list(enumerate(calls))):
            connection.answer(call, number=number)
        seen = []
        for post in posts:
            await post.stream()
            progress, answer = (await post.event()).json, (await post.event()).json
            assert (answer["id"], progress["params"]["progressToken"]) == (1, "p")
            assert answer["result"]["number"] == progress["params"]["progress"]
            seen.append(answer["result"]["number"])
        assert sorted(seen) == [0, 1, 2]
        assert len(there.connections) == 1


@scenario
async def test_what_a_message_holds_besides_its_id_reaches_the_upstream_as_it_was():
    async with place() as there:
        message = modern("x", "extra/thing", meta={"mine": [1, {"a": "ü"}]}, other={"deep": [1.5, None]})
        await ask(there, {**message, "unknown": 9007199254740993})
        heard = await (await begun(there)).hears()
        assert {**heard, "id": "x"} == {**message, "unknown": 9007199254740993}


OTHERS = [
    ("another name", {"clientInfo": {"name": "other", "version": "1"}}),
    ("another version", {"clientInfo": {"name": "cursor", "version": "2"}}),
    ("no clientInfo", {"clientInfo": None}),
]


@pytest.mark.parametrize(("who", "meta"), OTHERS, ids=[case[0] for case in OTHERS])
@scenario
async def test_another_client_info_is_another_connection(who, meta):
    async with place() as there:
        first, second = modern(1, "tools/list"), modern(1, "tools/list")
        second["params"]["_meta"] |= {f"io.modelcontextprotocol/{key}": value for key, value in meta.items()}
        for message in (first, second, first):
            await ask(there, message)
            await begun(there, 1 if message is first else 2)
        assert len(there.connections) == 2


@scenario
async def test_another_credential_is_another_connection_and_its_user_anothers():
    tokens = [credential("a" * 20, "one", user="ann"), credential("b" * 20, "two", user="bob")]
    async with place(Access(LOOPBACK, (), tokens)) as there:
        for number, letter in enumerate("ab", 1):
            await ask(there, modern(1, "tools/list"), Authorization=f"Bearer {letter * 20}")
            await begun(there, number)
        assert [connection.client.caller.user for connection in there.connections] == ["ann", "bob"]


# Header fields must say what the body says

CALL = modern(5, "tools/call", name="echo", arguments={})
READ = modern(5, "resources/read", uri="file:///a")
MISMATCHES = [
    # what is wrong, the message, its fields, the error
    ("no Mcp-Method", CALL, {"Mcp-Method": None}, -32020),
    ("another method", CALL, {"Mcp-Method": "tools/list"}, -32020),
    ("a method in capitals", CALL, {"Mcp-Method": "TOOLS/CALL"}, -32020),
    ("no Mcp-Name", CALL, {"Mcp-Name": None}, -32020),
    ("another name", CALL, {"Mcp-Name": "delete"}, -32020),
    ("a name in Base64 that is another", CALL, {"Mcp-Name": "=?base64?ZGVsZXRl?="}, -32020),
    ("a name in Base64 that is broken", CALL, {"Mcp-Name": "=?base64?ZWNo?bw?="}, -32020),
    ("a name in Base64 without its padding", CALL, {"Mcp-Name": "=?base64?ZWNobw?="}, -32020),
    ("another resource", READ, {"Mcp-Name": "file:///b"}, -32020),
    ("a version that the body does not name", CALL, {"MCP-Protocol-Version": "2027-01-01"}, -32020),
    ("no version field", CALL, {"MCP-Protocol-Version": None}, -32020),
    ("a legacy version field", CALL, {"MCP-Protocol-Version": "2025-11-25"}, -32020),
    ("no _meta", {**CALL, "params": {"name": "echo"}}, {}, -32602),
    ("a _meta that is no object", {**CALL, "params": {"_meta": 1}}, {}, -32602),
    ("no capabilities", {**CALL, "params": {"name": "echo", "_meta": {PROTOCOL: "2026-07-28"}}}, {}, -32602),
    (
        "a version that nobody speaks",
        modern(5, "tools/list", meta={PROTOCOL: "2999-01-01"}),
        {"MCP-Protocol-Version": "2999-01-01", "Mcp-Method": "tools/list"},
        -32022,
    ),
    (
        "a version that never was, of a message that names none",
        {**CALL, "params": {"name": "echo"}},
        {"MCP-Protocol-Version": "1999-01-01"},
        -32022,
    ),
]


@pytest.mark.parametrize(("what", "message", "wrong", "code"), MISMATCHES, ids=[case[0] for case in MISMATCHES])
@scenario
async def test_fields_that_do_not_say_what_the_body_says_refuse_the_request_under_its_id(what, message, wrong, code):
    async with place() as there:
        http = await there.dial()
        params = message["params"]
        http.post(message, **{**fields(message["method"], params.get("name") or params.get("uri")), **wrong})
        reply = await http.reply()
        assert (reply.status, reply.json["id"], reply.json["error"]["code"]) == (400, 5, code)
        assert there.connections == []


@scenario
async def test_a_field_that_comes_twice_is_refused_whichever_of_them_is_right():
    async with place() as there:
        http = await there.dial()
        body = (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"%s":"2026-07-28",' % PROTOCOL.encode()
        )
        body += b'"io.modelcontextprotocol/clientCapabilities":{}}}}'
        head = [f"Host: localhost:{there.port}", "Accept: application/json, text/event-stream"]
        head += ["Content-Type: application/json", "MCP-Protocol-Version: 2026-07-28", f"Content-Length: {len(body)}"]
        head += ["Mcp-Method: tools/list", "Mcp-Method: tools/list"]
        http.raw("\r\n".join(["POST /mcp HTTP/1.1", *head, "", ""]).encode() + body)
        reply = await http.reply()
        assert (reply.status, reply.json["error"]["code"]) == (400, -32020)


TWO_READINGS = [
    ("a name twice", b'"name":"safe","name":"delete"'),
    ("a name in another spelling", b'"name":"safe","n\\u0061me":"delete"'),
    ("params twice", b'"name":"safe"},"params":{"name":"delete"'),
]


@pytest.mark.parametrize(("what", "members"), TWO_READINGS, ids=[case[0] for case in TWO_READINGS])
@pytest.mark.parametrize(("field", "passes"), [("safe", False), ("delete", True)])
@scenario
async def test_of_two_readings_of_a_body_the_one_that_is_judged_is_the_one_that_fields_are_compared_with(
    what, members, field, passes
):
    async with place() as there:
        meta = b'"_meta":' + json.dumps(META).encode()
        members = members.replace(b'},"params":{', b"," + meta + b'},"params":{')
        http = await there.dial()
        http.post(
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{%b,%b}}' % (members, meta),
            **fields("tools/call", field),
        )
        if passes:
            heard = await (await begun(there)).hears()
            assert heard["params"]["name"] == "delete"
        else:
            assert (await http.reply()).status == 400


ACCEPTED_NAMES = [
    ("plain", "echo", "echo"),
    ("padded", "echo", " \t echo  "),
    ("encoded", "écho", "=?base64?w6ljaG8=?="),
]


@pytest.mark.parametrize(("how", "name", "field"), ACCEPTED_NAMES, ids=[case[0] for case in ACCEPTED_NAMES])
@scenario
async def test_a_name_is_compared_as_it_was_before_it_was_encoded(how, name, field):
    async with place() as there:
        http = await there.dial()
        http.post(modern(1, "tools/call", name=name), **fields("tools/call", field))
        assert (await (await begun(there)).hears())["params"]["name"] == name


# Arguments that fields repeat

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "where": {"type": "object", "properties": {"dry": {"type": "boolean", "x-mcp-header": "Dry"}}},
        "query": {"type": "string"},
    },
}
PARAMS = [
    ("all as they should be", {"region": "eu", "count": 2, "where": {"dry": True}},
     {"Mcp-Param-Region": "eu", "Mcp-Param-Count": "2", "Mcp-Param-Dry": "true"}, True),
    ("an integer told as 2.0", {"count": 2}, {"Mcp-Param-Count": "2.0"}, True),
    ("names in any case", {"region": "eu"}, {"mcp-param-REGION": "eu"}, True),
    ("encoded", {"region": "süd"}, {"Mcp-Param-Region": "=?base64?c8O8ZA==?="}, True),
    ("null is not there", {"region": None}, {}, True),
    ("a field that no parameter has", {"query": "x"}, {"Mcp-Param-Query": "y"}, True),
    ("missing", {"region": "eu"}, {}, False),
    ("another value", {"region": "eu"}, {"Mcp-Param-Region": "us"}, False),
    ("a value that the body lacks", {"query": "x"}, {"Mcp-Param-Region": "us"}, False),
    ("broken Base64", {"region": "Hello"}, {"Mcp-Param-Region": "=?base64?SGVs!!!bG8=?="}, False),
    ("another number", {"count": 2}, {"Mcp-Param-Count": "3"}, False),
    ("a boolean with a capital", {"where": {"dry": True}}, {"Mcp-Param-Dry": "True"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "arguments", "given", "passes"), PARAMS, ids=[case[0] for case in PARAMS])
@scenario
async def test_arguments_that_a_tool_wants_repeated_in_fields_are_compared(what, arguments, given, passes):
    async with place() as there:
        http = await ask(there, modern(1, "tools/call", name="run", arguments=arguments), **given)
        connection = await begun(there)
        listing = await connection.hears()
        assert listing["method"] == "tools/list"
        connection.answer(listing, tools=[{"name": "other"}], nextCursor="2")
        listing = await connection.hears()
        assert listing["params"]["cursor"] == "2"
        connection.answer(listing, tools=[{"name": "run", "inputSchema": SCHEMA}])
        if passes:
            call = await connection.hears()
            assert call["params"]["arguments"] == arguments
            connection.answer(call, content=[])
            assert (await http.reply()).status == 200
        else:
            reply = await http.reply()
            assert (reply.status, reply.json["id"], reply.json["error"]["code"]) == (400, 1, -32020)
            assert connection.heard.empty()


@scenario
async def test_a_client_that_has_listed_the_tools_itself_is_not_listed_for():
    async with place() as there:
        listed = await ask(there, modern(1, "tools/list"))
        connection = await begun(there)
        connection.answer(await connection.hears(), tools=[{"name": "run", "inputSchema": SCHEMA}])
        assert (await listed.reply()).json["result"]["tools"][0]["name"] == "run"
        wrong = await ask(there, modern(2, "tools/call", name="run", arguments={"region": "eu"}))
        assert (await wrong.reply()).status == 400
        await ask(there, modern(3, "tools/call", name="echo", arguments={"region": "eu"}))
        assert (await connection.hears())["method"] == "tools/call"


@scenario
async def test_a_list_that_fails_lets_the_call_go_on_to_where_it_is_judged():
    async with place() as there:
        await ask(there, modern(1, "tools/call", name="run", arguments={"region": "eu"}))
        connection = await begun(there)
        listing = await connection.hears()
        connection.say({"jsonrpc": "2.0", "id": listing["id"], "error": {"code": -32603, "message": "no"}})
        assert (await connection.hears())["method"] == "tools/call"


# Answers and their status

STATUSES = [
    (-32601, 404),
    (-32602, 400),
    (-32600, 400),
    (-32020, 400),
    (-32021, 400),
    (-32022, 400),
    (-32603, 200),
    (1, 200),
]


@pytest.mark.parametrize(("code", "status"), STATUSES)
@scenario
async def test_an_error_has_the_status_that_the_revision_gives_it(code, status):
    async with place() as there:
        http = await ask(there, modern("a", "tools/list"))
        connection = await begun(there)
        error = {"code": code, "message": "no", "data": {"kept": True}}
        connection.say({"jsonrpc": "2.0", "id": (await connection.hears())["id"], "error": error})
        reply = await http.reply()
        assert (reply.status, reply.json) == (status, {"jsonrpc": "2.0", "id": "a", "error": error})
        assert "mcp-session-id" not in reply.headers


NOT_REQUESTS = [
    ("a batch", b"[]", -32600),
    ("a response", b'{"jsonrpc":"2.0","id":1,"result":{}}', -32600),
    ("a number", b"1", -32600),
    ("an id that is none", b'{"jsonrpc":"2.0","id":[],"method":"x"}', -32600),
    ("no JSON", b"{", -32700),
    ("nested without end", b"[" * 100_000, -32700),
    ("not UTF-8", b'{"method":"\xff"}', -32700),
]


@pytest.mark.parametrize(("what", "body", "code"), NOT_REQUESTS, ids=[case[0] for case in NOT_REQUESTS])
@scenario
async def test_what_is_no_request_gets_400(what, body, code):
    async with place() as there:
        http = await there.dial()
        http.post(body, **fields("tools/list"))
        reply = await http.reply()
        assert (reply.status, reply.json["id"], reply.json["error"]["code"]) == (400, None, code)


@scenario
async def test_a_notification_is_accepted_and_goes_on_only_where_its_sender_is_known_and_it_cancels_nothing():
    async with place() as there:
        await ask(there, modern(1, "tools/list"))
        connection = await begun(there)
        await connection.hears()
        for message in (
            notification("notifications/cancelled", requestId=1, _meta=META),
            notification("notifications/stranger"),
            notification("notifications/known", _meta=META),
        ):
            http = await there.dial()
            http.post(message, **fields(message["method"]))
            assert (await http.reply()).status == 202
        assert (await connection.hears())["method"] == "notifications/known"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@scenario
async def test_the_revision_has_no_method_but_post(method):
    async with place() as there:
        http = await there.dial()
        http.send(method, "/mcp", {"Accept": "text/event-stream", "MCP-Protocol-Version": "2026-07-28"})
        reply = await http.reply()
        assert (reply.status, reply.headers["allow"]) == (405, "POST")


# Streams


@scenario
async def test_closing_the_response_cancels_the_request_and_nobody_elses():
    async with place() as there:
        message = modern(1, "tools/call", name="echo")
        kept, closed = await ask(there, message), None
        connection = await begun(there)
        first = await connection.hears()
        closed = await ask(there, message)
        second = await connection.hears()
        closed.close()
        cancelled = await connection.hears()
        assert (cancelled["method"], cancelled["params"]["requestId"]) == ("notifications/cancelled", second["id"])
        connection.answer(second)
        connection.answer(first, kept=True)
        assert (await kept.reply()).json["result"] == {"kept": True}


@scenario
async def test_a_subscription_is_a_stream_whose_notices_bear_the_clients_own_id():
    async with place() as there:
        posts, listens = [], []
        for _ in range(2):
            posts.append(
                await ask(there, modern("s", "subscriptions/listen", notifications={"toolsListChanged": True}))
            )
            connection = await begun(there)
            listens.append(await connection.hears())
        for number, listen in enumerate(listens):
            for method in ("notifications/subscriptions/acknowledged", "notifications/tools/list_changed"):
                connection.say(notification(method, _meta={SUBSCRIPTION: listen["id"], "number": number}))
        for number, post in enumerate(posts):
            await post.stream()
            for method in ("notifications/subscriptions/acknowledged", "notifications/tools/list_changed"):
                notice = (await post.event()).json
                assert notice == notification(method, _meta={SUBSCRIPTION: "s", "number": number})
        connection.say(notification("notifications/cancelled", requestId=listens[0]["id"]))
        assert await posts[0].event() is None
        connection.answer(listens[1], resultType="complete", _meta={SUBSCRIPTION: listens[1]["id"]})
        answer = (await posts[1].event()).json
        assert (answer["id"], answer["result"]["_meta"][SUBSCRIPTION]) == ("s", "s")


@scenario
async def test_a_server_that_ends_tells_its_subscribers_so():
    async with place() as there:
        post = await ask(there, modern(3, "subscriptions/listen"))
        connection = await begun(there)
        listen = await connection.hears()
        connection.say(notification("notifications/subscriptions/acknowledged", _meta={SUBSCRIPTION: listen["id"]}))
        await post.stream()
        await post.event()
        await there.service.stop(grace=0)
        last = (await post.event()).json
        assert last == {"jsonrpc": "2.0", "id": 3, "result": {"resultType": "complete", "_meta": {SUBSCRIPTION: 3}}}
        assert await post.event() is None


LOGS = [
    ("of a request that asked for them", [{LOG_LEVEL: "info"}], None, 0),
    ("of the latest that asked for them", [{LOG_LEVEL: "info"}, {LOG_LEVEL: "info"}, {}], None, 1),
    ("of the one that it is about", [{LOG_LEVEL: "info"}, {LOG_LEVEL: "info"}], 0, 0),
    ("of nobody, where none asked for them", [{}], None, None),
]


@pytest.mark.parametrize(("what", "metas", "related", "where"), LOGS, ids=[case[0] for case in LOGS])
@scenario
async def test_log_messages_go_to_the_response(what, metas, related, where):
    async with place() as there:
        posts, calls = [], []
        for meta in metas:
            posts.append(await ask(there, modern(1, "tools/call", meta=meta, name="echo")))
            calls.append(await (await begun(there)).hears())
        connection = there.connections[0]
        log = notification("notifications/message", level="info", data=1)
        connection.say(log, None if related is None else calls[related]["id"])
        for number, (post, call) in enumerate(zip(posts, calls, strict=True)):
            connection.answer(call)
            if number == where:
                await post.stream()
                assert (await post.event()).json == log
            else:
                assert (await post.reply()).json["id"] == 1


@scenario
async def test_a_request_of_the_upstreams_never_reaches_the_client_and_is_answered():
    async with place() as there:
        post = await ask(there, modern(1, "tools/call", name="echo"))
        connection = await begun(there)
        call = await connection.hears()
        connection.say({"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": {}})
        refused = await connection.hears()
        assert (refused["id"], refused["error"]["code"]) == ("q", -32601)
        connection.answer(call)
        assert (await post.reply()).json["id"] == 1


@scenario
async def test_a_stream_is_preferred_by_whom_names_it_first_but_an_error_keeps_its_status():
    async with place() as there:
        prefers = {"Accept": "text/event-stream, application/json"}
        good = await ask(there, modern(1, "tools/list"), **prefers)
        connection = await begun(there)
        connection.answer(await connection.hears(), tools=[])
        await good.stream()
        assert [(await good.event()).json["id"], await good.event()] == [1, None]
        bad = await ask(there, modern(2, "tools/list"), **prefers)
        error = {"code": -32601, "message": "no"}
        connection.say({"jsonrpc": "2.0", "id": (await connection.hears())["id"], "error": error})
        assert (await bad.reply()).status == 404


@scenario
async def test_a_caller_that_has_been_idle_is_let_go_and_comes_back_as_a_new_connection():
    async with place(caller_idle=-1.0) as there:
        for number in (1, 2):
            http = await ask(there, modern(1, "tools/list"))
            connection = await begun(there, number)
            heard = await connection.hears()
            there.service.sweep()
            connection.answer(heard, tools=[])
            assert (await http.reply()).status == 200
            there.service.sweep()
            assert await ended(connection) == "the client was idle for too long"


@scenario
async def test_an_answer_to_an_id_that_nobody_has_is_dropped():
    async with place() as there:
        http = await ask(there, modern(1, "tools/list"))
        connection = await begun(there)
        heard = await connection.hears()
        for strange in (99, "1", 1.5, None):
            connection.say({"jsonrpc": "2.0", "id": strange, "result": {"not": "yours"}})
        connection.say(b'{"jsonrpc":"2.0","id":%d.0,"result":{"yours":true}}' % heard["id"])
        assert (await http.reply()).json == {"jsonrpc": "2.0", "id": 1, "result": {"yours": True}}

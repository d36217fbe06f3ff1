"""Everything but calls and lists of tools passes, both ways, under its own id; what breaks JSON-RPC does not."""

import json

import pytest

from tests.gate.playbook import (
    ALLOW_ALL,
    META,
    Playbook,
    call,
    connected,
    modern,
    notification,
    request,
    result,
)

FROM_CLIENT = [
    request(1, "ping"),
    request("a", "resources/read", uri="file:///x"),
    request(-5, "prompts/get", name="p", arguments={"a": "ä\u2028"}),
    request(2, "completion/complete", ref={"type": "ref/prompt", "name": "p"}),
    request(3, "tasks/result", taskId="t"),
    request(4, "future/method", deep=[{"a": [1, 2.5, None, True, 10**30]}]),
    {"jsonrpc": "2.0", "id": 5, "method": "no/params"},
    {**request(6, "ping"), "future": {"member": 1}},
    notification("notifications/progress", progressToken=1, progress=0.5),
    notification("notifications/roots/list_changed"),
    notification("future/notification", x=1),
]


@pytest.mark.parametrize("message", FROM_CLIENT, ids=lambda message: message["method"])
def test_any_method_passes_upstream_unchanged(message):
    turn = connected().client(message)
    assert turn.upstream == [message]
    assert (turn.client, turn.events) == ([], [])


FROM_UPSTREAM = [
    request(0, "roots/list"),
    request("e", "elicitation/create", message="m", requestedSchema={}),
    notification("notifications/message", level="info", data="text"),
    notification("notifications/progress", progressToken="p", progress=1),
    notification("future/notification", x=[1.0, "ü"]),
    {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}},
]


@pytest.mark.parametrize("message", FROM_UPSTREAM, ids=str)
def test_any_message_of_the_upstream_passes_to_the_client_byte_for_byte(message):
    line = json.dumps(message, ensure_ascii=False, indent=1).replace("\n", "  ").encode()
    assert connected().upstream(line).lines == [line]


ANSWERS = [
    {"result": {"content": [], "structuredContent": {"n": 1}}},
    {"result": {"resultType": "input_required", "requestState": "s", "inputRequests": {}}},
    {"result": {}},
    {"result": []},
    {"result": None},
    {"result": "text"},
    {"error": {"code": -32000, "message": "m", "data": [1]}},
    {"result": {"isError": "not a boolean"}, "future": 1},
]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
@pytest.mark.parametrize("sent", [request(9, "any/method"), call(9, "read_file")], ids=["a request", "a call"])
def test_any_answer_passes_unchanged_once(sent, answer):
    book = connected()
    book.client(sent)
    message = {"jsonrpc": "2.0", "id": 9, **answer}
    assert book.upstream(message).client == [message]
    turn = book.upstream(message)
    assert (turn.client, turn.types) == ([], ["message.rejected"])


@pytest.mark.parametrize("sent", [request(9, "any/method"), call(9, "read_file")], ids=["a request", "a call"])
@pytest.mark.parametrize("result_", ["{}", '"text"', '{"content":[]}'])
def test_an_answer_with_both_a_result_and_an_error_is_none(sent, result_):
    book = connected()
    book.client(sent)
    turn = book.upstream(f'{{"jsonrpc":"2.0","id":9,"result":{result_},"error":{{"code":1,"message":"m"}}}}'.encode())
    assert [answer["error"]["code"] for answer in turn.client] == [-32603]
    assert turn.types == [*(["tool.completed"] if sent["method"] == "tools/call" else []), "message.rejected"]


@pytest.mark.parametrize("answer", ['"result":{},"error":null', '"error":{"code":1,"message":"m"},"result":null'])
def test_a_null_beside_the_answer_is_no_second_one(answer):
    book = connected()
    book.client(request(9, "any/method"))
    line = f'{{"jsonrpc":"2.0","id":9,{answer}}}'.encode()
    assert book.upstream(line).lines == [line]


def test_ids_of_the_two_sides_do_not_meet():
    book = connected()
    book.client(request(0, "ping"))
    book.upstream(request(0, "roots/list"))
    assert book.client(result(0, roots=[])).upstream == [result(0, roots=[])]
    assert book.upstream(result(0)).client == [result(0)]


def test_a_string_id_and_a_number_are_not_the_same():
    book = connected()
    book.client(request(1, "ping"))
    assert book.upstream(result("1")).types == ["message.rejected"]
    assert book.upstream(result(1)).client == [result(1)]


def test_a_response_that_the_upstream_did_not_ask_for_goes_no_further():
    turn = connected().client(result(3, roots=[]))
    assert (turn.upstream, turn.client, turn.types) == ([], [], ["message.rejected"])


def test_a_cancellation_passes_and_a_late_answer_still_finds_its_request():
    book = connected()
    book.client(call(1, "read_file"))
    cancelled = notification("notifications/cancelled", requestId=1, reason="no")
    assert book.client(cancelled).upstream == [cancelled]
    assert book.upstream(result(1)).client == [result(1)]


def test_requests_that_were_cancelled_long_ago_are_forgotten():
    book = connected()
    for number in range(1100):
        book.client(request(number, "slow"))
        book.client(notification("notifications/cancelled", requestId=number))
    assert book.upstream(result(0)).types == ["message.rejected"]
    assert book.upstream(result(1099)).client == [result(1099)]


MALFORMED = {
    "invalid UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', None, -32700),
    "half a message": (b'{"jsonrpc":"2.0","id":1,"meth', None, -32700),
    "NaN": (b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":NaN}}', None, -32700),
    "deep nesting": (b'{"jsonrpc":"2.0","id":1,"params":' + b"[" * 10_000 + b"]" * 10_000 + b"}", None, -32700),
    "an array": (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', None, -32600),
    "an empty array": (b"[]", None, -32600),
    "a string": (b'"text"', None, -32600),
    "a number": (b"42", None, -32600),
    "null": (b"null", None, -32600),
    "an empty object": (b"{}", None, -32600),
    "no version": (b'{"id":1,"method":"ping"}', 1, -32600),
    "version 1.0": (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 1, -32600),
    "an object as id": (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', None, -32600),
    "an array as id": (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', None, -32600),
    "a fraction as id": (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', None, -32600),
    "a whole float as id": (b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}', None, -32600),
    "a boolean as id": (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', None, -32600),
    "null as id": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', None, -32600),
    "an id of 5,000 characters": (b'{"jsonrpc":"2.0","id":"' + b"x" * 5_000 + b'","method":"m"}', None, -32600),
    "an id of 4,000 digits": (b'{"jsonrpc":"2.0","id":' + b"9" * 4_000 + b',"method":"m"}', None, -32600),
    "a number as method": (b'{"jsonrpc":"2.0","id":1,"method":5}', 1, -32600),
    "params that are an array": (b'{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}', 1, -32602),
    "params that are text": (b'{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}', 1, -32602),
    "params that are null": (b'{"jsonrpc":"2.0","id":1,"method":"m","params":null}', 1, -32602),
    "a method and a result": (b'{"jsonrpc":"2.0","id":1,"method":"m","result":{}}', 1, -32600),
    "a result and an error": (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 1, -32600),
    "a call without a name": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', 1, -32602),
    "a call without params": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', 1, -32602),
    "a call whose name is a list": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":[]}}', 1, -32602),
    "a call whose arguments are a list": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}', 1, -32602),
}  # fmt: skip


@pytest.mark.parametrize(("line", "answer_id", "code"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_breaks_json_rpc_gets_an_error_and_an_event_and_the_session_lives_on(line, answer_id, code):
    book = connected()
    turn = book.client(line)
    assert turn.upstream == []
    (answer,) = turn.client
    assert (answer["id"], answer["error"]["code"]) == (answer_id, code)
    assert turn.types == ["message.rejected"]
    assert turn.events[0].data["bytes"] == len(line)
    assert book.client(call(50, "read_file")).upstream


def test_a_repeated_id_is_refused_while_its_request_is_open_and_does_not_answer_that_one():
    book = connected()
    book.client(call(1, "read_file"))
    turn = book.client(call(1, "read_file"))
    assert turn.upstream == []
    assert turn.client[0]["id"] is None
    assert book.upstream(result(1)).client == [result(1)]
    assert book.client(call(1, "read_file")).upstream


GARBAGE = {
    "a log line": b"Server listening on stdio",
    "half a message": b'{"jsonrpc":"2.0","id":1,"res',
    "an array": b"[]",
    "an array of messages": b'[{"jsonrpc":"2.0","method":"m"}]',
    "no version": b'{"id":1,"result":{}}',
    "neither method nor result": b'{"jsonrpc":"2.0","id":1}',
    "a method and a result": b'{"jsonrpc":"2.0","id":1,"method":"m","result":{}}',
    "a number as method": b'{"jsonrpc":"2.0","method":1}',
    "invalid UTF-8": b'{"jsonrpc":"2.0","method":"\xff\xfe"}',
    "two messages": b'{"jsonrpc":"2.0","method":"a"} {"jsonrpc":"2.0","method":"b"}',
    "deep nesting": b'{"jsonrpc":"2.0","method":"m","params":' + b"[" * 100_000,
    "a result for nobody": b'{"jsonrpc":"2.0","id":"nobody","result":{}}',
    "a result for null": b'{"jsonrpc":"2.0","id":null,"result":{}}',
    "a result for true": b'{"jsonrpc":"2.0","id":true,"result":{}}',
    "a result for a list": b'{"jsonrpc":"2.0","id":[1],"result":{}}',
    "a request under an object": b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
}


@pytest.mark.parametrize("line", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_of_an_upstream_is_recorded_and_not_forwarded_and_the_session_lives_on(line):
    book = connected()
    book.client(call(1, "read_file"))
    turn = book.upstream(line)
    assert (turn.client, turn.upstream, turn.types) == ([], [], ["message.rejected"])
    assert book.upstream(result(1)).client == [result(1)]


def test_a_call_whose_answer_is_no_json_gets_an_error_that_says_so():
    book = connected()
    book.client(call(1, "read_file"))
    turn = book.upstream(b'{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"mean":NaN}}}')
    assert [message["error"]["message"] for message in turn.client] == ["mcp-guard: the server's answer is no JSON"]
    assert turn.types == ["message.rejected", "tool.completed"]
    assert book.client(call(1, "read_file")).upstream


READ_IN_FULL = [
    ("initialize", rb'"result":{"protocolVersion":"2025-11-25","x":1e400}', "a number is out of range"),
    ("server/discover", b'"result":{"instructions":"\xff"}', "not valid UTF-8"),
    ("tools/list", rb'"error":{"code":1,"message":"no","data":1e400}', "a number is out of range"),
    ("resources/list", b'"error":{"code":1,"message":"\xff"}', "not valid UTF-8"),
]


@pytest.mark.parametrize(("method", "answer", "why"), READ_IN_FULL)
def test_what_is_asked_for_fails_where_its_answer_cannot_be_read_in_full(method, answer, why):
    policy = ALLOW_ALL + '  - {id: r, name: R, effect: allow, resources: "*"}\n'
    book = Playbook(policy) if method == "initialize" else connected(policy)
    book.client(request(1, method))
    turn = book.upstream(b'{"jsonrpc":"2.0","id":1,%b}' % answer)
    assert [message["error"]["message"] for message in turn.client] == [
        f"mcp-guard: the server's answer cannot be read: {why}"
    ]
    assert turn.types == ["message.rejected"]


def test_the_start_of_an_answer_that_somebody_printed_is_no_answer():
    book = connected()
    book.client(call(1, "read_file"))
    assert book.upstream(b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"ty...').types == ["message.rejected"]
    assert book.upstream(result(1)).client == [result(1)]


HALVES = [
    ("the first half of an emoji", rb"cut \ud83d", "cut \ufffd"),
    ("the second half", rb"\uDE00 cut", "\ufffd cut"),
    ("both, the wrong way round", rb"\ude00\ud83d", "\ufffd\ufffd"),
    ("two first halves and a second", rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
    ("behind an escaped backslash", rb"\\\ud83d", "\\\ufffd"),
    ("a backslash and letters, which are none, before one", rb"\\ud83d\ude00", "\\ud83d\ufffd"),
]


@pytest.mark.parametrize(("said", "read"), [case[1:] for case in HALVES], ids=[case[0] for case in HALVES])
def test_half_a_character_in_an_answer_becomes_the_one_for_that(said, read):
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"%b","n":1.0}]}}' % said
    book = connected()
    book.client(call(1, "read_file"))
    turn = book.upstream(answer)
    assert turn.client == [result(1, content=[{"type": "text", "text": read, "n": 1.0}])]
    assert turn.types == ["tool.completed"]


def test_half_a_character_in_a_batch_costs_nothing_else_of_it():
    book = connected(protocol="2025-03-26")
    said = b'[{"jsonrpc":"2.0","method":"x","params":{"y":"\\ud83d"}},{"jsonrpc":"2.0","method":"x"}]'
    assert book.upstream(said).client == [[notification("x", y="\ufffd"), notification("x")]]


def test_half_a_character_in_a_very_long_line_is_not_looked_for(monkeypatch):
    monkeypatch.setattr("mcp_guard.gate.wire.MENDED", 10)
    book = connected()
    book.client(call(1, "read_file"))
    turn = book.upstream(b'{"jsonrpc":"2.0","id":1,"result":{"y":"\\ud83d"}}')
    assert [message["error"]["code"] for message in turn.client] == [-32603]


def test_a_flood_of_garbage_does_not_fill_the_log():
    book = connected()
    assert sum(len(book.upstream(b"garbage").events) for _ in range(1500)) == 1000


# The handshake


def test_the_initialize_result_announces_that_tools_may_change_and_is_otherwise_untouched():
    book = Playbook(ALLOW_ALL)
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo={"name": "c"}, capabilities={}))
    answer = result(0, protocolVersion="2025-11-25", capabilities={"tools": {"x": 1}, "logging": {}}, instructions="i")
    changed = book.upstream(answer).client[0]
    assert changed["result"]["capabilities"]["tools"].pop("listChanged") is True
    assert changed == answer


@pytest.mark.parametrize("capabilities", [{}, {"prompts": {}}, None, [], {"tools": True}])
def test_capabilities_without_tools_pass_as_they_are(capabilities):
    book = Playbook(ALLOW_ALL)
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo={"name": "c"}, capabilities={}))
    answer = result(0, protocolVersion="2025-11-25", capabilities=capabilities)
    assert book.upstream(answer).client == [answer]


def test_a_modern_request_without_a_probe_makes_the_guard_list_with_the_clients_envelope():
    book = Playbook(ALLOW_ALL)
    listing, forwarded = book.client(request(1, "resources/list", _meta=META)).upstream
    assert listing["method"] == "tools/list"
    assert listing["params"]["_meta"] == META
    assert forwarded == request(1, "resources/list", _meta=META)
    assert book.client(request(2, "resources/list", _meta=META)).upstream == [request(2, "resources/list", _meta=META)]


def test_a_probe_that_a_legacy_upstream_refuses_leaves_room_for_the_handshake():
    book = Playbook(ALLOW_ALL)
    assert book.client(request("p", "server/discover", _meta=META)).upstream == [
        request("p", "server/discover", _meta=META)
    ]
    error = {"jsonrpc": "2.0", "id": "p", "error": {"code": -32601, "message": "Method not found"}}
    turn = book.upstream(error)
    assert (turn.client, turn.upstream) == ([error], [])


def test_each_self_introduction_in_the_modern_era_is_judged_as_what_it_says():
    policy = "version: 1\nname: n\nrules: [{id: r, name: R, effect: allow, agents: cursor}]\n"
    book = modern(policy)
    other = META | {"io.modelcontextprotocol/clientInfo": {"name": "another", "version": "1"}}
    assert book.client(call(1, "read_file", META)).upstream
    assert book.client(call(2, "read_file", other)).upstream == []
    assert book.client(call(3, "read_file", META)).upstream


def test_a_pinned_agent_outranks_what_the_client_says():
    policy = "version: 1\nname: n\nrules: [{id: r, name: R, effect: allow, agents: claude-code}]\n"
    book = connected(policy, agent="codex")
    turn = book.client(call(1, "read_file"))
    assert turn.upstream == []
    assert (turn.events[0].agent, turn.events[0].agent_verified) == ("codex", True)


def test_a_mistake_of_the_guards_own_is_an_error_that_names_no_data_and_the_session_lives_on(monkeypatch):
    book = connected()
    monkeypatch.setattr("mcp_guard.gate.calls.judge", lambda *_: {}["secret-key"])
    turn = book.client(call(1, "read_file", token="secret-value"))
    assert turn.upstream == []
    assert turn.client[0]["error"] == {"code": -32603, "message": "mcp-guard: internal error (KeyError)"}
    assert "secret" not in str(turn.events)
    assert book.client(request(2, "ping")).upstream

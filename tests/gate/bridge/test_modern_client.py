"""A modern client with a legacy upstream: every request in the other era's words, every answer in its own."""

import pytest

from mcp_guard.gate.bridge.errands import MAX_CANCELLED
from mcp_guard.gate.bridge.link import MAX_OWN
from tests.gate.bridge.playbook import (
    ABLE_META,
    OFFERED,
    SERVER,
    SERVER_META,
    Book,
    error,
    modern_book,
)
from tests.gate.playbook import FILES_POLICY, META, call, notification, request, result, tool

VERSION = "io.modelcontextprotocol/protocolVersion"
LEVEL = "io.modelcontextprotocol/logLevel"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"

REQUESTS = [
    ("tools/list", {}),
    ("tools/list", {"cursor": "c"}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "p", "arguments": {"a": "ü"}}),
    ("resources/list", {"cursor": "2"}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "file:///x"}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "b"}}),
    ("future/method", {"deep": [{"a": 10**30}]}),
    ("ping", {}),
]


@pytest.mark.parametrize(("method", "params"), REQUESTS)
def test_the_envelope_is_taken_off_and_nothing_else(method, params):
    sent = request("r", method, **params, _meta={**ABLE_META, "traceparent": "00-1"})
    [message] = modern_book().client(sent).upstream
    assert message == request("r", method, **params, _meta={"traceparent": "00-1"})


def test_params_that_were_only_the_envelope_are_left_out():
    [message] = modern_book().client(request(1, "prompts/list", _meta=META)).upstream
    assert message == {"jsonrpc": "2.0", "id": 1, "method": "prompts/list"}


def test_a_call_goes_upstream_as_it_was_judged():
    turn = modern_book(FILES_POLICY).client(call(1, "write_file", ABLE_META, path="/tmp/x"))
    assert turn.upstream == [call(1, "write_file", path="/tmp/x")]
    assert (turn.events[0].decision, turn.events[0].tool) == ("allow", "write_file")


def test_a_call_that_is_denied_is_answered_in_the_modern_era():
    turn = modern_book(FILES_POLICY).client(call(1, "write_file", ABLE_META, path="/etc/x"))
    assert turn.upstream == []
    assert (turn.client[0]["result"]["resultType"], turn.client[0]["result"]["isError"]) == ("complete", True)


@pytest.mark.parametrize("sent", [request(1, "tools/list"), call(1, "read_file"), request(1, "future/method")])
def test_a_request_that_does_not_say_its_revision_is_refused_as_a_modern_server_would(sent):
    turn = modern_book().client(sent)
    assert turn.upstream == []
    assert turn.client == [error(1, -32602, "params._meta needs io.modelcontextprotocol/protocolVersion")]


def test_half_a_character_of_a_legacy_server_becomes_the_one_for_that():
    book = modern_book()
    book.client(call(1, "read_file", ABLE_META))
    said = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"cut \\ud83d"}]}}'
    [answer] = book.upstream(said).client
    assert answer["result"]["content"] == [{"type": "text", "text": "cut \ufffd"}]


BOTH = {"result": {"content": []}, "error": {"code": 1, "message": "m"}}


@pytest.mark.parametrize(
    ("empty", "answer"), [(None, (None, -32603)), ("error", ([], None)), ("result", (None, 1))], ids=str
)
def test_an_answer_is_one_of_result_and_error_and_a_null_beside_it_is_none(empty, answer):
    book = modern_book()
    book.client(call(1, "read_file", ABLE_META, path="/x"))
    [said] = book.upstream({"jsonrpc": "2.0", "id": 1, **BOTH, **({empty: None} if empty else {})}).client
    assert (said.get("result", {}).get("content"), said.get("error", {}).get("code")) == answer


RESULTS = [
    ("tools/call", {"content": [{"type": "text", "text": "ü\u2028"}]}, {}),
    ("prompts/get", {"messages": [], "_meta": {"a": 1}}, {}),
    ("future/method", {"\u2028": "\u2029", "_meta": {"\x85": "\u2028"}, "deep": {"\u2029": 1}}, {}),
    ("completion/complete", {"completion": {"values": []}}, {}),
    ("prompts/list", {"prompts": []}, {"ttlMs": 0, "cacheScope": "private"}),
    ("resources/list", {"resources": [], "nextCursor": "2"}, {"ttlMs": 0, "cacheScope": "private"}),
    ("resources/templates/list", {"resourceTemplates": []}, {"ttlMs": 0, "cacheScope": "private"}),
    ("resources/read", {"contents": [], "ttlMs": 1e9, "cacheScope": "public"}, {"ttlMs": 0, "cacheScope": "private"}),
    ("future/method", {"resultType": "input_required", "requestState": "forged"}, {}),
]


@pytest.mark.parametrize(("method", "answer", "more"), RESULTS)
def test_a_result_says_its_type_its_server_and_how_long_it_may_be_kept(method, answer, more):
    book = modern_book()
    params = {"name": "read_file"} if method == "tools/call" else {}
    book.client(request(1, method, **params, _meta=META))
    [told] = book.upstream(result(1, **answer)).client
    meta = {**answer.get("_meta", {}), **SERVER_META}
    assert told == result(1, **{**answer, "resultType": "complete", "_meta": meta, **more})


def test_a_list_of_tools_is_filtered_and_says_nothing_of_legacy_tasks():
    book = modern_book(FILES_POLICY)
    book.client(request(1, "tools/list", _meta=META))
    tools = [tool("read_file", execution={"taskSupport": "optional"}), tool("delete_file")]
    [told] = book.upstream(result(1, tools=tools)).client
    assert told["result"]["tools"] == [tool("read_file")]
    assert (told["result"]["ttlMs"], told["result"]["cacheScope"]) == (0, "private")


ODD_RESULTS = [None, [], "text", 5]


@pytest.mark.parametrize("odd", ODD_RESULTS, ids=str)
def test_a_result_that_is_no_object_passes_as_it_is(odd):
    book = modern_book()
    book.client(request(1, "future/method", _meta=META))
    answer = {"jsonrpc": "2.0", "id": 1, "result": odd}
    assert book.upstream(answer).client == [answer]


ERRORS = [
    (-32002, -32602),
    (-32602, -32602),
    (-32601, -32601),
    (-32042, -32603),
    (-32050, -32603),
    (0, 0),
    (-32001, -32001),
]


@pytest.mark.parametrize(("said", "told"), ERRORS)
def test_an_error_has_the_code_that_it_has_in_the_modern_era(said, told):
    book = modern_book()
    book.client(request(1, "resources/read", uri="a:/x", _meta=META))
    answer = error(1, said, "gone", data={"uri": "a:/x"})
    assert book.upstream(answer).client == [error(1, told, "gone", data={"uri": "a:/x"})]


def test_a_revision_that_the_bridge_does_not_speak_is_refused_as_a_modern_server_does():
    book = modern_book()
    turn = book.client(call(1, "read_file", {**META, VERSION: "2031-01-01"}))
    assert turn.upstream == []
    data = {"supported": ["2026-07-28"], "requested": "2031-01-01"}
    assert turn.client == [error(1, -32022, "Unsupported protocol version", data=data)]
    assert "tool.decided" in turn.types


@pytest.mark.parametrize(
    "method",
    ["resources/subscribe", "resources/unsubscribe", "logging/setLevel", "tasks/list", "tasks/result", "tasks/get",
     "tasks/update", "tasks/cancel"],
)  # fmt: skip
def test_what_a_modern_server_does_not_have_is_not_found(method):
    turn = modern_book().client(request(1, method, uri="a:/x", level="info", taskId="t", _meta=META))
    assert turn.upstream == []
    assert (turn.client[0]["id"], turn.client[0]["error"]["code"]) == (1, -32601)


def test_the_client_may_discover_again():
    book = modern_book()
    turn = book.client(request(1, "server/discover", _meta=META))
    assert turn.upstream == []
    assert turn.client[0]["result"]["capabilities"] == OFFERED
    assert turn.client[0]["result"]["_meta"] == SERVER_META


def test_the_guard_answers_the_upstreams_pings():
    assert modern_book().upstream(request(0, "ping")).upstream == [result(0)]


@pytest.mark.parametrize("method", ["tasks/get", "future/question"])
def test_a_request_of_the_upstream_that_nobody_knows_is_not_found(method):
    turn = modern_book().upstream(request("q", method))
    assert turn.client == []
    assert turn.upstream == [error("q", -32601, "Method not found")]


GARBAGE = {
    "a log line": b"Server listening on stdio",
    "an array": b'[{"jsonrpc":"2.0","method":"notifications/x"}]',
    "another version": b'{"jsonrpc":"1.0","id":1,"result":{}}',
    "an answer for nobody": b'{"jsonrpc":"2.0","id":99,"result":{}}',
    "an answer for true": b'{"jsonrpc":"2.0","id":true,"result":{}}',
    "an error without an id": b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}',
    "a request under an object": b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
}


@pytest.mark.parametrize("line", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_of_the_upstreams_is_recorded_and_goes_no_further(line):
    book = modern_book()
    book.client(call(1, "read_file", META))
    turn = book.upstream(line)
    assert (turn.client, turn.upstream, turn.types) == ([], [], ["message.rejected"])
    assert book.upstream(result(1)).client


def test_an_upstream_that_answers_twice_is_heard_once():
    book = modern_book()
    book.client(call(1, "read_file", META))
    assert book.upstream(result(1)).client
    assert book.upstream(result(1)).types == ["message.rejected"]


def test_the_guards_own_requests_cannot_be_answered_by_guessing():
    book = modern_book()
    book.client(request(1, "resources/read", uri="a:/x", _meta={**META, LEVEL: "info"}))
    assert book.upstream(result("mcp-guard/1")).types == ["message.rejected"]


def test_a_batch_of_an_upstream_of_2025_03_26_is_heard_message_by_message():
    book = modern_book(version="2025-03-26")
    book.client(request(1, "prompts/list", _meta=META))
    book.client(request(2, "resources/list", _meta=META))
    turn = book.upstream([result(1, prompts=[]), result(2, resources=[]), request(0, "ping"), 5])
    assert [message["id"] for message in turn.client] == [1, 2]
    assert turn.upstream == [result(0)]
    assert turn.types == ["message.rejected"]


# Cancellation and progress


def test_a_cancellation_passes_and_a_late_answer_still_finds_its_request():
    book = modern_book()
    book.client(call(1, "read_file", META))
    cancelled = notification("notifications/cancelled", requestId=1, reason="no")
    assert book.client(cancelled).upstream == [cancelled]
    assert book.upstream(result(1)).client[0]["id"] == 1


def test_cancelled_requests_are_forgotten_in_the_end():
    book = modern_book()
    for number in range(MAX_CANCELLED + 5):
        book.client(request(number, "slow", _meta=META))
        book.client(notification("notifications/cancelled", requestId=number))
    assert book.upstream(result(0)).types == ["message.rejected"]
    assert book.upstream(result(MAX_CANCELLED)).client


@pytest.mark.parametrize("odd", [{}, [1], True, None])
def test_a_cancellation_of_nothing_goes_nowhere(odd):
    assert modern_book().client(notification("notifications/cancelled", requestId=odd)).upstream == []


def test_progress_passes_under_the_clients_token():
    book = modern_book()
    [sent] = book.client(call(1, "read_file", {**ABLE_META, "progressToken": "t"})).upstream
    assert sent["params"]["_meta"] == {"progressToken": "t"}
    progress = notification("notifications/progress", progressToken="t", progress=1)
    assert book.upstream(progress).client == [progress]


@pytest.mark.parametrize(
    "method",
    ["notifications/elicitation/complete", "notifications/tasks/status", "notifications/tasks",
     "notifications/subscriptions/acknowledged"],
)  # fmt: skip
def test_notifications_that_have_no_place_are_dropped(method):
    assert modern_book().upstream(notification(method, elicitationId="e", taskId="t")).outputs == []


def test_other_notifications_pass_both_ways():
    book = modern_book()
    assert book.upstream(notification("future/thing", x=1)).client == [notification("future/thing", x=1)]
    assert book.client(notification("future/thing", x=1, _meta=META)).upstream == [notification("future/thing", x=1)]


# Log levels


def with_level(level: object, request_id: object = 1, method: str = "resources/read") -> dict:
    return request(request_id, method, uri="a:/x", _meta={**META, LEVEL: level})


def log(level: str) -> dict:
    return notification("notifications/message", level=level, data="text")


def test_a_wanted_level_is_told_the_upstream_once_and_before_the_request():
    book = modern_book()
    first = book.client(with_level("warning")).upstream
    assert [message["method"] for message in first] == ["logging/setLevel", "resources/read"]
    assert first[0]["params"] == {"level": "warning"}
    assert [message["method"] for message in book.client(with_level("warning", 2)).upstream] == ["resources/read"]
    assert book.client(with_level("debug", 3)).upstream[0]["params"] == {"level": "debug"}
    assert book.upstream(result(first[0]["id"])).outputs == []


def test_a_client_gets_log_messages_only_of_the_level_that_an_open_request_asked_for():
    book = modern_book()
    assert book.upstream(log("error")).outputs == []
    book.client(request(5, "prompts/list", _meta=META))
    assert book.upstream(log("error")).outputs == []
    book.client(with_level("warning"))
    assert book.upstream(log("error")).client == [log("error")]
    assert book.upstream(log("warning")).client == [log("warning")]
    assert book.upstream(log("info")).outputs == []
    assert book.upstream(log("nonsense")).outputs == []
    book.upstream(result(1))
    assert book.upstream(log("error")).outputs == []


@pytest.mark.parametrize("level", ["loud", 5, {}])
def test_a_level_that_is_none_is_refused(level):
    turn = modern_book().client(with_level(level))
    assert turn.upstream == []
    assert turn.client == [error(1, -32602, "Invalid log level")]


def test_an_upstream_that_does_not_log_is_not_told_a_level():
    book = modern_book(capabilities={"tools": {}})
    assert [message["method"] for message in book.client(with_level("info")).upstream] == ["resources/read"]


def test_requests_of_the_guards_own_that_are_never_answered_are_forgotten():
    book = modern_book()
    asked = []
    for number in range(MAX_OWN + 1):
        asked.append(book.client(with_level(("debug", "error")[number % 2], number)).upstream[0]["id"])
        book.upstream(result(number))
    assert book.upstream(result(asked[0])).types == ["message.rejected"]
    assert book.upstream(result(asked[-1])).types == []


# The end


def test_an_upstream_that_dies_answers_what_is_open():
    book = modern_book()
    book.client(call(1, "read_file", META))
    turn = book.turn(book.gate.upstream_exited("exited with status 3", 5))
    assert [message["id"] for message in turn.client] == [1]
    assert turn.types == ["upstream.exited"]


def test_a_call_whose_row_cannot_be_written_is_denied_and_forgotten():
    book = modern_book()
    [denied] = book.refuse(book.client(call(1, "read_file", META)))
    assert b"disk full" in (denied.line or b"")
    assert book.upstream(result(1)).types == ["message.rejected"]
    assert book.client(call(1, "read_file", META)).upstream


def test_a_call_that_is_judged_again_goes_upstream_as_it_did_and_is_answered_once():
    book = modern_book()
    turn = book.client(call(1, "read_file", META))
    assert book.again(turn).upstream == turn.upstream
    assert book.upstream(result(1)).client[0]["id"] == 1
    assert book.upstream(result(1)).types == ["message.rejected"]


def test_long_lines_never_go_ahead_and_too_long_ones_are_refused():
    book = modern_book()
    assert not book.gate.may_go_ahead(b'{"jsonrpc"')
    assert book.turn(book.gate.client_oversized(10, 5, 1)).client[0]["error"]["code"] == -32600
    assert book.turn(book.gate.upstream_oversized(10, 5, 1)).types == ["message.rejected"]


def test_the_server_is_named_as_the_upstream_named_itself_and_never_as_a_result_says():
    book = modern_book()
    book.client(call(1, "read_file", META))
    [told] = book.upstream(result(1, _meta={"io.modelcontextprotocol/serverInfo": {"name": "another"}})).client
    assert told["result"]["_meta"]["io.modelcontextprotocol/serverInfo"] == SERVER


def test_an_upstream_that_says_little_of_itself_is_a_server_all_the_same():
    book = Book()
    book.client(request("p", "server/discover", _meta=META))
    [handshake] = book.upstream(error("p", -32601)).upstream
    turn = book.upstream(result(handshake["id"], protocolVersion="2024-11-05"))
    assert turn.client[0]["result"]["capabilities"] == {}
    assert turn.upstream == [notification("notifications/initialized")]

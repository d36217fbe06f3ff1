"""A legacy client with a modern upstream: requests get an envelope, answers lose what only the modern era tells."""

import pytest

from mcp_guard.gate.bridge.wanted import MAX_CANCELLED
from tests.gate.bridge.playbook import ABLE, OFFERED, SERVER_META, Book, discovered, error, initialized, legacy_book
from tests.gate.playbook import ALLOW_ALL, FILES_POLICY, call, notification, request, result, tool

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "cursor", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": ABLE,
    "io.modelcontextprotocol/logLevel": "info",
}
TAG = "io.modelcontextprotocol/subscriptionId"


def tagged(request_id: object, method: str, **params: object) -> dict:
    return notification(method, **params, _meta={TAG: request_id})


REQUESTS = [
    ("tools/list", {"cursor": "c"}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "p", "arguments": {"a": "ü"}}),
    ("resources/read", {"uri": "file:///x"}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "b"}}),
    ("future/method", {"deep": [{"a": 10**30}]}),
    ("tools/call", {"name": "read_file", "arguments": {"path": "ä\u2028"}}),
]


@pytest.mark.parametrize(("method", "params"), REQUESTS)
def test_the_envelope_is_put_on_and_nothing_else(method, params):
    [message] = legacy_book().client(request("r", method, **params, _meta={"progressToken": 1})).upstream
    assert message == request("r", method, **params, _meta={"progressToken": 1, **ENVELOPE})


def test_a_request_without_params_gets_an_envelope_all_the_same():
    [message] = legacy_book().client({"jsonrpc": "2.0", "id": 1, "method": "prompts/list"}).upstream
    assert message == request(1, "prompts/list", _meta=ENVELOPE)


def test_an_upstream_that_does_not_log_is_asked_for_no_log_messages():
    [message] = legacy_book(capabilities={"tools": {}}).client(request(1, "future/method")).upstream
    assert set(ENVELOPE) - set(message["params"]["_meta"]) == {"io.modelcontextprotocol/logLevel"}


def test_what_a_legacy_call_says_of_tasks_and_of_rounds_is_left_out():
    more = {"task": {"ttl": 1}, "inputResponses": {"a": {}}, "requestState": "s"}
    sent = call(1, "read_file")
    [message] = legacy_book().client({**sent, "params": {**sent["params"], **more}}).upstream
    assert set(message["params"]) == {"name", "arguments", "_meta"}


def test_calls_are_judged_and_denials_are_in_the_legacy_era():
    book = legacy_book(FILES_POLICY)
    turn = book.client(call(1, "write_file", path="/etc/x"))
    assert (turn.upstream, turn.types) == ([], ["tool.decided"])
    [denied] = turn.client
    assert (denied["id"], denied["result"]["isError"], "resultType" in denied["result"]) == (1, True, False)
    assert turn.events[0].agent == "cursor"
    assert book.client(call(2, "delete_file")).client == [error(2, -32602, "Unknown tool: delete_file")]


RESULTS = [
    ("tools/call", {"content": [{"type": "text", "text": "ü"}], "structuredContent": {"a": 1}}),
    ("prompts/get", {"messages": [], "_meta": {"a": 1}}),
    ("future/method", {"\u2028": "\u2029", "_meta": {"\x85": "\u2028"}, "deep": {"\u2029": 1}}),
    ("resources/read", {"contents": []}),
    ("resources/list", {"resources": [], "nextCursor": "2"}),
    ("future/method", {"ttlMs": 5, "anything": None}),
]


@pytest.mark.parametrize(("method", "answer"), RESULTS)
def test_what_only_a_modern_result_tells_is_left_out(method, answer):
    book = legacy_book()
    book.client(request(1, method, name="read_file", uri="a:/x"))
    cacheable = {"ttlMs": 5, "cacheScope": "public"} if method.startswith("resources/") else {}
    meta = {**answer.get("_meta", {}), **SERVER_META}
    modern = {**answer, **cacheable, "resultType": "complete", "_meta": meta}
    assert book.upstream(result(1, **modern)).client == [result(1, **answer)]


@pytest.mark.parametrize("odd", [None, [], "text", 5], ids=str)
def test_a_result_that_is_no_object_passes_as_it_is(odd):
    book = legacy_book()
    book.client(request(1, "future/method"))
    answer = {"jsonrpc": "2.0", "id": 1, "result": odd}
    assert book.upstream(answer).client == [answer]


def test_a_list_of_tools_is_filtered_and_has_only_schemas_that_a_legacy_client_can_read():
    book = legacy_book(FILES_POLICY)
    book.client(request(1, "tools/list"))
    tools = [
        tool("read_file", outputSchema={"type": "array"}),
        tool("write_file", outputSchema={"type": "object"}),
        tool("send_mail", outputSchema=5),
        tool("delete_file"),
    ]
    [told] = book.upstream(result(1, resultType="complete", tools=tools, ttlMs=5, cacheScope="public")).client
    assert told == result(1, tools=[tool("read_file"), tools[1], tool("send_mail")])


@pytest.mark.parametrize("content", [[1], "text", 5, None])
def test_structured_content_that_is_no_object_is_left_out(content):
    book = legacy_book()
    book.client(call(1, "read_file"))
    answer = result(1, resultType="complete", content=[], structuredContent=content)
    assert book.upstream(answer).client == [result(1, content=[])]


@pytest.mark.parametrize(
    "more", [{"resultType": "task", "taskId": "t"}, {"resultType": "input_required"}, {"resultType": 5}], ids=str
)
def test_a_result_of_a_kind_that_a_legacy_client_does_not_know_is_an_error(more):
    book = legacy_book()
    book.client(request(1, "completion/complete"))
    [told] = book.upstream(result(1, **more)).client
    assert (told["id"], told["error"]["code"]) == (1, -32603)


ERRORS = [
    ("resources/read", -32602, {"uri": "a:/x"}, -32002),
    ("resources/read", -32602, {"other": 1}, -32602),
    ("prompts/get", -32602, {"uri": "a:/x"}, -32602),
    ("tools/list", -32020, None, -32603),
    ("tools/list", -32021, {"requiredCapabilities": {}}, -32603),
    ("tools/list", -32022, {"supported": ["2031-01-01"], "requested": "2026-07-28"}, -32602),
    ("tools/list", -32601, None, -32601),
    ("tools/list", 5, [1], 5),
]


@pytest.mark.parametrize(("method", "said", "data", "told"), ERRORS)
def test_an_error_has_the_code_that_it_has_in_the_legacy_era(method, said, data, told):
    book = legacy_book()
    book.client(request(1, method, name="p", uri="a:/x"))
    more = {} if data is None else {"data": data}
    assert book.upstream(error(1, said, "text", **more)).client == [error(1, told, "text", **more)]


# What the guard answers


def test_the_guard_answers_pings():
    turn = legacy_book().client(request(1, "ping"))
    assert (turn.upstream, turn.client) == ([], [result(1)])


def test_a_client_may_introduce_itself_anew():
    book = legacy_book()
    info = {"name": "claude-code", "version": "2"}
    turn = book.client(request(5, "initialize", protocolVersion="2025-06-18", clientInfo=info, capabilities={}))
    assert turn.upstream == []
    assert turn.client == [initialized(5, "2025-06-18")]
    [message] = book.client(request(6, "future/method")).upstream
    assert message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] == info


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "server/discover"])
def test_what_a_legacy_session_does_not_have_is_not_found(method):
    turn = legacy_book().client(request(1, method, taskId="t"))
    assert turn.upstream == []
    assert (turn.client[0]["id"], turn.client[0]["error"]["code"]) == (1, -32601)


@pytest.mark.parametrize("method", ["notifications/progress", "notifications/roots/list_changed"])
def test_notifications_that_have_no_place_are_dropped(method):
    assert legacy_book().client(notification(method, progressToken=1, progress=1)).outputs == []


def test_other_notifications_pass_both_ways():
    book = legacy_book()
    assert book.client(notification("future/thing", x=1)).upstream == [notification("future/thing", x=1)]
    assert book.upstream(notification("future/thing", x=1)).client == [notification("future/thing", x=1)]
    log = notification("notifications/message", level="info", data="x")
    assert book.upstream(log).client == [log]


def test_a_level_is_asked_for_with_every_request_from_then_on():
    book = legacy_book()
    turn = book.client(request(1, "logging/setLevel", level="error"))
    assert (turn.upstream, turn.client) == ([], [result(1)])
    [message] = book.client(request(2, "future/method")).upstream
    assert message["params"]["_meta"]["io.modelcontextprotocol/logLevel"] == "error"
    assert book.client(request(3, "logging/setLevel", level="loud")).client == [error(3, -32602, "Invalid log level")]


def test_a_level_for_an_upstream_that_does_not_log_is_not_found():
    book = legacy_book(capabilities={"tools": {}})
    assert book.client(request(1, "logging/setLevel", level="info")).client[0]["error"]["code"] == -32601


# What breaks JSON-RPC


MALFORMED = {
    "not JSON": b"{",
    "a scalar": b"5",
    "an array": b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    "another version": b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
    "an id that is none": b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
    "a whole float as id": b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}',
    "params that are none": b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}',
    "a method that could be read in two ways": b'{"jsonrpc":"2.0","id":1,"method":"x","Method":"tools/call"}',
    "a call that could be read in two ways": b'{"jsonrpc":"2.0","id":1,"method":"Tools/call","params":{}}',
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_breaks_json_rpc_gets_an_error_and_the_session_lives_on(line):
    book = legacy_book()
    turn = book.client(line)
    assert turn.upstream == []
    assert "error" in turn.client[0]
    assert turn.types == ["message.rejected"]
    assert book.client(call(9, "read_file")).upstream


def test_a_repeated_id_is_refused_while_its_request_is_open_wherever_it_is():
    book = legacy_book()
    book.client(call(1, "read_file"))
    book.upstream(result(1, resultType="input_required", inputRequests={"a": {"method": "roots/list"}}))
    turn = book.client(call(1, "read_file"))
    assert (turn.upstream, turn.client[0]["id"], turn.types) == ([], None, ["message.rejected"])


def test_a_client_that_speaks_the_modern_era_after_all_is_not_translated():
    book = legacy_book()
    sent = request(1, "future/method", _meta=ENVELOPE)
    assert book.client(sent).upstream == [sent]
    answer = result(1, resultType="complete", ttlMs=5)
    assert book.upstream(answer).client == [answer]


def test_a_modern_upstream_may_not_ask():
    turn = legacy_book().upstream(request(0, "roots/list"))
    assert (turn.client, turn.upstream, turn.types) == ([], [], ["message.rejected"])


def test_an_answer_that_nobody_asked_for_goes_no_further_on_either_side():
    book = legacy_book()
    assert book.upstream(result(5)).types == ["message.rejected"]
    assert book.client(result(5)).types == ["message.rejected"]


# Batches (2025-03-26)


def test_a_batch_is_taken_apart_and_answered_as_one():
    book = legacy_book(FILES_POLICY, version="2025-03-26")
    turn = book.client([call(1, "read_file"), call(2, "delete_file"), request(3, "ping"), notification("future/x")])
    assert [message.get("id") for message in turn.upstream] == [1, None]
    assert turn.client == []
    [array] = book.upstream(result(1, resultType="complete", content=[])).client
    assert sorted(message["id"] for message in array) == [1, 2, 3]
    assert result(1, content=[]) in array


def test_a_batch_that_the_guard_can_answer_alone_is_answered_at_once():
    book = legacy_book(version="2025-03-26")
    assert book.client([request(1, "ping")]).client == [[result(1)]]


def test_a_cancelled_element_is_not_waited_for():
    book = legacy_book(version="2025-03-26")
    book.client([call(1, "read_file"), request(2, "ping")])
    turn = book.client(notification("notifications/cancelled", requestId=1))
    assert turn.client == [[result(2)]]


def test_an_array_is_no_message_in_other_revisions():
    assert legacy_book().client([request(1, "ping")]).client[0]["error"]["code"] == -32600


# Cancellation


def test_a_cancellation_passes():
    book = legacy_book()
    book.client(call(1, "read_file"))
    cancelled = notification("notifications/cancelled", requestId=1, reason="no")
    assert book.client(cancelled).upstream == [cancelled]
    assert book.client(call(1, "write_file")).client[0]["error"]["code"] == -32600  # an answer may still come
    assert book.upstream(result(1, resultType="complete", content=[])).client == []
    assert book.client(call(1, "write_file")).upstream


def test_requests_that_were_cancelled_long_ago_are_forgotten():
    book = legacy_book()
    for number in range(1, MAX_CANCELLED + 5):
        book.client(request(number, "slow"))
        book.client(notification("notifications/cancelled", requestId=number))
    assert book.client(request(1, "slow")).upstream


@pytest.mark.parametrize("odd", [9, {}, None, True])
def test_a_cancellation_of_nothing_goes_nowhere(odd):
    assert legacy_book().client(notification("notifications/cancelled", requestId=odd)).outputs == []


# Changed lists and watched resources


def test_the_guard_listens_for_changed_lists_in_the_clients_name():
    [listen] = legacy_book().listen
    assert listen["method"] == "subscriptions/listen"
    wanted = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
    assert listen["params"] == {"notifications": wanted, "_meta": ENVELOPE}


OFFERS = [
    ({}, None),
    ({"tools": {}}, {"toolsListChanged": True}),
    ({"prompts": {}, "resources": {"listChanged": True}}, {"resourcesListChanged": True}),
]


@pytest.mark.parametrize(("offered", "wanted"), OFFERS)
def test_it_listens_for_what_the_upstream_tells(offered, wanted):
    book = Book()
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo={}, capabilities={}))
    [probe] = book.upstream(error(0, -32601)).upstream
    book.upstream(discovered(probe["id"], offered))
    sent = book.client(notification("notifications/initialized")).upstream
    assert [message["params"]["notifications"] for message in sent] == ([] if wanted is None else [wanted])


def test_a_notice_of_the_guards_subscription_loses_its_tag():
    book = legacy_book()
    [listen] = book.listen
    assert (
        book.upstream(tagged(listen["id"], "notifications/subscriptions/acknowledged", notifications={})).outputs == []
    )
    notice = tagged(listen["id"], "notifications/prompts/list_changed")
    assert book.upstream(notice).client == [{"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"}]


def test_a_new_policy_tells_the_client_that_its_tools_changed():
    assert legacy_book().policy(ALLOW_ALL).client == [{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}]


def test_a_subscription_that_ends_is_opened_again_ever_more_seldom_and_the_guard_tells_of_policies_meanwhile():
    book = legacy_book()
    [listen] = book.listen
    assert book.upstream(error(listen["id"], -32601)).client == []
    assert {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"} in book.policy(ALLOW_ALL).client
    assert book.wait(1).upstream == []
    [again] = book.wait(5).upstream
    assert (again["method"], again["params"]) == ("subscriptions/listen", listen["params"])
    assert book.upstream(notification("notifications/cancelled", requestId=again["id"])).client == []
    assert book.wait(6).upstream == []
    assert book.wait(5).upstream[0]["method"] == "subscriptions/listen"


def watched(book: Book, request_id: int = 1, uri: str = "a:/x") -> object:
    """Let the client watch a resource; gives the id of the guard's subscription to it."""
    [listen] = book.client(request(request_id, "resources/subscribe", uri=uri)).upstream
    assert listen["params"]["notifications"] == {"resourceSubscriptions": [uri]}
    acknowledged = {"notifications": {"resourceSubscriptions": [uri]}}
    told = book.upstream(tagged(listen["id"], "notifications/subscriptions/acknowledged", **acknowledged)).client
    assert told == [result(request_id)]
    return listen["id"]


def test_a_resource_is_watched_until_the_client_wants_it_no_more():
    book = legacy_book()
    subscription = watched(book)
    update = tagged(subscription, "notifications/resources/updated", uri="a:/x")
    assert book.upstream(update).client == [notification("notifications/resources/updated", uri="a:/x")]
    assert book.client(request(2, "resources/subscribe", uri="a:/x")).client == [result(2)]
    turn = book.client(request(3, "resources/unsubscribe", uri="a:/x"))
    assert turn.client == [result(3)]
    assert turn.upstream == [notification("notifications/cancelled", requestId=subscription)]
    assert watched(book, 4) != subscription


def test_a_resource_that_is_not_watched_can_be_let_go():
    turn = legacy_book().client(request(1, "resources/unsubscribe", uri="a:/x"))
    assert (turn.upstream, turn.client) == ([], [result(1)])


REFUSALS = {
    "it is not honoured": lambda id: tagged(id, "notifications/subscriptions/acknowledged", notifications={}),
    "the subscription ends": lambda id: result(id, resultType="complete"),
    "the subscription is torn down": lambda id: notification("notifications/cancelled", requestId=id),
    "the resource is not there": lambda id: error(id, -32602, data={"uri": "a:/x"}),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_resource_that_the_upstream_does_not_watch_is_an_error(refusal):
    book = legacy_book()
    [listen] = book.client(request(1, "resources/subscribe", uri="a:/x")).upstream
    [told] = book.upstream(refusal(listen["id"])).client
    assert told["id"] == 1
    assert told["error"]["code"] in (-32602, -32603, -32002)
    book.upstream(error(listen["id"], 1))
    assert book.client(request(2, "resources/subscribe", uri="a:/x")).upstream


def test_a_watched_resource_whose_subscription_ends_can_be_watched_again():
    book = legacy_book()
    subscription = watched(book)
    assert book.upstream(result(subscription, resultType="complete")).client == []
    assert watched(book, 2) != subscription


def test_a_resource_needs_a_uri_and_is_asked_for_once():
    book = legacy_book()
    assert book.client(request(1, "resources/subscribe", uri=5)).client[0]["error"]["code"] == -32602
    book.client(request(2, "resources/subscribe", uri="a:/x"))
    assert book.client(request(3, "resources/subscribe", uri="a:/x")).client[0]["error"]["code"] == -32603


WATCHED = """
version: 1
name: watched
rules:
  - {id: public, name: Public things, effect: allow, resources: "a://public/*"}
"""


def test_a_resource_that_the_policy_denies_is_not_watched():
    book = legacy_book(WATCHED)
    turn = book.client(request(1, "resources/subscribe", uri="a://secret"))
    [listen] = turn.upstream
    assert listen["params"]["notifications"] == {"resourceSubscriptions": []}
    assert [event.decision for event in turn.events] == ["deny"]


# The end


def test_an_upstream_that_dies_answers_what_is_open_wherever_it_is():
    book = legacy_book()
    book.client(call(1, "read_file"))
    book.client(call(2, "read_file"))
    book.upstream(result(2, resultType="input_required", inputRequests={"a": {"method": "roots/list"}}))
    book.client(request(3, "resources/subscribe", uri="a:/x"))
    turn = book.turn(book.gate.upstream_exited("exited with status 3", 5))
    assert sorted(message["id"] for message in turn.client) == [1, 2, 3]
    assert all("exited with status 3" in message["error"]["message"] for message in turn.client)


def test_a_call_whose_row_cannot_be_written_is_denied_under_its_own_id():
    book = legacy_book()
    [denied] = book.refuse(book.client(call(1, "read_file")))
    assert b'"id":1' in (denied.line or b"")
    assert b"resultType" not in (denied.line or b"")
    assert book.client(call(1, "read_file")).upstream


def test_what_the_upstream_offers_is_told_without_tasks():
    book = Book()
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo={}, capabilities={"tasks": {}}))
    [probe] = book.upstream(error(0, -32601)).upstream
    assert probe["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {}
    offered = {**OFFERED, "extensions": {"io.modelcontextprotocol/tasks": {}, "com.example/x": {"a": 1}}}
    told = book.upstream(discovered(probe["id"], offered)).client[0]["result"]["capabilities"]
    assert told == {**OFFERED, "extensions": {"com.example/x": {"a": 1}}}

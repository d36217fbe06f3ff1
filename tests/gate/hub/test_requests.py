"""Requests of the client's for one server: found by name, URI or task, judged there, answered from there alone."""

import pytest

from mcp_guard.gate import Admitted, Denied, Refusal
from tests.gate.hub.playbook import CLIENT, Playbook, Server, connected, modern
from tests.gate.playbook import META, call, notification, request, result

BY_SERVER = """
version: 1
rules:
  - {name: Nothing on b is killed, effect: deny, servers: [b], tools: "kill_*"}
  - {name: Where it must be, effect: gated, servers: [b], tools: put, when: 'request.args.where == "here"'}
  - {name: And nowhere else, effect: deny, servers: [b], tools: put}
  - {name: All else, effect: allow}
"""


def two(policy: str = BY_SERVER, **more: object) -> Playbook:
    tools = ["kill_x", "put", "get"]
    return connected({"a": Server(tools=tools, prompts=["p"]), "b": Server(tools=tools, prompts=["p"])}, policy, **more)


def test_a_call_reaches_the_server_whose_name_it_carries_under_that_servers_own_name() -> None:
    book = two()
    turn = book.client(call(7, "b__get", x=1))
    assert turn.servers == [("b", call(7, "get", x=1))]
    (event,) = turn.events
    assert (event.server, event.tool, event.decision) == ("b", "get", "allow")
    assert isinstance(turn.outputs[0][1], Admitted)
    assert book.server("b", result(7, content=[])).answer(7)["result"] == {"content": []}


def test_the_same_tool_of_two_servers_is_judged_as_two() -> None:
    book = two()
    assert book.client(call(1, "a__kill_x")).to("a")
    turn = book.client(call(2, "b__kill_x"))
    assert turn.servers == []
    assert turn.answer(2)["error"]["message"] == "Unknown tool: b__kill_x"
    assert isinstance(turn.outputs[0][1], Denied)


def test_a_denial_comes_back_as_a_result_that_says_why() -> None:
    book = two()
    turn = book.client(call(1, "b__put", where="there"))
    assert turn.servers == []
    denied = turn.answer(1)["result"]
    assert denied["isError"] is True
    assert denied["content"][0]["text"].startswith("This call of b__put was denied by policy.")
    assert [(event.type, event.server, event.tool) for event in turn.events] == [("tool.decided", "b", "put")]


ASK = """
version: 1
rules:
  - {name: Puts are asked for, effect: require_approval, tools: put}
  - {name: Prompts too, effect: require_approval, prompts: p}
"""
ASKED = [
    ("tools/call", {"name": "b__put"}, 'wants to call this tool on the server b: "b__put"'),
    ("prompts/get", {"name": "b__p"}, 'wants this prompt of the server b: "b__p"'),
]


@pytest.mark.parametrize(("method", "params", "text"), ASKED, ids=[one[0] for one in ASKED])
def test_a_person_is_asked_under_the_name_that_their_client_shows(method: str, params: dict, text: str) -> None:
    book = Playbook({slug: Server(tools=["put"], prompts=["p"]) for slug in ("a", "b")}, ASK)
    forms = {"elicitation": {}}
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo=CLIENT, capabilities=forms))
    book.client(notification("notifications/initialized"))
    turn = book.client(request(1, method, **params))
    (question,) = turn.client
    assert text in " ".join(question["params"]["message"].split())
    assert [(event.type, event.server, event.tool) for event in turn.events] == [
        ("approval.requested", "b", params["name"].removeprefix("b__"))
    ]


def test_a_call_whose_row_cannot_be_written_is_denied_and_answered_once() -> None:
    book = two()
    (slug, admitted) = book.client(call(1, "b__get")).outputs[0]
    denied = book.hub.refuse(slug, admitted, Refusal("the disk is full"))
    assert b"This call of b__get was denied because" in denied.line
    assert b"the disk is full" in denied.line
    assert book.server("b", result(1, content=[])).client == []
    assert book.client(call(1, "b__get")).to("b")  # its id is free again


NOBODYS = ["get", "c__get", "b_get", "B__get", "__get", ""]


@pytest.mark.parametrize("name", NOBODYS)
def test_a_name_that_is_no_ones_is_an_unknown_tool(name: str) -> None:
    turn = two().client(call(1, name))
    assert [message for _, message in turn.servers if message["method"] == "tools/call"] == []
    assert turn.answer(1)["error"]["message"] == f"Unknown tool: {name}"
    assert turn.reasons == [f"`{name}`: no server behind the guard has such a tool"]


def test_a_name_of_a_server_that_has_no_such_tool_is_that_servers_unknown_tool() -> None:
    turn = two().client(call(1, "a__b__get"))
    assert turn.servers == []
    assert turn.answer(1)["error"]["message"] == "Unknown tool: a__b__get"
    assert [(event.server, event.tool) for event in turn.events] == [("a", "b__get")]


def test_a_tool_with_anothers_prefix_in_its_name_is_still_its_own_servers() -> None:
    book = connected({"a": Server(tools=["b__get"]), "b": Server(tools=["get"])})
    assert book.client(call(1, "a__b__get")).servers == [("a", call(1, "b__get"))]
    assert book.client(call(2, "b__get")).servers == [("b", call(2, "get"))]


def test_without_prefixes_a_call_goes_to_the_first_server_that_lists_the_tool() -> None:
    book = connected({"a": Server(tools=["x"]), "b": Server(tools=["x", "y"])}, prefix="")
    turn = book.client(call(1, "y"))
    assert [message for message in turn.to("b") if message["method"] == "tools/call"] == [call(1, "y")]
    assert book.client(call(2, "x")).servers == [("a", call(2, "x"))]
    assert book.client(call(3, "z")).answer(3)["error"]["message"] == "Unknown tool: z"


def test_without_prefixes_a_name_stays_its_servers_while_that_is_away() -> None:
    book = connected({"a": Server(tools=["x"]), "evil": Server()}, prefix="")
    book.client(request(1, "tools/list"))
    book.exited("a")
    book.servers["evil"].tools = ["x"]
    book.server("evil", notification("notifications/tools/list_changed"))
    book.client(request(2, "tools/list"))
    turn = book.client(call(3, "x"))
    assert turn.to("evil") == []
    assert book.started("a").to("a")[-1] == call(3, "x")


def test_prompts_and_completions_are_found_by_name() -> None:
    book = two()
    assert book.client(request(1, "prompts/get", name="b__p")).servers == [("b", request(1, "prompts/get", name="p"))]
    ref = {"type": "ref/prompt", "name": "a__p", "title": "P"}
    turn = book.client(request(2, "completion/complete", ref=ref, argument={"name": "x", "value": "y"}))
    assert turn.to("a")[0]["params"]["ref"] == {"type": "ref/prompt", "name": "p", "title": "P"}
    wrong = book.client(request(3, "completion/complete", ref={"type": "ref/prompt", "name": "p"}, argument={}))
    assert wrong.answer(3)["error"]["code"] == -32602


# Resources

SHELVES = {
    "a": Server(resources=["r://both", "r://a"], templates=["file:///{path}", "{+any}"]),
    "b": Server(resources=["r://both", "r://b"], templates=["file:///b/{path}", "db://{table}/{row}"]),
}
PLACES = [
    ("one that both list: the first keeps it", "r://both", "a"),
    ("one that only the second lists", "r://b", "b"),
    ("a template that both could mean: the first", "file:///b/x", "a"),
    ("a template of the second, though the first has one for everything", "db://users/7", "b"),
    ("nobody's but the one's for everything", "gopher://x", "a"),
]


@pytest.mark.parametrize(("uri", "slug"), [place[1:] for place in PLACES], ids=[place[0] for place in PLACES])
def test_a_resource_is_read_from_the_server_that_it_belongs_to(uri: str, slug: str) -> None:
    book = connected(SHELVES)
    turn = book.client(request(1, "resources/read", uri=uri))
    assert [entry for entry in turn.servers if entry[1]["method"] == "resources/read"] == [
        (slug, request(1, "resources/read", uri=uri))
    ]


def test_a_resource_of_nobody_is_not_found() -> None:
    servers = {"a": Server(resources=["r://1"]), "b": Server(resources=["r://2"])}
    error = connected(servers).client(request(1, "resources/read", uri="r://3")).answer(1)["error"]
    assert (error["code"], "r://3" in error["message"]) == (-32002, True)
    error = modern(servers).client(request(1, "resources/read", uri="r://3", _meta=META)).answer(1)["error"]
    assert error["code"] == -32602


def test_the_only_server_with_resources_is_asked_for_what_nobody_lists() -> None:
    book = connected({"a": Server(capabilities={"tools": {}}), "b": Server()})
    assert ("b", request(1, "resources/read", uri="x:1")) in book.client(
        request(1, "resources/read", uri="x:1")
    ).servers


def test_a_subscription_goes_to_the_owner_and_only_the_owner_can_tell_of_it() -> None:
    book = connected({"a": Server(resources=["r://a"]), "b": Server(resources=["r://b"])})
    assert ("a", request(1, "resources/subscribe", uri="r://a")) in book.client(
        request(1, "resources/subscribe", uri="r://a")
    ).servers
    news = notification("notifications/resources/updated", uri="r://a")
    assert book.server("a", news).client == [news]
    turn = book.server("b", news)
    assert turn.client == []
    assert turn.reasons == ["notifications/resources/updated speaks of something that belongs to another server"]


def test_only_the_server_that_was_asked_to_tells_of_a_resource_that_nobody_lists() -> None:
    book = connected({"a": Server(resources=["r://a"]), "b": Server(templates=["b://{x}"])})
    book.client(request(1, "resources/subscribe", uri="b://1"))
    news = notification("notifications/resources/updated", uri="b://1")
    assert (book.server("a", news).client, book.server("b", news).client) == ([], [news])


def test_templates_beyond_those_that_are_looked_at_make_nothing(monkeypatch) -> None:
    monkeypatch.setattr("mcp_guard.gate.hub.templates.MOST", 2)
    templates = ["one://{x}", "two://{x}", "three://{x}"]
    book = connected({"a": Server(), "b": Server(templates=templates)})
    asked = [
        book.client(request(n, "resources/read", uri=uri)).to("b") for n, uri in enumerate(("two://1", "three://1"))
    ]
    assert [any(one["method"] == "resources/read" for one in turn) for turn in asked] == [True, False]


# Ids, cancellation, progress


def test_an_answer_from_a_server_that_was_not_asked_goes_no_further() -> None:
    book = two()
    book.client(call(1, "a__get"))
    turn = book.server("b", result(1, content=[{"type": "text", "text": "from b"}]))
    assert turn.client == []
    assert turn.reasons == ["a response to a request that nobody made"]
    assert book.server("a", result(1, content=[])).answer(1)["result"] == {"content": []}
    assert book.server("a", result(1, content=["again"])).client == []


def test_an_answer_with_two_ids_answers_its_own_request_only() -> None:
    book = two()
    book.client(call(1, "a__get"))
    book.client(call(2, "b__get"))
    turn = book.server("b", b'{"jsonrpc":"2.0","id":1,"id":2,"result":{"content":[]}}')
    assert turn.client == [result(2, content=[])]
    line = next(output.line for _, output in turn.outputs if getattr(output, "line", None))
    assert line.count(b'"id"') == 1


def test_an_id_that_is_in_use_is_refused_without_touching_its_owner() -> None:
    book = two()
    book.client(call(1, "a__get"))
    turn = book.client(call(1, "b__get"))
    assert (turn.servers, turn.client[0]["id"], turn.client[0]["error"]["code"]) == ([], None, -32600)
    assert book.server("a", result(1, content=[])).answer(1)


def test_ids_of_the_guards_own_cannot_be_used() -> None:
    turn = two().client(call("mcp-guard/hub/1", "a__get"))
    assert turn.servers == []
    assert turn.client[0]["error"]["message"] == "an id must not begin with mcp-guard/"


def test_a_cancellation_reaches_the_server_that_has_the_request() -> None:
    book = two()
    book.client(call(1, "a__get"))
    gone = notification("notifications/cancelled", requestId=1, reason="no more")
    assert book.client(gone).servers == [("a", gone)]
    assert book.server("a", result(1, content=[])).client == []
    assert book.client(notification("notifications/cancelled", requestId=99)).servers == []


def test_a_request_that_is_cancelled_while_it_waits_is_never_sent() -> None:
    book = two()
    book.exited("a")
    book.client(call(1, "a__get"))
    book.client(notification("notifications/cancelled", requestId=1))
    assert book.client(call(1, "b__get")).client[0]["error"]["code"] == -32600  # its id is not free yet
    assert [message["method"] for message in book.started("a").to("a")][-1] == "tools/list"
    assert book.client(call(1, "b__get")).to("b")


def test_the_id_of_a_cancelled_request_may_be_used_elsewhere_and_is_refused_where_it_still_runs() -> None:
    book = two()
    book.client(call(1, "a__get"))
    book.client(notification("notifications/cancelled", requestId=1))
    assert book.client(call(1, "a__get")).answer(1)["error"]["message"] == (
        "the id belongs to a request that is still open"
    )
    assert book.client(call(1, "b__get")).to("b")
    assert book.server("a", result(1, content=["late"])).client == []
    assert book.server("b", result(1, content=[])).answer(1)["result"] == {"content": []}


def test_progress_is_only_taken_from_the_server_that_was_asked() -> None:
    book = two()
    message = call(1, "a__get")
    message["params"]["_meta"] = {"progressToken": "t"}
    assert book.client(message).to("a")[0]["params"]["_meta"] == {"progressToken": "t"}
    progress = notification("notifications/progress", progressToken="t", progress=1, message="so far")
    assert book.server("a", progress).client == [progress]
    assert book.server("b", progress).client == []
    assert book.server("b", notification("notifications/progress", progressToken="u", progress=1)).client == []


def test_nobody_is_asked_for_progress_of_a_part() -> None:
    book = two()
    turn = book.client(request(1, "tools/list", _meta={"progressToken": 1, "trace": "x"}))
    lists = [message for _, message in turn.servers if message["id"].startswith("mcp-guard/hub/")]
    assert [message["params"] for message in lists] == [{"_meta": {"trace": "x"}}] * 2


# Everything else


def test_ping_is_answered_by_the_hub() -> None:
    turn = two().client(request(1, "ping"))
    assert (turn.servers, turn.client) == ([], [result(1)])


def test_a_log_level_is_for_every_server_that_logs_and_for_those_that_come_later() -> None:
    book = connected({"a": Server(), "b": Server(), "c": Server(capabilities={"tools": {}})})
    turn = book.client(request(1, "logging/setLevel", level="debug"))
    asked = dict(turn.servers)
    assert asked.keys() == {"a", "b"}
    assert book.server("a", result(asked["a"]["id"])).client == []
    assert book.server("b", result(asked["b"]["id"])).answer(1)["result"] == {}
    book.exited("b")
    again = [message for message in book.started("b").to("b") if message["method"] == "logging/setLevel"]
    assert [message["params"] for message in again] == [{"level": "debug"}]


def test_a_log_level_that_every_server_refuses_is_an_error() -> None:
    book = two()
    asked = {slug: message["id"] for slug, message in book.client(request(1, "logging/setLevel", level="x")).servers}
    no = {"code": -32602, "message": "no such level"}
    book.server("a", {"jsonrpc": "2.0", "id": asked["a"], "error": no})
    assert book.server("b", {"jsonrpc": "2.0", "id": asked["b"], "error": no}).answer(1)["error"] == no


def test_a_task_is_asked_for_where_it_was_made() -> None:
    book = two()
    book.client(call(1, "b__get"))
    book.server("b", result(1, task={"taskId": "T", "status": "working"}))
    ask = request(2, "tasks/get", taskId="T")
    assert book.client(ask).servers == [("b", ask)]
    status = notification("notifications/tasks/status", taskId="T", status="completed")
    assert book.server("b", status).client == [status]
    assert book.server("a", status).client == []
    assert book.client(request(3, "tasks/result", taskId="U")).answer(3)["error"]["code"] == -32602


OF_ANOTHER = [
    ("as it is written", b'{"task":{"taskId":"T"}}'),
    ("in the modern place", b'{"resultType":"task","taskId":"T"}'),
    ("with escapes", b'{"t\\u0061sk":{"t\\u0061skId":"\\u0054"}}'),
    ("beside one that is no task", b'{"task":"none","taskId":"T"}'),
    ("beside one of its own", b'{"task":{"taskId":"T"},"taskId":"mine"}'),
    ("beside text that is not UTF-8", b'{"taskId":"\xff","task":{"taskId":"T","x":"\xff"}}'),
]


@pytest.mark.parametrize("said", [case[1] for case in OF_ANOTHER], ids=[case[0] for case in OF_ANOTHER])
def test_a_server_cannot_answer_with_the_task_of_another(said: bytes) -> None:
    book = two()
    book.client(call(1, "b__get"))
    book.server("b", result(1, task={"taskId": "T"}))
    book.client(call(2, "a__get"))
    assert "error" in book.server("a", b'{"jsonrpc":"2.0","id":2,"result":%b}' % said).answer(2)
    assert book.client(request(3, "tasks/get", taskId="T")).to("b")


def test_an_unknown_request_is_for_nobody_where_there_are_several_servers() -> None:
    error = two().client(request(1, "future/thing", x=1)).answer(1)["error"]
    assert (error["code"], "future/thing" in error["message"]) == (-32601, True)
    alone = connected({"a": Server()})
    assert alone.client(request(1, "future/thing", x=1)).servers == [("a", request(1, "future/thing", x=1))]


def test_an_unknown_notification_is_for_everyone() -> None:
    book = two()
    for message in (notification("notifications/roots/list_changed"), notification("notifications/future", x=1)):
        assert book.client(message).servers == [("a", message), ("b", message)]


def test_a_request_without_an_id_is_refused() -> None:
    for method in ("tools/call", "Tools/Call", "resources/read", "future/thing"):
        turn = two().client({"jsonrpc": "2.0", "method": method, "params": {"name": "a__get"}})
        assert (turn.servers, turn.types) == ([], ["message.rejected"])


MALFORMED = [
    (b"{", -32700),
    (b"\xff", -32700),
    (b"[]", -32600),
    (b"7", -32600),
    (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__get","Name":"b__get"}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":[]}}', -32602),
]


@pytest.mark.parametrize(("line", "code"), MALFORMED)
def test_what_breaks_the_protocol_gets_an_error_and_an_event_and_goes_nowhere(line: bytes, code: int) -> None:
    book = two()
    turn = book.client(line)
    assert (turn.servers, [message["error"]["code"] for message in turn.client]) == ([], [code])
    assert "message.rejected" in turn.types
    assert book.client(request(2, "ping")).answer(2)["result"] == {}


def test_a_batch_is_taken_apart_and_answered_as_one() -> None:
    servers = {slug: Server(tools=["get"], protocol="2025-03-26") for slug in ("a", "b")}
    book = connected(servers)
    turn = book.client(
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__get"}},'
        b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"b__get"}},'
        b'{"jsonrpc":"2.0","id":3,"method":"ping"},{"jsonrpc":"2.0","id":4,"method":"tools/list"},7]'
    )
    assert turn.client == []
    assert book.server("b", b'[{"jsonrpc":"2.0","id":2,"result":{"content":[]}}]').client == []
    (answers,) = book.server("a", result(1, content=[])).client
    assert sorted(str(answer["id"]) for answer in answers) == ["1", "2", "3", "4", "None"]


def test_a_batch_of_more_than_a_thousand_messages_is_refused_as_a_whole() -> None:
    book = connected({slug: Server(tools=["get"], protocol="2025-03-26") for slug in ("a", "b")})
    turn = book.client([call(number, "a__get") for number in range(1_001)])
    assert (turn.servers, [answer["error"]["code"] for answer in turn.client]) == ([], [-32600])


def test_nothing_is_changed_in_what_passes() -> None:
    book = two()
    strange = {"deep": [[[]]], "n": 1e-7, "big": 2**70, "text": "\u2028😀"}
    message = {**call(1, "a__get", **strange), "extra": {"member": True}}
    message["params"] |= {"future": strange, "_meta": {"x.y/z": strange}}
    assert book.client(message).to("a") == [{**message, "params": {**message["params"], "name": "get"}}]
    answer = result(1, content=[], structuredContent=strange, _meta={"x.y/z": strange}, future=strange)
    assert book.server("a", answer).client == [answer]

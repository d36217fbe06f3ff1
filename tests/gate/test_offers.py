"""Prompts and resources behind a policy that has a say in them: asked for, listed, subscribed to, completed."""

import pytest

from mcp_guard.gate import Admitted, Denied, Record, pages
from mcp_guard.gate.outputs import Refusal
from tests.gate.playbook import ALLOW_ALL, META, Playbook, connected, modern, notification, request, result

POLICY = """
version: 1
rules:
  - {id: tools, effect: allow}
  - {id: python, effect: gated, prompts: review, when: request.args.language == "python", message: Only Python.}
  - {id: plans, effect: require_approval, prompts: plan}
  - {id: secret, effect: deny, resources: "file:///data/secret/*"}
  - {id: data, effect: allow, resources: "file:///data/*"}
  - {id: db, effect: require_approval, resources: "db://*"}
"""
NO_SAY = "version: 1\nrules: [{id: all, effect: allow, tools: '*'}]"


def get(request_id: object, name: object, meta: dict | None = None, /, **arguments: object) -> dict:
    more = {} if meta is None else {"_meta": meta}
    return request(request_id, "prompts/get", name=name, arguments=arguments, **more)


def read(request_id: object, uri: object, method: str = "resources/read", **more: object) -> dict:
    return request(request_id, method, uri=uri, **more)


def error(turn) -> dict:
    (answer,) = turn.client
    return answer["error"]


# Asking


@pytest.mark.parametrize(
    ("asked", "kind", "name", "rule"),
    [
        (get(1, "review", language="python"), "prompt", "review", "python"),
        (read(1, "file:///data/a"), "resource", "file:///data/a", "data"),
        (read(1, "file:///data/a", "resources/subscribe"), "resource", "file:///data/a", "data"),
    ],
)
def test_what_is_allowed_goes_on_as_it_is_behind_its_row(asked, kind, name, rule):
    turn = connected(POLICY).client(asked)
    (admitted,) = turn.outputs
    assert isinstance(admitted, Admitted)
    assert turn.upstream == [asked]
    event = admitted.event
    assert (event.type, event.tool, event.decision, event.rule) == (f"{kind}.decided", name, "allow", rule)
    assert event.data["method"] == asked["method"]
    assert event.data["forwarded"] is True


def test_the_answer_passes_and_is_recorded():
    book = connected(POLICY)
    decision = book.client(read(1, "file:///data/a")).events[0]
    answer = result(1, contents=[{"uri": "file:///data/a", "text": "hello"}])
    turn = book.upstream(answer)
    assert turn.client == [answer]
    (event,) = turn.events
    assert (event.type, event.tool) == ("resource.completed", "file:///data/a")
    assert event.data["decision"] == decision.id
    assert event.data["is_error"] is False


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (get(1, "other"), {"code": -32602, "message": "Unknown prompt: other"}),
        (read(1, "file:///data/secret/a"),
         {"code": -32002, "message": "Resource not found", "data": {"uri": "file:///data/secret/a"}}),
        (read(1, "file:///etc/passwd", "resources/subscribe"),
         {"code": -32002, "message": "Resource not found", "data": {"uri": "file:///etc/passwd"}}),
        (read(1, "file:///data/../etc/passwd"),
         {"code": -32002, "message": "Resource not found", "data": {"uri": "file:///data/../etc/passwd"}}),
    ],
)  # fmt: skip
def test_what_is_hidden_is_not_there(asked, expected):
    turn = connected(POLICY).client(asked)
    assert isinstance(turn.outputs[0], Denied)
    assert turn.upstream == []
    assert error(turn) == expected


def test_a_hidden_resource_has_the_code_of_its_revision():
    turn = modern(POLICY).client(read(1, "file:///etc/passwd", _meta=META))
    assert error(turn)["code"] == -32602


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (get(1, "review", language="c"),
         "Getting the prompt review was denied by policy. No policy rule allows this prompt with these arguments. "
         'Rule "python" allows prompts where `request.args.language == "python"`.'),
        (get(1, "plan"),
         "Getting the prompt plan needs a person's approval, and none was given. "
         'Policy rule "plans" lets this prompt be used only with a person\'s approval.'),
        (read(1, "db://users"),
         "Reading db://users needs a person's approval, and none was given. "
         'Policy rule "db" lets this resource be read only with a person\'s approval.'),
    ],
)  # fmt: skip
def test_a_denial_says_why_and_names_its_row(asked, text):
    turn = connected(POLICY).client(asked)
    denied = error(turn)
    assert (denied["code"], denied["message"]) == (-31403, text)
    assert denied["data"] == {"dev.mcp-guard/decision": turn.events[0].id}


def test_a_request_whose_row_cannot_be_written_is_denied():
    book = connected(POLICY)
    admitted = book.client(read(1, "file:///data/a")).outputs[0]
    denied = book.gate.refuse(admitted, Refusal("the disk is full"))
    assert (denied.event.decision, denied.event.type) == ("deny", "resource.decided")
    turn = book.turn([denied])
    assert "the disk is full" in error(turn)["message"]
    assert book.client(read(1, "file:///data/a")).upstream, "its id is free again"


def test_a_prompts_arguments_are_kept_as_those_of_a_call_are():
    event = connected(POLICY).client(get(1, "review", language="python", password="hunter2")).events[0]
    assert b"hunter2" not in bytes(str(event.data), "utf-8")
    assert event.data["redacted"][0]["path"] == "/password"


def test_a_uri_is_recorded_without_secrets_and_bounded():
    uri = "https://api.example/x?token=ghp_" + "a" * 36 + "&" + "b" * 5000
    event = connected(POLICY).client(read(1, uri)).events[0]
    assert "ghp_" not in event.tool
    assert len(event.tool) <= 2048


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("prompts/get", {"name": "review", "Name": "other"}),
        ("prompts/get", {"name": "review", "arguments": {}, "Arguments": {}}),
        ("prompts/get", {"name": "review\0"}),
        ("prompts/get", {"name": 1}),
        ("prompts/get", {"arguments": {}}),
        ("prompts/get", {"name": "review", "arguments": []}),
        ("prompts/get", {"name": "p" * 9000}),
        ("resources/read", {"uri": "file:///data/a", "URI": "file:///etc/passwd"}),
        ("resources/read", {"uri": ["file:///data/a"]}),
        ("resources/read", {"uri": "file:///data/a\0"}),
        ("resources/read", {}),
        ("resources/subscribe", {"uri": "file:///data/a", "Uri": "x:y"}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "review", "Name": "other"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "review", "uri": "file:///etc/passwd"}}),
        ("completion/complete", {"ref": {"type": "ref/resource", "name": "other", "uri": "file:///data/{id}"}}),
        ("completion/complete", {"ref": {"type": "ref/other", "name": "review"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt"}, "Ref": {}}),
        ("completion/complete", {"ref": {"type": ["ref/prompt"]}}),
        ("completion/complete", {"ref": "review"}),
    ],
)
def test_what_could_be_read_in_two_ways_goes_no_further(method, params):
    turn = connected(POLICY).client(request(1, method, **params))
    assert turn.upstream == []
    assert error(turn)["code"] == -32602
    assert turn.types == ["message.rejected"]


def test_arguments_that_differ_only_in_case_are_denied():
    turn = connected(POLICY).client(get(1, "review", language="python", Language="c"))
    assert turn.upstream == []
    assert "in two ways" in error(turn)["message"]


@pytest.mark.parametrize("method", ["Prompts/Get", "resources/READ", " prompts/list", "Completion/complete"])
def test_a_method_that_differs_only_in_case_goes_no_further(method):
    book = connected(POLICY)
    assert book.client(request(1, method, name="x", uri="file:///etc/passwd")).upstream == []
    assert book.client(notification(method, uri="file:///etc/passwd")).upstream == []


def test_without_a_say_everything_passes_as_it_came_and_unrecorded():
    book = connected(NO_SAY)
    for number, asked in enumerate([
        get(10, "any", x=1), read(11, "file:///etc/passwd"), read(12, "x:y", "resources/subscribe"),
        request(13, "completion/complete", ref={"type": "ref/new"}), request(14, "prompts/get", Name=1),
        request(15, "prompts/list"), request(16, "resources/templates/list"),
    ]):  # fmt: skip
        turn = book.client(asked)
        assert (turn.upstream, turn.events) == ([asked], [])
        answer = result(10 + number, prompts=[{"name": "x"}], other=1)
        assert (book.upstream(answer).client, book.upstream(answer).types) == ([answer], ["message.rejected"])


def test_in_observe_mode_the_decision_is_recorded_and_the_request_goes_on():
    book = connected(POLICY, mode="observe")
    turn = book.client(read(1, "file:///etc/passwd"))
    assert turn.upstream
    assert (turn.events[0].decision, turn.events[0].data["forwarded"]) == ("deny", True)
    book.client(request(2, "resources/list"))
    listed = result(2, resources=[{"uri": "file:///etc/passwd", "name": "x"}])
    assert book.upstream(listed).client == [listed]


def test_a_batch_is_answered_as_one_where_some_of_it_is_denied():
    book = connected(POLICY, protocol="2025-03-26")
    turn = book.client([get(1, "other"), read(2, "file:///data/a")])
    assert turn.client == []
    (answers,) = book.upstream(result(2, contents=[])).client
    assert [answer["id"] for answer in answers] == [1, 2]


# Listing

PROMPTS = [{"name": "review"}, {"name": "other"}, {"name": "plan"}, {"name": 7}, "x", {"title": "none"}]
RESOURCES = [{"uri": "file:///data/a"}, {"uri": "file:///data/secret/a"}, {"uri": "db://x"}, {"uri": "x:y"}, {}]
TEMPLATES = [{"uriTemplate": "file:///data/{x}"}, {"uriTemplate": "http://{x}"}, {"uriTemplate": "db://{x}"}]
LISTS = [
    ("prompts/list", "prompts", PROMPTS, [{"name": "review"}, {"name": "plan"}]),
    ("resources/list", "resources", RESOURCES, [{"uri": "file:///data/a"}, {"uri": "db://x"}]),
    ("resources/templates/list", "resourceTemplates", TEMPLATES, [TEMPLATES[0], TEMPLATES[2]]),
]


@pytest.mark.parametrize(("method", "member", "listed", "shown"), LISTS)
def test_every_page_of_a_list_holds_what_the_client_may_use(method, member, listed, shown):
    book = connected(POLICY)
    for number, more in [(1, {"nextCursor": "2"}), (2, {})]:
        book.client(request(number, method))
        turn = book.upstream(result(number, **{member: listed}, **more))
        assert turn.client == [result(number, **{member: shown}, **more)]


@pytest.mark.parametrize(("method", "member", "listed", "shown"), LISTS)
def test_a_filtered_list_of_the_modern_era_is_private_and_stale_soon(method, member, listed, shown):
    book = modern(POLICY)
    book.client(request(1, method, _meta=META))
    more = {"resultType": "complete", "ttlMs": 3_600_000, "cacheScope": "public"}
    (answer,) = book.upstream(result(1, **{member: listed}, **more)).client
    assert answer["result"] == {member: shown, "resultType": "complete", "ttlMs": 30_000, "cacheScope": "private"}


@pytest.mark.parametrize("members", [{}, {"prompts": {}}, {"prompts": [{"name": "other"}], "nextCursor": []}])
def test_an_answer_that_is_no_list_is_an_error_or_filtered_all_the_same(members):
    book = connected(POLICY)
    book.client(request(1, "prompts/list"))
    turn = book.upstream(result(1, **members))
    assert "other" not in str(turn.client)


def test_a_page_with_more_than_is_judged_does_not_reach_the_client(monkeypatch):
    monkeypatch.setattr(pages, "MOST_ELEMENTS", 3)
    book = connected(POLICY)
    book.client(request(1, "prompts/list"))
    assert "error" in book.upstream(result(1, prompts=[{"name": "review"}] * 4)).client[0]


@pytest.mark.parametrize(("method", "member", "listed", "shown"), LISTS)
def test_no_list_or_element_has_a_second_reading(method, member, listed, shown):
    book = connected(POLICY)
    named_by = next(iter(shown[0]))
    hidden, seen = listed[1][named_by], shown[0][named_by]
    twice = f'{{"{named_by}":"{hidden}","{named_by}":"{seen}"}}'
    folded = f'{{"{named_by}":"{seen}","{named_by.title()}":"{hidden}"}}'
    for number, members in enumerate([f'"{member}":[{twice},{folded}]', f'"{member}":[],"{member.upper()}":[{twice}]']):
        book.client(request(number, method))
        turn = book.upstream(f'{{"jsonrpc":"2.0","id":{number},"result":{{{members}}}}}'.encode())
        assert hidden.encode() not in b"".join(turn.lines)
        assert turn.client[0]["id"] == number


def test_a_line_with_two_ids_cannot_pass_for_a_list_that_is_waited_for():
    book = connected(POLICY)
    book.client(request(1, "resources/list"))
    book.client(request(2, "ping"))
    line = b'{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"x:y"}]},"id":2}'
    turn = book.upstream(line)
    assert turn.lines == [b'{"jsonrpc":"2.0","id":2,"result":{"resources":[{"uri":"x:y"}]}}']


@pytest.mark.parametrize(
    "members", ['"id":2,"result":{},"Id":1', '"method":"notifications/x","ID":1,"Re\u017fult":{}'], ids=["Id", "ſ"]
)
def test_nor_can_one_whose_members_some_readers_take_for_others(members):
    book = connected(POLICY)
    book.client(request(1, "resources/list"))
    book.client(request(2, "ping"))
    (passed,) = book.upstream(f'{{"jsonrpc":"2.0",{members}}}'.encode()).client
    assert passed.keys() <= {"jsonrpc", "id", "method", "result"}
    assert passed.get("id") in (2, None)


@pytest.mark.parametrize(
    ("hints", "kept"),
    [
        ({"ttlMs": 3_600_000, "cacheScope": "public"}, {"ttlMs": 30_000, "cacheScope": "private"}),
        ({"ttlMs": 5}, {"ttlMs": 5, "cacheScope": "private"}),
        ({}, {"ttlMs": 0, "cacheScope": "private"}),
        ({"resultType": "input_required"}, {"resultType": "input_required"}),
    ],
)
def test_what_was_read_under_a_policy_is_for_this_agent_alone(hints, kept):
    book = modern(POLICY)
    book.client(read(1, "file:///data/a", _meta=META))
    turn = book.upstream(result(1, contents=[{"uri": "file:///data/a", "text": "hello"}], **hints))
    assert turn.client[0]["result"] == {"contents": [{"uri": "file:///data/a", "text": "hello"}], **kept}
    assert turn.types == ["resource.completed"]


def test_an_answer_that_is_no_object_passes():
    book = modern(POLICY)
    book.client(read(1, "file:///data/a", _meta=META))
    answer = {"jsonrpc": "2.0", "id": 1, "result": "none"}
    assert book.upstream(answer).client == [answer]


# Completing


@pytest.mark.parametrize(
    ("ref", "goes_on"),
    [
        ({"type": "ref/prompt", "name": "review"}, True),
        ({"type": "ref/prompt", "name": "other"}, False),
        ({"type": "ref/resource", "uri": "file:///data/{path}"}, True),
        ({"type": "ref/resource", "uri": "http://{host}"}, False),
    ],
)
def test_arguments_are_completed_for_what_is_shown(ref, goes_on):
    asked = request(1, "completion/complete", ref=ref, argument={"name": "x", "value": ""})
    turn = connected(POLICY).client(asked)
    assert bool(turn.upstream) is goes_on
    assert turn.events[0].decision == ("allow" if goes_on else "deny")
    assert turn.events[0].data["method"] == "completion/complete"
    if not goes_on:
        assert error(turn)["message"] in ("Unknown prompt: other", "Resource not found")


# Hearing of changes


def listen(book: Playbook, request_id: object = "sub", **wanted: object):
    return book.client(request(request_id, "subscriptions/listen", _meta=META, notifications=wanted))


def test_a_subscription_is_forwarded_without_what_may_not_be_read():
    book = modern(POLICY)
    turn = listen(book, toolsListChanged=True, resourceSubscriptions=["file:///data/a", "x:y", "file:///data/b"])
    (sent,) = turn.upstream
    assert sent["params"]["notifications"] == {
        "toolsListChanged": True,
        "resourceSubscriptions": ["file:///data/a", "file:///data/b"],
    }
    assert [type(output) for output in turn.outputs] == [Denied, Record, Admitted]
    rows = [(event.tool, event.decision, event.data["method"]) for event in turn.events]
    method = "subscriptions/listen"
    assert rows == [("x:y", "deny", method), ("file:///data/a", "allow", method), ("file:///data/b", "allow", method)]


def test_a_subscription_to_hidden_resources_alone_asks_for_none():
    turn = listen(modern(POLICY), resourceSubscriptions=["x:y"])
    assert turn.upstream[0]["params"]["notifications"] == {"resourceSubscriptions": []}


def test_a_subscription_whose_rows_cannot_be_written_is_refused():
    book = modern(POLICY)
    admitted = listen(book, resourceSubscriptions=["file:///data/a"]).outputs[0]
    turn = book.turn([book.gate.refuse(admitted, Refusal("the disk is full"))])
    assert "the disk is full" in error(turn)["message"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"resourceSubscriptions": "x:y"},
        {"resourceSubscriptions": [1]},
        {"resourceSubscriptions": ["x:y"] * 1001},
        {"resourceSubscriptions": [], "ResourceSubscriptions": ["x:y"]},
    ],
    ids=lambda wanted: str(wanted)[:40],
)
def test_a_subscription_that_could_be_read_in_two_ways_goes_no_further(wanted):
    turn = listen(modern(POLICY), **wanted)
    assert turn.upstream == []
    assert error(turn)["code"] == -32602


@pytest.mark.parametrize(("uri", "passes"), [("file:///data/a", True), ("file:///etc/passwd", False), (7, False)])
def test_updates_of_what_may_not_be_read_do_not_reach_the_client(uri, passes):
    message = notification("notifications/resources/updated", uri=uri)
    turn = connected(POLICY).upstream(message)
    assert turn.client == ([message] if passes else [])
    assert connected(NO_SAY).upstream(message).client == [message]


def test_an_update_names_one_resource_to_every_reader():
    hidden = {"uri": "file:///data/a", "URI": "file:///etc/passwd"}
    message = {**notification("notifications/resources/updated", **hidden), "Params": hidden}
    (told,) = connected(POLICY).upstream(message).client
    assert told == notification("notifications/resources/updated", uri="file:///data/a")


CAPABILITIES = {"tools": {}, "prompts": {}, "resources": {"subscribe": True}}


def initialized(policy: str) -> tuple[Playbook, dict]:
    book = Playbook(policy)
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo={"name": "x"}, capabilities={}))
    answer = book.upstream(result(0, protocolVersion="2025-11-25", serverInfo={}, capabilities=CAPABILITIES)).client[0]
    book.client(notification("notifications/initialized"))
    return book, answer["result"]["capabilities"]


def test_changes_of_filtered_lists_are_declared_and_told():
    book, capabilities = initialized(POLICY)
    assert capabilities == {
        "tools": {"listChanged": True},
        "prompts": {"listChanged": True},
        "resources": {"subscribe": True, "listChanged": True},
    }
    told = [notification(f"notifications/{kind}/list_changed") for kind in ("tools", "prompts", "resources")]
    assert book.policy(NO_SAY).client == told


def test_nothing_is_declared_or_told_of_lists_that_pass_unfiltered():
    book, capabilities = initialized(NO_SAY)
    assert capabilities == {**CAPABILITIES, "tools": {"listChanged": True}}
    assert book.policy(ALLOW_ALL).client == [notification("notifications/tools/list_changed")]


def test_a_subscription_is_told_of_the_lists_that_it_asked_for():
    book = modern(POLICY)
    listen(book, promptsListChanged=True)
    (told,) = book.policy(NO_SAY).client
    assert told["method"] == "notifications/prompts/list_changed"
    assert told["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "sub"}


def test_what_the_guard_announces_itself_is_acknowledged():
    book = modern(POLICY)
    listen(book, promptsListChanged=True, resourcesListChanged=True)
    meta = {"io.modelcontextprotocol/subscriptionId": "sub"}
    turn = book.upstream(notification("notifications/subscriptions/acknowledged", _meta=meta, notifications={}))
    assert turn.client[0]["params"]["notifications"] == {"promptsListChanged": True, "resourcesListChanged": True}

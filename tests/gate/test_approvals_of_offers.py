"""Prompts and resources that a person has to approve: asked for as calls are, and what runs is what was shown."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.events import ApprovalRequested
from mcp_guard.gate import Admitted, Forward, Pending, Refusal
from mcp_guard.governance.snapshot import Override
from tests.gate.approving import DENY, MODERN, ONCE, SESSION, Approving, said
from tests.gate.playbook import Turn, notification, request, result

POLICY = """
version: 1
rules:
  - {id: tools, effect: allow}
  - {id: no-payroll, effect: deny, prompts: report, when: 'has(request.args.table) && request.args.table == "payroll"'}
  - {id: ask, effect: require_approval, prompts: report, message: Think twice.}
  - {id: secret, effect: deny, resources: "db://secret/*"}
  - {id: db, effect: require_approval, resources: "db://*", message: Not on Fridays.}
  - {id: data, effect: allow, resources: "file:///data/*"}
"""
STORE = POLICY + "settings: {approvals: store, approval_timeout: 60}\n"
SECRET = "ghp_" + "a1B2c3D4" * 5


def get(request_id: object, meta: dict | None = None, /, **arguments: object) -> dict:
    more = {} if meta is None else {"_meta": meta}
    return request(request_id, "prompts/get", name="report", arguments=arguments, **more)


def read(request_id: object, meta: dict | None = None, /, uri: str = "db://users", **more: object) -> dict:
    more |= {} if meta is None else {"_meta": meta}
    return request(request_id, "resources/read", uri=uri, **more)


def back(answer: dict, message: dict, choice: str | None = ONCE) -> dict:
    """The retry of a modern request, with what a person said to the question in `answer`."""
    asked = answer["result"]
    params = {**message["params"], "requestState": asked["requestState"]}
    if choice is not None:
        response = {"action": "accept", "content": {"decision": choice}}
        params["inputResponses"] = dict.fromkeys(asked["inputRequests"], response)
    return {**message, "params": params}


def error(turn: Turn) -> dict:
    (answer,) = (message for message in turn.client if "error" in message)
    return answer["error"]


ASKING = {"prompt": get, "resource": read}
KINDS = pytest.mark.parametrize("kind", ASKING)


# Through the client


@pytest.mark.parametrize(
    ("asked", "parts", "left_out"),
    [
        (get(7, table="sales\u202e", token=SECRET),
         ('wants this prompt of the server files: "report"', "Think twice.", '"table": "sales\\u202e"', "/token"),
         SECRET),
        (read(7), ('wants to read this from the server files: "db://users"', "Not on Fridays.", "claude-code", "kim"),
         "Arguments"),
        (read(7, uri=f"db://x/{SECRET}"), ("db://x/[NOT SHOWN: 44 characters]", "NOT ALL OF IT IS SHOWN",
          "the URI (44 of its 51 bytes)"), SECRET),
    ],
    ids=["a prompt", "a resource", "a URI that hides something"],
)  # fmt: skip
def test_the_person_is_asked_what_would_run_and_the_row_comes_first(asked, parts, left_out):
    turn = Approving(POLICY).client(asked)
    assert turn.upstream == []
    (question,) = turn.client
    assert question["method"] == "elicitation/create"
    for part in parts:
        assert part in " ".join(re.sub("↩\n *", "", question["params"]["message"]).split())
    assert left_out not in json.dumps(question)
    (pending,) = turn.outputs
    assert isinstance(pending, Pending)
    assert isinstance(pending.event, ApprovalRequested)
    assert (pending.event.type, pending.event.rule, pending.event.pattern) == ("approval.requested", "C-a1", "")
    assert pending.event.method == pending.event.data["method"] == asked["method"]
    assert SECRET not in pending.event.arguments


@KINDS
def test_what_the_person_approves_goes_on_as_it_came_and_holds_once(kind):
    book, message = Approving(POLICY), ASKING[kind](7)
    asked = book.client(message).client[0]
    turn = book.client(said(asked))
    assert (turn.upstream, turn.client) == ([message], [])
    assert turn.types == ["approval.decided", f"{kind}.decided"]
    assert (turn.events[1].decision, turn.events[1].decided_by, turn.events[1].rule) == ("allow", "approval", "C-a1")
    assert turn.events[1].data["method"] == message["method"]
    answered = book.upstream(result(7))
    assert (answered.client, answered.types) == ([result(7)], [f"{kind}.completed"])
    assert book.client(said(asked)).types == ["message.rejected"]
    assert book.client({**message, "id": 8}).client[0]["method"] == "elicitation/create"


@KINDS
def test_a_no_is_an_error_that_says_whose(kind):
    book = Approving(POLICY)
    turn = book.client(said(book.client(ASKING[kind](7)).client[0], DENY))
    assert turn.upstream == []
    assert error(turn)["code"] == -31403
    assert f"needs a person's approval, and none was given. kim denied this {kind}." in error(turn)["message"]
    assert error(turn)["data"] == {"dev.mcp-guard/decision": turn.events[-1].id}


@KINDS
def test_a_yes_for_the_session_is_for_this_prompt_or_resource_alone(kind):
    book = Approving(POLICY)
    book.client(said(book.client(ASKING[kind](7)).client[0], SESSION))
    again = ASKING[kind](8)
    assert book.client(again).upstream == [again]
    other = read(9, uri="db://orders")
    assert book.client(other).client[0]["method"] == "elicitation/create"
    assert book.mail(10).upstream, "a tool is not a prompt"


def test_a_prompt_that_is_called_as_a_tool_is_is_another_thing():
    policy = POLICY.replace("{id: tools, effect: allow}", "{id: tools, effect: require_approval, tools: send_mail}")
    book = Approving(policy.replace("prompts: report", "prompts: [report, send_mail]"))
    book.client(said(book.mail(7).client[0], SESSION))
    turn = book.client(request(8, "prompts/get", name="send_mail"))
    assert turn.client[0]["method"] == "elicitation/create"


def test_a_deny_rule_decides_before_anybody_is_asked():
    turn = Approving(POLICY).client(get(7, table="payroll"))
    assert turn.types == ["prompt.decided"]
    assert error(turn)["code"] == -31403


# Modern


@KINDS
def test_a_modern_request_is_answered_with_the_question_and_judged_again_with_the_answer(kind):
    book = Approving(POLICY, modern=True)
    turn = book.client(ASKING[kind](7, MODERN))
    assert (turn.upstream, turn.types) == ([], ["approval.requested"])
    assert turn.client[0]["result"]["resultType"] == "input_required"
    retry = ASKING[kind](8, MODERN)
    again = book.client(back(turn.client[0], retry))
    assert again.upstream == [retry], "nothing of the guard's own question is left in it"
    assert again.types == ["approval.decided", f"{kind}.decided"]
    assert book.client(back(turn.client[0], {**retry, "id": 9})).upstream == []


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        (get(7, MODERN, table="sales"), get(8, MODERN, table="people")),
        (read(7, MODERN), read(8, MODERN, uri="db://orders")),
        (read(7, MODERN), read(8, MODERN, more=1)),
        (read(7, MODERN), read(8, MODERN, arguments={"range": "all"})),
        (read(7, MODERN), read(8, {**MODERN, "evil": 1})),
        (read(7, MODERN), {**read(8, MODERN), "method": "resources/subscribe"}),
        (get(7, MODERN), read(8, MODERN, uri="report")),
    ],
    ids=[
        "other arguments",
        "another resource",
        "more parameters",
        "arguments, which it has none of",
        "more of _meta",
        "another method",
        "another kind",
    ],
)
def test_an_approval_is_of_nothing_else(asked, other):
    book = Approving(POLICY, modern=True)
    turn = book.client(back(book.client(asked).client[0], other))
    assert turn.upstream == []
    assert error(turn)["code"] == -32602


@KINDS
def test_a_rule_that_is_gone_meanwhile_leaves_nothing_of_the_question_in_the_request(kind):
    book = Approving(POLICY, modern=True)
    asked = book.client(ASKING[kind](7, MODERN)).client[0]
    book.policy("version: 1\nrules: [{id: tools, effect: allow, tools: '*'}]")
    retry = ASKING[kind](8, MODERN)
    assert book.client(back(asked, retry)).upstream == [retry]


@KINDS
def test_a_server_that_needs_more_input_gets_it_without_a_second_approval_and_once(kind):
    book = Approving(POLICY, modern=True)
    book.client(back(book.client(ASKING[kind](7, MODERN)).client[0], ASKING[kind](8, MODERN)))
    book.upstream(
        result(8, resultType="input_required", inputRequests={"q": {"method": "roots/list"}}, requestState="S")
    )
    more = ASKING[kind](9, MODERN)
    more["params"] |= {"requestState": "S", "inputResponses": {"q": {"roots": []}}}
    assert book.client(more).upstream == [more]
    assert book.client({**more, "id": 10}).upstream == []


# Not shown whole

BLINDING = {  # what is asked for, what of it a person sees, and what they do not
    "a password in a URI": (
        {"uri": "db://q?password=harmless123"}, "db://q?password=[NOT SHOWN: 11 characters]", "harmless"),
    "a path behind a token": (
        {"uri": f"db://q?x={SECRET}/../../etc/shadow"}, "db://q?x=[NOT SHOWN: 44 characters]/../../etc/shadow", SECRET),
    "a prompt that is named like a token": ({"name": SECRET}, "[NOT SHOWN: 44 characters]", SECRET),
    "a tool that is named like a token": ({"name": SECRET, "arguments": {}}, "[NOT SHOWN: 44 characters]", SECRET),
}  # fmt: skip
MASKED = POLICY.replace("prompts: report, message", "prompts: '*', message").replace(
    "{id: tools, effect: allow}", "{id: tools, effect: require_approval, tools: '*'}"
)
UNLISTED = "settings: {unlisted_tools: policy}\n"


@pytest.mark.parametrize("name", BLINDING)
@pytest.mark.parametrize("modern", [False, True], ids=["legacy", "modern"])
def test_a_name_or_uri_that_is_not_shown_whole_says_so_first_and_can_be_approved_once_only(name, modern):
    params, seen, secret = BLINDING[name]
    method = "resources/read" if "uri" in params else "tools/call" if "arguments" in params else "prompts/get"
    book = Approving(MASKED + UNLISTED, modern=modern)

    def ask(number: int) -> tuple[Turn, dict]:
        message = request(number, method, **params, **({"_meta": MODERN} if modern else {}))
        return book.client(message), message

    def answer(turn: Turn, message: dict, choice: str) -> Turn:
        return book.client(back(turn.client[0], message, choice) if modern else said(turn.client[0], choice))

    turn, message = ask(7)
    (pending,) = turn.outputs
    assert isinstance(pending, Pending)
    (question,) = turn.client if not modern else turn.client[0]["result"]["inputRequests"].values()
    text = " ".join(re.sub("↩\n *", "", question["params"]["message"]).split())
    assert seen in text
    assert text.index("NOT ALL OF IT IS SHOWN") < text.index(" bytes)")
    assert question["params"]["requestedSchema"]["properties"]["decision"]["enum"] == [DENY, ONCE]
    assert secret not in json.dumps(turn.client)

    kept = json.loads(pending.event.arguments)
    assert kept["named"] == seen
    assert [(one["of"], one["hidden"]) for one in kept["redacted"]] == [
        ("params", len(secret) + 3 * (secret != SECRET))
    ]
    assert (pending.event.pattern, secret in pending.event.arguments + str(pending.event.data)) == ("", False)

    assert answer(turn, {**message, "id": 8}, SESSION).upstream == []  # a client that makes up a choice
    turn, message = ask(9)
    (ran,) = answer(turn, {**message, "id": 10} if modern else message, ONCE).upstream
    assert ran["params"].get("uri", ran["params"].get("name")) == params.get("uri", params.get("name"))


def test_a_tool_whose_name_is_too_long_to_be_shown_is_denied():
    turn = Approving(MASKED + UNLISTED).client(request(7, "tools/call", name="x" * 8_001))
    assert (turn.upstream, turn.types) == ([], ["tool.decided"])


# In the store, and with time


@KINDS
def test_in_the_store_it_waits_until_somebody_decides(kind):
    book, message = Approving(STORE), ASKING[kind](7)
    turn = book.client(message)
    assert (turn.upstream, turn.client, turn.types) == ([], [], ["approval.requested"])
    assert book.decided("C-a1", scope="session").upstream == [message]
    assert book.client({**message, "id": 8}).upstream == [{**message, "id": 8}]


@KINDS
def test_time_that_is_up_denies(kind):
    book = Approving(STORE)
    book.client(ASKING[kind](7))
    turn = book.wait(61)
    assert "Nobody decided about it within 60 seconds." in error(turn)["message"]
    assert turn.types == ["approval.withdrawn", f"{kind}.decided"]
    assert book.decided("C-a1").upstream == []


@KINDS
def test_a_client_that_asked_for_progress_hears_that_its_request_lives(kind):
    book = Approving(STORE)
    book.client(ASKING[kind](7, {"progressToken": "t"}))
    told = [message for _ in range(21) for message in book.wait(1).client]
    assert [message["params"]["progressToken"] for message in told] == ["t", "t"]


@KINDS
def test_what_is_cancelled_is_withdrawn(kind):
    book = Approving(POLICY)
    asked = book.client(ASKING[kind](7)).client[0]
    turn = book.client(notification("notifications/cancelled", requestId=7))
    assert (turn.upstream, turn.types) == ([], ["approval.withdrawn", f"{kind}.decided"])
    assert turn.client == [notification("notifications/cancelled", requestId=asked["id"])]
    assert book.client(said(asked)).upstream == []


@KINDS
def test_a_brake_that_came_meanwhile_wins_over_the_approval(kind):
    book = Approving(STORE)
    book.client(ASKING[kind](7))
    book.registry.overrides = (Override("o", "*", "deny", reason="freeze", brake=True),)
    turn = book.decided("C-a1")
    assert turn.upstream == []
    assert (turn.events[-1].type, turn.events[-1].decided_by) == (f"{kind}.decided", "override")


@KINDS
def test_a_policy_that_has_no_say_in_it_any_more_lets_it_go_on(kind):
    book, message = Approving(POLICY), ASKING[kind](7)
    book.client(message)
    turn = book.policy("version: 1\nrules: [{id: tools, effect: allow, tools: '*'}]")
    assert turn.upstream == [message]
    assert turn.types == ["policy.loaded", "approval.withdrawn", f"{kind}.decided"]


@KINDS
def test_where_the_question_could_not_be_written_nobody_is_asked(kind):
    book = Approving(POLICY)
    (pending,) = book.client(ASKING[kind](7)).outputs
    turn = book.turn([book.gate.refuse(pending, Refusal("the disk is full"))])
    assert "the disk is full" in error(turn)["message"]
    assert (turn.types, turn.events[0].decided_by) == ([f"{kind}.decided"], "guard")
    assert book.client(said(json.loads(pending.line))).upstream == []


def test_what_is_too_long_to_be_shown_is_denied_and_says_so():
    turn = Approving(POLICY).client(read(7, uri="db://" + "x" * 4_000))
    assert turn.types == ["resource.decided"]
    assert "too long to be shown" in error(turn)["message"]


def test_observe_mode_forwards_at_once_and_records():
    turn = Approving(POLICY, mode="observe").client(read(7))
    assert turn.upstream == [read(7)]
    assert turn.events[0].decision == "require_approval"


# Subscriptions


def subscribe(request_id: object) -> dict:
    return request(request_id, "resources/subscribe", uri="db://users")


def test_a_subscription_is_not_asked_about_and_goes_with_reading():
    book = Approving(POLICY)
    turn = book.client(subscribe(7))
    assert turn.types == ["resource.decided"]
    assert error(turn)["message"] == (
        "Subscribing to db://users needs a person's approval, and none was given. "
        'Policy rule "db" lets this resource be read only with a person\'s approval. '
        "A person is asked about reading it, and once that is approved for the session, this is as well. "
        "Not on Fridays."
    )
    book.client(said(book.client(read(8)).client[0], SESSION))
    turn = book.client(subscribe(9))
    assert turn.upstream == [subscribe(9)]
    assert (turn.events[0].decided_by, turn.events[0].rule) == ("approval", "C-a1")


def test_a_modern_subscription_holds_what_was_approved_for_the_session():
    def listen(request_id: object) -> dict:
        wanted = {"resourceSubscriptions": ["db://users", "db://orders", "file:///data/a"]}
        return request(request_id, "subscriptions/listen", notifications=wanted, _meta=MODERN)

    def subscribed(turn: Turn) -> list[str]:
        return turn.upstream[0]["params"]["notifications"]["resourceSubscriptions"]

    book = Approving(POLICY, modern=True)
    assert subscribed(book.client(listen(7))) == ["file:///data/a"]
    book.client(back(book.client(read(8, MODERN)).client[0], read(9, MODERN), SESSION))
    turn = book.client(listen(10))
    assert subscribed(turn) == ["db://users", "file:///data/a"]
    assert sorted(event.decision for event in turn.events) == ["allow", "allow", "require_approval"]


# Whatever happens

URIS = st.sampled_from(["db://users", "db://orders", "db://secret/x"])
STEPS = st.one_of(
    st.tuples(st.just("read"), URIS),
    st.tuples(st.just("answer"), st.integers(0, 3), st.sampled_from([ONCE, DENY, None])),
    st.tuples(st.just("another"), st.integers(0, 3), URIS),
    st.tuples(st.just("store"), st.integers(1, 4), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from([1, 400])),
)


@given(st.booleans(), st.sampled_from([POLICY, STORE]), st.lists(STEPS, max_size=12))
def test_nothing_is_read_without_an_approval_of_exactly_it(modern, policy, steps):
    book, meta = Approving(policy, modern=modern), MODERN if modern else None
    waiting: list[tuple[str, str, dict | None]] = []  # approval, URI, question
    granted: list[str] = []  # what may still be read
    for number, (kind, *step) in enumerate(steps, 100):
        turn = Turn()
        if kind == "read":
            turn = book.client(read(number, meta, uri=step[0]))
            asked = turn.client[0] if turn.client else None
            waiting += [(one.event.rule, step[0], asked) for one in turn.outputs if isinstance(one, Pending)]
        elif kind in ("answer", "another") and step[0] < len(waiting) and (question := waiting[step[0]][2]):
            uri = waiting[step[0]][1]
            if kind == "answer":
                granted += [uri] if step[1] == ONCE else []
                reply = back(question, read(number, meta, uri=uri), step[1]) if modern else said(question, step[1])
                turn = book.client(reply)
            elif modern and step[1] != uri:
                turn = book.client(back(question, read(number, meta, uri=step[1])))
        elif kind == "store":
            known = {approval: uri for approval, uri, _ in waiting}
            if (uri := known.get(f"C-a{step[0]}")) and f"C-a{step[0]}" not in book.registry.rulings:
                granted += [uri] if step[1] else []
                turn = book.decided(f"C-a{step[0]}", approved=step[1])
        elif kind == "cancel":
            turn = book.client(notification("notifications/cancelled", requestId=100 + step[0]))
        elif kind == "wait":
            turn = book.wait(step[0])
        for output in turn.outputs:
            message = json.loads(output.line) if isinstance(output, Admitted | Forward) else {}
            if message.get("method") == "resources/read":
                assert isinstance(output, Admitted)
                assert output.event.decided_by == "approval"
                assert not message["params"]["uri"].startswith("db://secret")
                assert "requestState" not in message["params"]
                granted.remove(message["params"]["uri"])

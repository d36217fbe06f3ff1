"""Calls that a person has to approve: asked through the client or in the store; what runs is what was shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.events import ApprovalRequested, ApprovalSettled
from mcp_guard.gate import Admitted, Connection, Forward, Pending, Refusal
from mcp_guard.governance import Ruling
from mcp_guard.governance.snapshot import Override
from tests.gate.approving import DENY, MODERN, ONCE, POLICY, SESSION, STORE, Approving, said
from tests.gate.playbook import Turn, call, notification, request, result, tool

SECRET = "ghp_" + "a1B2c3D4" * 5


def back(answer: dict, request_id: object, choice: str | None = ONCE, to: str = "bob", **more: object) -> dict:
    """The retry of a modern call, with what a person said to the question in `answer`."""
    asked = answer["result"]
    message = call(request_id, "send_mail", MODERN, to=to, **more)
    message["params"]["requestState"] = asked["requestState"]
    if choice is not None:
        response = {"action": "accept", "content": {"decision": choice}}
        message["params"]["inputResponses"] = dict.fromkeys(asked["inputRequests"], response)
    return message


def denial(turn: Turn) -> str:
    (answer,) = (message for message in turn.client if "result" in message)
    assert answer["result"]["isError"] is True
    return answer["result"]["content"][0]["text"]


# Through the client, legacy


def test_the_person_is_asked_what_would_run_and_the_row_comes_first():
    turn = Approving().mail(7, text="hello\u202e", token=SECRET)
    assert turn.upstream == []
    (asked,) = turn.client
    assert asked["method"] == "elicitation/create"
    text = asked["params"]["message"]
    for part in (
        "claude-code",
        "kim",
        "send_mail",
        "files",
        'rule "ask"',
        "Think twice.",
        '"to": "bob"',
        "\\u202e",
    ):
        assert part in text
    assert SECRET not in json.dumps(asked)
    assert "/token" in text
    assert asked["params"]["requestedSchema"]["properties"]["decision"]["enum"] == [DENY, ONCE]
    (pending,) = turn.outputs
    assert isinstance(pending, Pending)
    event = pending.event
    assert isinstance(event, ApprovalRequested)
    assert (event.type, event.rule, event.pattern, event.tool) == (
        "approval.requested",
        "C-a1",
        "files:send_mail",
        "send_mail",
    )
    assert SECRET not in event.arguments
    assert event.expires == event.data["expires_us"] == event.ts + 300_000_000


SHOWN_TOO = {  # a parameter beside the arguments, what a person sees of it, and what is said to be left out
    "of nobody's": ({"extra": "hidden param"}, {"extra": "hidden param"}, None),
    "a task": ({"task": {"ttl": 5}}, {"task": {"ttl": 5}}, None),
    "_meta": ({"_meta": {"progressToken": 7, "evil": 1}}, {"_meta": {"evil": 1}}, None),
    "_meta that is no object": ({"_meta": [1]}, {"_meta": [1]}, None),
    "the envelope of another era": (
        {"_meta": {"io.modelcontextprotocol/logLevel": "rm -rf /"}},
        {"_meta": {"io.modelcontextprotocol/logLevel": "rm -rf /"}},
        None,
    ),
    "what only a retry has": ({"requestState": "x"}, {"requestState": "x"}, None),
    "a URI": ({"uri": "db://x"}, {"uri": "db://x"}, None),
    "a secret": ({"_meta": {"password": SECRET}}, {"_meta": {"password": None}}, "/_meta/password"),
    "one within a text": ({"extra": f"{SECRET} x"}, {"extra": "[NOT SHOWN: 44 characters] x"}, "/extra"),
}


@pytest.mark.parametrize("name", SHOWN_TOO)
@pytest.mark.parametrize("where", ["form", "store"])
def test_every_other_parameter_is_shown_and_masked_as_arguments_are(name, where):
    more, seen, left_out = SHOWN_TOO[name]
    message = call(7, "send_mail", to="bob")
    message["params"] |= more
    turn = Approving(POLICY if where == "form" else STORE).client(message)
    (pending,) = turn.outputs
    kept = json.loads(pending.event.arguments)
    assert (kept["parameters"], kept["arguments"]) == (seen, {"to": "bob"})
    said = [(one["of"], one["path"]) for one in kept.get("redacted", [])]
    assert said == ([("params", left_out)] if left_out else [])
    assert SECRET not in json.dumps(turn.client) + pending.event.arguments + str(pending.event.data)
    if where == "form":
        params = turn.client[0]["params"]
        text = params["message"].replace("↩\n", "")
        assert json.loads(text.partition("Other parameters:\n")[2]) == seen
        assert (f'parameter "{left_out}"' in text, "NOT ALL OF IT" in text) == (bool(left_out), bool(left_out))
        choices = params["requestedSchema"]["properties"]["decision"]["enum"]
        assert choices == ([DENY, ONCE] if left_out else [DENY, ONCE, SESSION])


def test_where_there_is_no_other_parameter_none_is_spoken_of():
    message = call(7, "send_mail", {"progressToken": 7}, to="bob")
    (pending,) = (turn := Approving().client(message)).outputs
    assert "parameters" not in turn.client[0]["params"]["message"]
    assert "parameters" not in json.loads(pending.event.arguments)


def test_what_the_person_approves_runs_as_it_came_and_the_rows_say_by_whom():
    book = Approving()
    asked = book.mail(7).client[0]
    turn = book.client(said(asked))
    assert turn.upstream == [call(7, "send_mail", to="bob")]
    assert turn.client == []
    assert turn.types == ["approval.decided", "tool.decided"]
    settled, decided = turn.events
    assert isinstance(settled, ApprovalSettled)
    assert (settled.status, settled.scope, settled.by, settled.rule) == ("approved", "once", "kim", "C-a1")
    assert (decided.decision, decided.decided_by, decided.rule) == ("allow", "approval", "C-a1")
    assert decided.registry == 1
    assert book.upstream(result(7, content=[])).client == [result(7, content=[])]
    assert book.client(said(asked)).types == ["message.rejected"]


NOES = {
    "deny": ("deny", lambda asked: said(asked, DENY)),
    "decline": ("decline", lambda asked: said(asked, None, "decline")),
    "cancel": ("cancel", lambda asked: said(asked, None, "cancel")),
    "a yes with a no": ("decline", lambda asked: said(asked, ONCE, "decline")),
    "nothing chosen": ("unreadable", lambda asked: said(asked, None)),
    "something else": ("unreadable", lambda asked: said(asked, "Allow once")),
    "no action that there is": ("unreadable", lambda asked: said(asked, ONCE, "accepted")),
    "no text": (
        "unreadable",
        lambda asked: result(asked["id"], action="accept", content={"decision": ["allow once"]}),
    ),
    "no content": ("unreadable", lambda asked: result(asked["id"], action="accept", content="allow once")),
    "no result at all": ("unreadable", lambda asked: {"jsonrpc": "2.0", "id": asked["id"], "result": None}),
}
RECORDED = {  # who has said it, and what the agent is told
    "deny": ("kim", "kim denied this call."),
    "decline": ("kim", "kim declined to approve this call."),
    "cancel": (None, "The question about this call was closed without an answer."),
    "unreadable": (None, "The client answered the question about this call with something else than was asked for."),
}


@pytest.mark.parametrize("name", NOES)
def test_everything_that_is_not_plainly_a_yes_is_a_no_and_is_recorded_as_what_it_was(name):
    book = Approving()
    kind, answer = NOES[name]
    turn = book.client(answer(book.mail(7).client[0]))
    told = next(event for event in turn.events if isinstance(event, ApprovalSettled))
    assert ((told.by, turn.events[-1].data["reason"]), told.status) == (RECORDED[kind], "denied")
    assert (told.data["answer"], told.data["by"]) == (kind, RECORDED[kind][0] or "mcp-guard")
    assert RECORDED[kind][1] in denial(turn)
    assert turn.upstream == []
    assert "a person's approval is needed" in denial(turn)
    assert [event.decision for event in turn.events if event.type == "tool.decided"] == ["deny"]
    assert turn.events[-1].decided_by == "approval"


def test_an_approval_for_the_session_holds_for_the_tool_as_it_is_defined_until_the_end():
    book = Approving()
    book.client(said(book.mail(7).client[0], SESSION))
    turn = book.mail(8, to="eve")
    assert turn.upstream == [call(8, "send_mail", to="eve")]
    assert (turn.events[0].decided_by, turn.events[0].rule) == ("approval", "C-a1")
    assert "denied" in denial(book.mail(9, to="all"))
    listing = book.upstream(notification("notifications/tools/list_changed")).upstream[0]
    book.upstream(result(listing["id"], tools=[tool("send_mail", "to", "bcc")]))
    assert book.mail(10).client[0]["method"] == "elicitation/create"


def test_an_approval_for_the_session_holds_for_the_tool_as_it_was_when_the_person_was_asked():
    book = Approving()
    asked = book.mail(7).client[0]
    listing = book.upstream(notification("notifications/tools/list_changed")).upstream[0]
    book.upstream(result(listing["id"], tools=[tool("send_mail", "to", "bcc")]))
    assert book.client(said(asked, SESSION)).upstream == [call(7, "send_mail", to="bob")]
    assert book.mail(8).client[0]["method"] == "elicitation/create"


def test_what_was_decided_in_the_store_stands_against_what_the_client_says_afterwards():
    book = Approving()
    asked = book.mail(7).client[0]
    book.registry.rulings["C-a1"] = Ruling(False, "once", "ann", "not today")  # which the gate has not heard of
    turn = book.client(said(asked))
    assert (turn.upstream, turn.types) == ([], ["tool.decided"])
    assert "ann denied this call: not today" in denial(turn)


def test_what_was_approved_in_the_store_in_time_runs_though_it_is_heard_of_late():
    book = Approving(STORE)
    book.mail(7)
    book.registry.rulings["C-a1"] = Ruling(True, "once", "ann")
    assert book.wait(61).upstream == [call(7, "send_mail", to="bob")]


def test_an_approval_holds_once_only():
    book = Approving()
    book.client(said(book.mail(7).client[0]))
    turn = book.mail(8)
    assert turn.upstream == []
    assert turn.client[0]["method"] == "elicitation/create"


def test_a_client_that_cannot_ask_after_all_leaves_the_question_to_the_store():
    book = Approving()
    asked = book.mail(7).client[0]
    turn = book.client({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "what?"}})
    assert (turn.upstream, turn.client) == ([], [])
    assert book.decided("C-a1").upstream == [call(7, "send_mail", to="bob")]


def test_a_server_cannot_answer_for_a_call_that_waits_nor_ask_under_the_guards_own_id():
    book = Approving()
    asked = book.mail(7).client[0]
    assert book.upstream(result(7, content=[])).types == ["message.rejected"]
    assert book.upstream(request(asked["id"], "elicitation/create", message="Like cats?")).types == ["message.rejected"]
    assert book.client(said(asked)).upstream == [call(7, "send_mail", to="bob")]


def test_no_server_can_foresee_the_id_of_a_question():
    first, second = Approving().mail(7).client[0], Approving()
    second.gate._session.connection = Connection(id="C", server="files", user="kim", redaction_key=b"x" * 32)
    assert first["id"] != second.mail(7).client[0]["id"]


# In the store


@pytest.mark.parametrize("forms", [True, False])
def test_where_the_policy_or_the_client_has_it_so_the_call_waits_for_the_store(forms):
    book = Approving(STORE if forms else POLICY, forms=forms)
    turn = book.mail(7)
    assert (turn.upstream, turn.client, turn.types) == ([], [], ["approval.requested"])
    turn = book.decided("C-a1")
    assert turn.upstream == [call(7, "send_mail", to="bob")]
    assert turn.types == ["tool.decided"]
    assert (turn.events[0].decision, turn.events[0].decided_by, turn.events[0].rule) == ("allow", "approval", "C-a1")
    assert "ann" in turn.events[0].data["reason"]


def test_what_the_person_says_in_the_store_reaches_the_agent():
    book = Approving(STORE)
    book.mail(7)
    assert "ann denied this call: ask on Monday" in denial(
        book.decided("C-a1", approved=False, comment="ask on Monday")
    )


def test_time_that_is_up_denies():
    book = Approving(STORE)
    book.mail(7)
    assert book.wait(59).events == []
    turn = book.wait(2)
    assert "Nobody decided about it within 60 seconds." in denial(turn)
    assert turn.types == ["approval.withdrawn", "tool.decided"]
    assert turn.events[0].status == "expired"
    assert book.decided("C-a1").upstream == []


def test_time_passes_also_for_a_client_that_never_stops_talking():
    book = Approving(STORE)
    book.mail(7)
    book.now += 61_000_000
    turn = book.client(call(8, "read_mail"))
    assert turn.upstream == [call(8, "read_mail")]
    assert turn.types == ["tool.decided", "approval.withdrawn", "tool.decided"]


def test_a_question_that_time_has_answered_is_taken_back():
    book = Approving()
    asked = book.mail(7).client[0]
    turn = book.wait(301)
    assert turn.client[0] == notification("notifications/cancelled", requestId=asked["id"])
    assert "Nobody decided" in denial(turn)
    assert book.client(said(asked)).types == ["message.rejected"]


def test_a_client_that_asked_for_progress_hears_every_ten_seconds_that_the_call_lives():
    book = Approving(STORE)
    book.client(call(7, "send_mail", {"progressToken": "t"}, to="bob"))
    told = [message for _ in range(31) for message in book.wait(1).client]
    assert [message["params"]["progressToken"] for message in told] == ["t"] * 3
    steps = [message["params"]["progress"] for message in told]
    assert steps == sorted(set(steps))
    assert steps[-1] < 0.001


def test_a_call_that_is_cancelled_is_withdrawn_and_runs_no_more():
    book = Approving()
    asked = book.mail(7).client[0]
    turn = book.client(notification("notifications/cancelled", requestId=7))
    assert turn.upstream == []
    assert turn.client == [notification("notifications/cancelled", requestId=asked["id"])]
    assert turn.types == ["approval.withdrawn", "tool.decided"]
    assert book.client(said(asked)).upstream == []
    assert book.decided("C-a1").upstream == []


ENDS = {
    "the client": lambda book: book.gate.client_closed("gone", 9),
    "the server": lambda book: book.gate.upstream_exited("exited", 9),
}


@pytest.mark.parametrize("name", ENDS)
def test_whoever_goes_withdraws_what_waits(name):
    book = Approving(STORE)
    book.mail(7)
    turn = book.turn(ENDS[name](book))
    assert [event.status for event in turn.events if isinstance(event, ApprovalSettled)] == ["withdrawn"]
    assert [event.decision for event in turn.events if event.type == "tool.decided"] == ["deny"]
    assert book.decided("C-a1").upstream == []


# What changes meanwhile


def test_a_deny_that_came_meanwhile_wins_over_the_approval():
    book = Approving(STORE)
    book.mail(7)
    book.registry.overrides = (Override("o", "send_*", "deny", reason="freeze"),)
    turn = book.decided("C-a1")
    assert turn.upstream == []
    assert (turn.events[0].decided_by, turn.events[0].rule) == ("override", "o")


def test_what_changes_settles_the_calls_that_need_nobody_any_more():
    book = Approving()
    asked = book.mail(7).client[0]
    turn = book.policy("version: 1\nrules: [{id: all, effect: allow}]")
    assert turn.upstream == [call(7, "send_mail", to="bob")]
    assert notification("notifications/cancelled", requestId=asked["id"]) in turn.client
    assert turn.types == ["policy.loaded", "approval.withdrawn", "tool.decided"]


def test_a_call_whose_question_could_not_be_written_is_denied_and_nobody_is_asked():
    book = Approving()
    (pending,) = book.mail(7).outputs
    turn = book.turn([book.gate.refuse(pending, Refusal("the disk is full"))])
    assert "the disk is full" in denial(turn)
    assert turn.events[0].decided_by == "guard"
    assert book.client(said(json.loads(pending.line))).upstream == []


def test_only_so_many_calls_wait_at_once():
    book = Approving(STORE)
    for number in range(64):
        assert book.mail(number).types == ["approval.requested"]
    assert "a person's approval is needed" in denial(book.mail(64))


def test_arguments_too_long_to_be_read_in_a_form_are_for_the_store():
    turn = Approving().mail(7, text="x" * 9_000)
    assert (turn.client, turn.types) == ([], ["approval.requested"])


def test_observe_mode_forwards_at_once_and_records():
    turn = Approving(mode="observe").mail(7)
    assert turn.upstream == [call(7, "send_mail", to="bob")]
    assert turn.events[0].decision == "require_approval"


# Through the client, modern


def test_a_modern_call_is_answered_with_the_question_and_judged_again_with_the_answer():
    book = Approving(modern=True)
    turn = book.mail(7)
    assert (turn.upstream, turn.types) == ([], ["approval.requested"])
    answer = turn.client[0]
    assert answer["result"]["resultType"] == "input_required"
    (asked,) = answer["result"]["inputRequests"].values()
    assert asked["method"] == "elicitation/create"
    assert asked["params"]["mode"] == "form"
    turn = book.client(back(answer, 8))
    assert turn.upstream == [call(8, "send_mail", MODERN, to="bob")]
    assert turn.types == ["approval.decided", "tool.decided"]
    assert (turn.events[1].decided_by, turn.events[1].rule) == ("approval", "C-a1")


def test_a_modern_approval_is_good_once():
    book = Approving(modern=True)
    answer = book.mail(7).client[0]
    book.client(back(answer, 8))
    turn = book.client(back(answer, 9))
    assert turn.upstream == []
    assert "used already" in denial(turn)


def test_a_modern_no_denies():
    book = Approving(modern=True)
    turn = book.client(back(book.mail(7).client[0], 8, DENY))
    assert turn.upstream == []
    assert "kim denied this call" in denial(turn)


@pytest.mark.parametrize("change", [{"to": "eve"}, {"text": "more"}], ids=["another value", "one more"])
def test_an_approval_is_of_no_other_arguments(change):
    book = Approving(modern=True)
    turn = book.client(back(book.mail(7).client[0], 8, **change))
    assert turn.upstream == []
    assert turn.client[0]["error"]["code"] == -32602


OTHERS = {  # what a call has beside its arguments, and what its retry has
    "something new in _meta": ({}, {"_meta": {**MODERN, "evil": 1}}),
    "something else in _meta": ({"_meta": {**MODERN, "org/kept": 1}}, {"_meta": {**MODERN, "org/kept": 2}}),
    "something less in _meta": ({"_meta": {**MODERN, "org/kept": 1}}, {}),
    "a parameter that nobody knows": ({}, {"extra": "hidden"}),
    "a task": ({"task": {"ttl": 5}}, {"task": {"ttl": 6}}),
    "a trace that is none": ({}, {"_meta": {**MODERN, "traceparent": "drop all tables"}}),
    "a progress token that is none": ({}, {"_meta": {**MODERN, "progressToken": {"to": "eve"}}}),
    "a progress token that is a long number": ({}, {"_meta": {**MODERN, "progressToken": 10**200}}),
    "a progress token that is a letter": ({}, {"_meta": {**MODERN, "progressToken": "dear eve, " * 20}}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_approval_is_of_no_other_parameters(name):
    before, after = OTHERS[name]
    book = Approving(modern=True)
    first = call(7, "send_mail", MODERN, to="bob")
    first["params"] |= before
    retry = back(book.client(first).client[0], 8)
    retry["params"] |= after
    turn = book.client(retry)
    assert turn.upstream == []
    assert turn.client[0]["error"]["code"] == -32602


@pytest.mark.parametrize("modern", [False, True])
def test_nobody_is_asked_about_what_stands_beside_the_parameters_as_it_would_not_be_shown(modern):
    book = Approving(modern=modern)
    turn = book.client({**call(7, "send_mail", MODERN if modern else None, to="bob"), "extra": "hidden"})
    assert (turn.upstream, turn.types) == ([], ["tool.decided"])
    assert "a person's approval is needed" in denial(turn)


def test_an_approval_is_of_nothing_that_stands_beside_the_parameters():
    book = Approving(modern=True)
    turn = book.client({**back(book.mail(7).client[0], 8), "extra": "hidden"})
    assert turn.upstream == []
    assert turn.client[0]["error"]["code"] == -32602


TRACE = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
OF_ONE_ATTEMPT = {
    "progressToken": "t",
    "traceparent": TRACE,
    "io.modelcontextprotocol/logLevel": "debug",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "roots": {}},
}


@pytest.mark.parametrize("member", OF_ONE_ATTEMPT)
def test_what_belongs_to_one_attempt_is_neither_bound_nor_shown(member):
    book = Approving(modern=True)
    first = call(7, "send_mail", {**MODERN, "org/kept": 1}, to="bob")
    asked = book.client(first).client[0]
    retry = back(asked, 8)
    retry["params"]["_meta"] = {**MODERN, "org/kept": 1, member: OF_ONE_ATTEMPT[member]}
    (ran,) = book.client(retry).upstream
    assert ran["params"]["_meta"] == retry["params"]["_meta"]
    shown = book.client({**ran, "id": 9}).client[0]["result"]["inputRequests"]
    (question,) = shown.values()
    assert question["params"]["message"].endswith(
        'Other parameters:\n\n    {\n      "_meta": {\n        "org/kept": 1\n      }\n    }'
    )


def test_an_approval_is_of_no_other_connection_and_cannot_be_made_up():
    book = Approving(modern=True)
    answer = book.mail(7).client[0]
    state = answer["result"]["requestState"]
    answer["result"]["requestState"] = state[:-1] + ("0" if state[-1] != "0" else "1")
    assert book.client(back(answer, 8)).upstream == []
    other = Approving(modern=True)
    other.gate._session.connection = Connection(id="D", server="files", user="kim", redaction_key=b"k" * 32)
    assert other.client(back(book.mail(9).client[0], 8)).upstream == []


def test_a_modern_client_that_comes_back_without_an_answer_is_asked_again():
    book = Approving(modern=True)
    answer = book.mail(7).client[0]
    again = book.client(back(answer, 8, None)).client[0]
    assert (again["id"], again["result"]["requestState"]) == (8, answer["result"]["requestState"])
    assert book.client(back(again, 9)).upstream == [call(9, "send_mail", MODERN, to="bob")]


def test_a_modern_question_can_be_answered_in_the_store_as_well():
    book = Approving(modern=True)
    answer = book.mail(7).client[0]
    assert book.decided("C-a1", approved=False).upstream == []
    assert "ann denied" in denial(book.client(back(answer, 8)))


def test_a_modern_question_that_nobody_answers_expires_and_leaves_a_row():
    book = Approving(modern=True)
    answer = book.mail(7).client[0]
    turn = book.wait(301)
    assert (turn.client, turn.types) == ([], ["approval.withdrawn", "tool.decided"])
    assert "expired" in denial(book.client(back(answer, 8)))


def test_another_agent_does_not_get_what_one_was_asked_about():
    book = Approving(modern=True)
    message = back(book.mail(7).client[0], 8)
    message["params"]["_meta"] = {**MODERN, "io.modelcontextprotocol/clientInfo": {"name": "other", "version": "1"}}
    turn = book.client(message)
    assert [line for line in turn.upstream if line["method"] == "tools/call"] == []


def test_a_server_that_needs_more_input_gets_it_without_a_second_approval_and_once():
    book = Approving(modern=True)
    book.client(back(book.mail(7).client[0], 8))
    needs = result(8, resultType="input_required", inputRequests={"q": {"method": "roots/list"}}, requestState="S")
    assert book.upstream(needs).client == [needs]
    more = call(9, "send_mail", MODERN, to="bob")
    more["params"] |= {"requestState": "S", "inputResponses": {"q": {"roots": []}}}
    other = json.loads(json.dumps(more))
    other["params"]["arguments"]["to"] = "eve"
    assert book.client({**other, "id": 10}).upstream == []
    assert book.client(more).upstream == [more]
    assert book.client({**more, "id": 11}).upstream == []


def test_another_agent_does_not_go_on_with_what_was_approved_of_one():
    book = Approving(modern=True)
    book.client(back(book.mail(7).client[0], 8))
    book.upstream(result(8, resultType="input_required", inputRequests={}, requestState="S"))
    more = call(9, "send_mail", {**MODERN, "io.modelcontextprotocol/clientInfo": {"name": "other"}}, to="bob")
    more["params"] |= {"requestState": "S", "inputResponses": {}}
    turn = book.client(more)
    assert [line for line in turn.upstream if line["method"] == "tools/call"] == []
    assert turn.types[-1] == "approval.requested"


def test_a_server_that_needs_more_input_cannot_have_the_guard_keep_a_state_of_any_length():
    book = Approving(modern=True)
    book.client(back(book.mail(7).client[0], 8))
    state = "S" * 20_000
    book.upstream(result(8, resultType="input_required", inputRequests={}, requestState=state))
    more = call(9, "send_mail", MODERN, to="bob")
    more["params"] |= {"requestState": state, "inputResponses": {}}
    turn = book.client(more)
    assert turn.upstream == []
    assert turn.types == ["approval.requested"]


# Whatever happens

RECIPIENTS = st.sampled_from(["bob", "eve", "all"])
CHOICES = st.sampled_from([ONCE, DENY, None])
STEPS = st.one_of(
    st.tuples(st.just("call"), RECIPIENTS),
    st.tuples(st.just("answer"), st.integers(0, 4), CHOICES),
    st.tuples(st.just("other arguments"), st.integers(0, 4), RECIPIENTS),
    st.tuples(st.just("store"), st.integers(1, 5), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 400])),
)


@given(st.booleans(), st.sampled_from([POLICY, STORE]), st.lists(STEPS, max_size=14))
def test_nothing_runs_without_an_approval_of_exactly_it(modern, policy, steps):
    book = Approving(policy, modern=modern)
    waiting: list[tuple[str, str, dict | None]] = []  # approval, recipient, question
    granted: list[str] = []  # what may still run
    counter = 100
    for kind, *step in steps:
        counter += 1
        turn = Turn()
        if kind == "call":
            turn = book.mail(counter, to=step[0])
            asked = turn.client[0] if turn.client else None
            waiting += [(one.event.rule, step[0], asked) for one in turn.outputs if isinstance(one, Pending)]
        elif kind in ("answer", "other arguments") and step[0] < len(waiting) and waiting[step[0]][2]:
            _, to, asked = waiting[step[0]]
            if kind == "answer":
                granted += [to] if step[1] == ONCE else []
                turn = book.client(back(asked, counter, step[1], to) if modern else said(asked, step[1]))
            elif modern and step[1] != to:
                turn = book.client(back(asked, counter, ONCE, step[1]))
        elif kind == "store":
            known = {approval: to for approval, to, _ in waiting}
            if f"C-a{step[0]}" in known and f"C-a{step[0]}" not in book.registry.rulings:
                granted += [known[f"C-a{step[0]}"]] if step[1] else []
                turn = book.decided(f"C-a{step[0]}", approved=step[1])
        elif kind == "cancel":
            turn = book.client(notification("notifications/cancelled", requestId=100 + step[0]))
        elif kind == "wait":
            turn = book.wait(step[0])
        for output in turn.outputs:
            if isinstance(output, Admitted | Forward):
                message = json.loads(output.line)
                if message["method"] == "tools/call":
                    assert isinstance(output, Admitted)
                    assert output.event.decided_by == "approval"
                    to = message["params"]["arguments"]["to"]
                    assert to != "all"
                    assert "requestState" not in message["params"]
                    granted.remove(to)


PRICED = POLICY.replace("effect: require_approval,", "effect: require_approval, cost: 0.25,")


def test_what_a_person_approves_costs_what_the_rule_says_that_asked():
    book = Approving(PRICED)
    once = book.client(said(book.mail(7).client[0], SESSION)).events[-1]
    assert (once.decided_by, once.data["usd"]) == ("approval", 0.25)
    (again,) = book.mail(8, to="eve").events
    assert (again.decided_by, again.data["usd"]) == ("approval", 0.25)

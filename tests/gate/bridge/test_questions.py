"""A legacy upstream asks a modern client: a question is a round of the client's own request, and each is judged."""

import pytest

from mcp_guard.gate import Admitted, Forward
from mcp_guard.gate.bridge.errands import LIFETIME, MAX_QUESTIONS
from tests.gate.bridge.playbook import ABLE_META, CAPABILITIES, Book, Turn, ask, error, modern_book
from tests.gate.playbook import FILES_POLICY, META, call, notification, request, result

YES = {"action": "accept", "content": {"size": 42}}
NOT_KNOWN = "The requestState is not known, has expired, or belongs to another request."
ELSEWHERE = {"mode": "url", "elicitationId": "e", "url": "https://example.com/x", "message": "Log in."}


def able(**capabilities: object) -> dict:
    return {**META, CAPABILITIES: capabilities}


@pytest.fixture
def little_room(monkeypatch):
    """Room for a thousand bytes of what a bridge keeps."""
    monkeypatch.setattr("mcp_guard.gate.bridge.errands.MAX_KEPT", 1_000)


def asked(turn: Turn) -> tuple[str, dict, str]:
    """The one question in an `input_required` result: its key, itself, and the token."""
    [message] = turn.client
    [(key, question)] = message["result"]["inputRequests"].items()
    assert message["result"]["resultType"] == "input_required"
    return key, question, message["result"]["requestState"]


def retried(message: dict, request_id: object, answers: object, state: object) -> dict:
    """The same request again, with answers."""
    params = {**message["params"], "inputResponses": answers, "requestState": state}
    return {**message, "id": request_id, "params": params}


def asking(message: dict, question: dict | None = None, policy: str | None = None) -> tuple[Book, str, str]:
    """A book in which `message` was sent and the upstream asked back; the question's key, and its token."""
    book = modern_book() if policy is None else modern_book(policy)
    book.client(message)
    key, _, state = asked(book.upstream(question or ask(0)))
    return book, key, state


CALL = call(1, "read_file", ABLE_META, path="/x")
REQUESTS = [
    CALL,
    request(1, "prompts/get", name="p", _meta=ABLE_META),
    request(1, "resources/read", uri="a:/x", _meta=ABLE_META),
]
QUESTIONS = {
    "an elicitation": (ask(0), YES),
    "an elicitation at a URL": (
        ask(0, **{k: v for k, v in ELSEWHERE.items() if k != "elicitationId"}),
        {"action": "cancel"},
    ),
    "sampling": (
        ask(0, "sampling/createMessage", messages=[], maxTokens=5),
        {"role": "assistant", "content": {"type": "text", "text": "t"}, "model": "m"},
    ),
    "roots": (request(0, "roots/list"), {"roots": [{"uri": "file:///x"}]}),
}


@pytest.mark.parametrize("message", REQUESTS, ids=lambda message: message["method"])
@pytest.mark.parametrize(("question", "answer"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_question_answers_the_clients_request_and_its_retry_answers_the_question(message, question, answer):
    book = modern_book()
    book.client(message)
    turn = book.upstream(question)
    key, shown, state = asked(turn)
    assert turn.upstream == []
    assert shown == {"method": question["method"], **({"params": question["params"]} if question["params"] else {})}
    turn = book.client(retried(message, 2, {key: answer}, state))
    assert (turn.client, turn.upstream) == ([], [result(0, **answer)])
    [done] = book.upstream(result(1, content=[])).client
    assert (done["id"], done["result"]["resultType"]) == (2, "complete")


def test_what_only_a_legacy_question_has_is_left_out():
    book = modern_book()
    book.client(CALL)
    question = request(0, "elicitation/create", **ELSEWHERE, task={"ttl": 1}, _meta={"progressToken": 1})
    _, shown, _ = asked(book.upstream(question))
    assert shown["params"] == {name: value for name, value in ELSEWHERE.items() if name != "elicitationId"}


def test_a_retry_is_judged_on_its_own_arguments_under_the_policy_then_in_force():
    message = call(1, "write_file", ABLE_META, path="/tmp/x")
    book, key, state = asking(message, policy=FILES_POLICY)
    elsewhere = call(2, "write_file", ABLE_META, path="/etc/x")
    turn = book.client(retried(elsewhere, 2, {key: YES}, state))
    assert (turn.upstream, turn.events[0].decision) == ([], "deny")
    turn = book.client(retried(message, 3, {key: YES}, state))
    assert (turn.upstream, turn.events[0].decision) == ([result(0, **YES)], "allow")
    assert isinstance(turn.outputs[-1], Admitted)


def test_a_retry_that_the_policy_no_longer_allows_answers_nothing():
    book, key, state = asking(CALL)
    book.policy(FILES_POLICY.replace('tools: "read_*"', "tools: nothing"))
    turn = book.client(retried(CALL, 2, {key: YES}, state))
    assert (turn.upstream, turn.events[0].decision) == ([], "deny")


def test_a_retry_whose_row_cannot_be_written_answers_nothing_and_may_be_tried_again():
    book, key, state = asking(CALL)
    assert len(book.refuse(book.client(retried(CALL, 2, {key: YES}, state)))) == 1
    assert book.client(retried(CALL, 3, {key: YES}, state)).upstream == [result(0, **YES)]
    assert book.upstream(result(1)).client[0]["id"] == 3


def test_a_retry_that_is_judged_again_answers_the_question_once():
    book, key, state = asking(CALL)
    retry = retried(CALL, 2, {key: YES}, state)
    again = book.again(book.again(book.client(retry)))
    assert (again.upstream, again.types) == ([result(0, **YES)], ["tool.decided"])
    assert book.upstream(result(1)).client[0]["id"] == 2
    assert book.client({**retry, "id": 3}).upstream == []


def test_of_several_questions_the_next_is_put_once_after_a_retry_that_was_judged_again():
    book, key, state = asking(CALL)
    book.upstream(ask(5))
    assert book.again(book.client(retried(CALL, 2, {key: YES}, state))).upstream == [result(0, **YES)]
    assert len([one for one in book.wait(1).client if one.get("id") == 2]) == 1


FORGED = {
    "none": lambda state: None,
    "empty": lambda state: "",
    "a number": lambda state: 5,
    "another question's": lambda state: "999" + state[state.index(".") :],
    "one digit other": lambda state: state[:-1] + ("0" if state[-1] != "0" else "1"),
    "only the number": lambda state: state.split(".")[0],
    "no number": lambda state: "²" + state,
    "a huge number": lambda state: "9" * 5000 + ".x",
    "not printable": lambda state: "\x00",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_answers_nothing(forge):
    book, key, state = asking(CALL)
    turn = book.client(retried(CALL, 2, {key: YES}, forge(state)))
    assert turn.upstream == []
    assert turn.client == [error(2, -32602, NOT_KNOWN)]
    assert book.client(retried(CALL, 3, {key: YES}, state)).upstream


OTHERS = {
    "other arguments": call(2, "read_file", ABLE_META, path="/y"),
    "another tool": call(2, "write_file", ABLE_META, path="/x"),
    "another member": {**CALL, "params": {**CALL["params"], "more": 1}},
    "another method": request(2, "resources/read", name="read_file", arguments={"path": "/x"}, _meta=ABLE_META),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_a_token_is_good_for_its_own_request_alone(other):
    book, key, state = asking(CALL)
    turn = book.client(retried(other, 2, {key: YES}, state))
    assert turn.upstream == []
    assert turn.client == [error(2, -32602, NOT_KNOWN)]


def test_a_token_is_good_for_its_own_connection_alone():
    _, key, state = asking(CALL)
    other = modern_book(key=bytes(32))
    other.client(CALL)
    other.upstream(ask(0))
    assert other.client(retried(CALL, 2, {key: YES}, state)).client == [error(2, -32602, NOT_KNOWN)]


def test_the_order_of_members_does_not_matter_to_a_token():
    message = call(1, "read_file", ABLE_META, a=1, b={"c": 1, "d": 2})
    book, key, state = asking(message)
    again = call(1, "read_file", ABLE_META, b={"d": 2, "c": 1}, a=1)
    assert book.client(retried(again, 2, {key: YES}, state)).upstream == [result(0, **YES)]


def test_a_token_is_good_once():
    book, key, state = asking(CALL)
    book.client(retried(CALL, 2, {key: YES}, state))
    assert book.client(retried(CALL, 3, {key: YES}, state)).client == [error(3, -32602, NOT_KNOWN)]


def test_a_token_expires_and_the_upstream_hears_that_nobody_answers():
    book, key, state = asking(CALL)
    turn = book.wait(LIFETIME / 1_000_000)
    [refusal, cancelled] = turn.upstream
    assert (refusal["id"], refusal["error"]["code"]) == (0, -32603)
    assert (cancelled["method"], cancelled["params"]["requestId"]) == ("notifications/cancelled", 1)
    assert book.client(retried(CALL, 2, {key: YES}, state)).client == [error(2, -32602, NOT_KNOWN)]


def test_an_expired_token_is_not_taken_even_before_the_clock_was_looked_at():
    book, key, state = asking(CALL)
    book.now += LIFETIME
    assert book.client(retried(CALL, 2, {key: YES}, state)).client == [error(2, -32602, NOT_KNOWN)]


WRONG = [5, "yes", [], {"action": "maybe"}, {"content": {}}, {"action": "accept", "content": 5}, {"action": {}}]


@pytest.mark.parametrize("answer", WRONG, ids=str)
def test_an_answer_of_the_wrong_shape_is_refused_and_may_be_mended(answer):
    book, key, state = asking(CALL)
    turn = book.client(retried(CALL, 2, {key: answer}, state))
    assert turn.upstream == []
    assert (turn.client[0]["id"], turn.client[0]["error"]["code"]) == (2, -32602)
    assert book.client(retried(CALL, 3, {key: YES}, state)).upstream == [result(0, **YES)]


@pytest.mark.parametrize("answers", [{}, {"another": YES}, None, [], "text"], ids=str)
def test_a_question_that_was_not_answered_is_asked_again(answers):
    book, key, state = asking(CALL)
    turn = book.client(retried(CALL, 2, answers, state))
    assert turn.upstream == []
    key, _, state = asked(turn)
    assert turn.types[0] == "tool.decided"
    assert book.client(retried(CALL, 3, {key: YES, "unasked": 5}, state)).upstream == [result(0, **YES)]


def test_questions_are_put_one_after_another():
    book, key, state = asking(CALL)
    assert book.upstream(ask(7, "roots/list")).outputs == []
    assert book.client(retried(CALL, 2, {key: YES}, state)).upstream == [result(0, **YES)]
    turn = book.wait(1)
    assert turn.client[0]["id"] == 2
    key, question, state = asked(turn)
    assert question == {"method": "roots/list"}
    assert book.client(retried(CALL, 3, {key: {"roots": []}}, state)).upstream == [result(7, roots=[])]
    assert book.upstream(result(1)).client[0]["id"] == 3


def test_a_further_question_goes_out_with_the_upstreams_next_word():
    book, key, state = asking(CALL)
    book.upstream(ask(7, "roots/list"))
    book.client(retried(CALL, 2, {key: YES}, state))
    turn = book.upstream(notification("notifications/x"))
    assert [message.get("id") for message in turn.client] == [2, None]


def test_an_upstream_that_answers_while_the_client_is_asked_is_heard_with_the_retry():
    book, key, state = asking(CALL)
    assert book.upstream(result(1, content=[])).outputs == []
    assert book.upstream(result(1, content=[])).types == ["message.rejected"]
    turn = book.client(retried(CALL, 2, {key: YES}, state))
    assert turn.upstream == []
    assert turn.client[0]["id"] == 2
    assert turn.client[0]["result"]["content"] == []
    assert turn.types == ["tool.decided", "tool.completed"]


def test_an_answer_too_large_to_wait_is_an_error_for_the_retry(little_room):
    book, key, state = asking(CALL)
    assert book.upstream(result(1, content=["x" * 2_000])).outputs == []
    [told] = book.client(retried(CALL, 2, {key: YES}, state)).client
    assert (told["id"], told["error"]["code"]) == (2, -32603)


def test_a_question_that_was_withdrawn_leaves_the_retry_waiting_for_the_call():
    book, key, state = asking(CALL)
    assert book.upstream(notification("notifications/cancelled", requestId=0)).outputs == []
    turn = book.client(retried(CALL, 2, {key: YES}, state))
    assert (turn.upstream, turn.client, turn.types) == ([], [], ["tool.decided"])
    assert book.upstream(result(1)).client[0]["id"] == 2


def test_a_cancellation_reaches_a_call_that_asked_back():
    book, key, state = asking(CALL)
    [refusal, cancelled] = book.client(notification("notifications/cancelled", requestId=1)).upstream
    assert (refusal["id"], cancelled["params"]["requestId"]) == (0, 1)
    assert book.client(retried(CALL, 2, {key: YES}, state)).client == [error(2, -32602, NOT_KNOWN)]


def test_a_cancellation_of_the_retry_cancels_the_call_upstream():
    book, key, state = asking(CALL)
    book.client(retried(CALL, 2, {key: YES}, state))
    [cancelled] = book.client(notification("notifications/cancelled", requestId=2)).upstream
    assert cancelled["params"]["requestId"] == 1


def test_an_id_that_the_upstream_still_works_under_is_another_one_upstream():
    book, key, state = asking(CALL)
    [sent] = book.client(call(1, "read_file", META, path="/z")).upstream
    assert sent["id"] != 1
    assert book.gate.asked_under(sent["id"]) == 1
    assert book.upstream(result(sent["id"])).client[0]["id"] == 1
    book.client(retried(CALL, 2, {key: YES}, state))
    assert book.gate.asked_under(1) == 2
    assert book.upstream(result(1)).client[0]["id"] == 2


def test_progress_of_a_call_goes_under_the_token_of_the_request_that_waits_for_it():
    message = call(1, "read_file", {**ABLE_META, "progressToken": "a"}, path="/x")
    book, key, state = asking(message)
    progress = notification("notifications/progress", progressToken="a", progress=1)
    assert book.upstream(progress).outputs == []
    again = call(2, "read_file", {**ABLE_META, "progressToken": "b"}, path="/x")
    book.client(retried(again, 2, {key: YES}, state))
    assert book.upstream(progress).client[0]["params"] == {"progressToken": "b", "progress": 1}
    book.upstream(result(1))


# Who can be asked


def test_a_question_outside_a_request_of_the_clients_is_refused():
    turn = modern_book().upstream(request(0, "roots/list"))
    assert turn.client == []
    assert turn.upstream == [
        error(0, -32600, "mcp-guard: the client can only be asked while a request of its own is open")
    ]


def test_a_request_that_may_not_be_asked_back_about_is_not():
    book = modern_book()
    book.client(request(1, "tools/list", _meta=ABLE_META))
    assert book.upstream(ask(0)).upstream[0]["error"]["code"] == -32600


@pytest.mark.parametrize("meta", [META, able(), able(experimental={})], ids=["silent", "none", "another"])
def test_a_client_that_can_be_asked_nothing_is_no_client_without_a_request(meta):
    book = modern_book()
    book.client(call(1, "read_file", meta, path="/x"))
    refused = error(0, -32601, "mcp-guard: the client did not declare support for this")
    assert book.upstream(ask(0)).upstream == [refused]
    book.client(notification("notifications/cancelled", requestId=1))
    assert book.upstream(ask(0)).upstream[0]["error"]["code"] == -32600


UNABLE = [
    (ask(0), able(sampling={})),
    (ask(0), able(elicitation={"url": {}})),
    (ask(0, **ELSEWHERE), able(elicitation={})),
    (ask(0, **ELSEWHERE), able(elicitation={"form": {}})),
    (ask(0, mode="dance"), able(elicitation={"form": {}})),
    (ask(0, "roots/list"), able(elicitation={})),
    (ask(0, "sampling/createMessage", tools=[]), able(sampling={})),
    (ask(0, "sampling/createMessage", messages=[]), able(sampling=5, roots={})),
]


@pytest.mark.parametrize(("question", "meta"), UNABLE, ids=str)
def test_a_client_is_not_asked_what_it_did_not_declare(question, meta):
    book = modern_book()
    book.client(call(1, "read_file", meta))
    turn = book.upstream(question)
    assert turn.client == []
    assert turn.upstream[0]["id"] == 0
    assert turn.upstream[0]["error"]["code"] == -32601


ABLE_CASES = [
    (ask(0), able(elicitation={})),
    (ask(0, mode="form", message="m"), able(elicitation={"form": {}})),
    (ask(0, "sampling/createMessage", tools=[]), able(sampling={"tools": {}})),
]


@pytest.mark.parametrize(("question", "meta"), ABLE_CASES, ids=str)
def test_a_client_is_asked_what_it_declared(question, meta):
    book = modern_book()
    book.client(call(1, "read_file", meta))
    asked(book.upstream(question))


def test_a_question_belongs_to_the_oldest_call_that_was_not_asked_yet():
    book = modern_book()
    book.client(call(1, "read_file", META))  # of a client that cannot be asked
    book.client(call(2, "read_file", ABLE_META))
    book.client(call(3, "read_file", ABLE_META))
    assert book.upstream(ask("a")).client[0]["id"] == 2
    assert book.upstream(ask("b")).client[0]["id"] == 3
    assert book.upstream(ask("c")).outputs == []


def test_nobody_is_asked_for_a_call_that_was_cancelled():
    book = modern_book()
    book.client(CALL)
    book.client(notification("notifications/cancelled", requestId=1))
    assert book.upstream(ask(0)).upstream[0]["error"]["code"] == -32600


def test_the_questions_of_a_call_are_bounded():
    book = modern_book()
    book.client(CALL)
    for number in range(MAX_QUESTIONS):
        assert book.upstream(ask(number)).upstream == []
    [refusal] = book.upstream(ask("more")).upstream
    assert (refusal["id"], refusal["error"]["code"]) == ("more", -32603)


def test_the_questions_of_a_call_are_bounded_in_size(little_room):
    book = modern_book()
    book.client(CALL)
    asked(book.upstream(ask(0)))
    [refusal] = book.upstream(ask("more", message="x" * 2_000)).upstream
    assert (refusal["id"], refusal["error"]["code"]) == ("more", -32603)


def test_the_row_of_a_retry_says_whether_anything_of_it_went_upstream():
    book, key, state = asking(CALL)
    assert book.client(retried(CALL, 2, {}, state)).events[0].data["forwarded"] is False
    key, _, state = asked(book.last)
    assert book.client(retried(CALL, 3, {key: YES}, "forged")).events[0].data["forwarded"] is False
    assert book.client(retried(CALL, 4, {key: YES}, state)).events[0].data["forwarded"] is True


def test_an_upstream_that_dies_while_the_client_is_asked_leaves_tokens_that_are_good_for_nothing():
    book, key, state = asking(CALL)
    assert book.turn(book.gate.upstream_exited("exited with status 3", 5)).client == []
    book.client(request("q", "server/discover", _meta=ABLE_META))
    [handshake] = book.upstream(error("q", -32601)).upstream
    book.upstream(result(handshake["id"], protocolVersion="2025-11-25", capabilities={}))
    assert book.client(retried(CALL, 2, {key: YES}, state)).upstream == []


# A URL to go to first (2025-11-25)


def sent_elsewhere(*places: dict, meta: dict = ABLE_META) -> tuple[Book, Turn]:
    book = modern_book()
    book.client(call(1, "read_file", meta, path="/x"))
    refusal = error(1, -32042, "This request requires more information.", data={"elicitations": list(places)})
    return book, book.upstream(refusal)


def test_a_demand_to_go_to_urls_first_is_input_that_is_required_and_the_retry_is_a_new_call():
    book, turn = sent_elsewhere(ELSEWHERE, {**ELSEWHERE, "url": "https://example.com/y"})
    told = turn.client[0]["result"]
    assert told["resultType"] == "input_required"
    places = {key: place["params"]["url"] for key, place in told["inputRequests"].items()}
    assert list(places.values()) == ["https://example.com/x", "https://example.com/y"]
    again = retried(CALL, 2, {key: {"action": "accept"} for key in places}, told["requestState"])
    turn = book.client(again)
    assert turn.upstream == [call(2, "read_file", path="/x")]
    assert isinstance(turn.outputs[-1], Admitted)
    assert book.client({**again, "id": 3}).client == [error(3, -32602, NOT_KNOWN)]


def test_who_does_not_go_there_gets_an_error():
    book, turn = sent_elsewhere(ELSEWHERE)
    key, _, state = asked(turn)
    [told] = book.client(retried(CALL, 2, {key: {"action": "decline"}}, state)).client
    assert (told["id"], told["error"]["code"]) == (2, -32600)


def test_who_does_not_answer_is_sent_there_again():
    book, turn = sent_elsewhere(ELSEWHERE)
    key, _, state = asked(turn)
    key, _, state = asked(book.client(retried(CALL, 2, {}, state)))
    assert book.client(retried(CALL, 3, {key: {"action": 5}}, state)).client[0]["error"]["code"] == -32602
    assert book.client(retried(CALL, 4, {key: {"action": "accept"}}, state)).upstream
    assert book.wait(LIFETIME / 1_000_000).upstream == []


@pytest.mark.parametrize("place", [{}, 5, {**ELSEWHERE, "mode": "form"}], ids=str)
def test_a_demand_that_is_none_is_an_error(place):
    _, turn = sent_elsewhere(place)
    assert (turn.client[0]["id"], turn.client[0]["error"]["code"]) == (1, -32603)


def test_a_client_that_cannot_go_there_gets_an_error():
    _, turn = sent_elsewhere(ELSEWHERE, meta=able(elicitation={"form": {}}))
    assert (turn.client[0]["id"], turn.client[0]["error"]["code"]) == (1, -32603)


def test_nothing_of_a_round_is_a_call_that_was_not_admitted():
    book, key, state = asking(CALL)
    outputs = book.client(retried(CALL, 2, {key: YES}, state)).outputs
    assert not any(isinstance(output, Forward) for output in outputs)


GOVERNED = """
version: 1
name: governed
rules:
  - {id: notes, name: Notes may be read, effect: allow, resources: "note://*"}
  - {id: reviews, name: Reviews may be asked for, effect: allow, prompts: "review*"}
"""
GOVERNED_REQUESTS = [
    request(1, "resources/read", uri="note://x", _meta=ABLE_META),
    request(1, "prompts/get", name="review", _meta=ABLE_META),
]


@pytest.mark.parametrize("message", GOVERNED_REQUESTS, ids=lambda message: message["method"])
def test_an_answer_for_a_resource_or_prompt_under_policy_travels_with_its_row(message):
    book, key, state = asking(message, policy=GOVERNED)
    turn = book.client(retried(message, 2, {key: YES}, state))
    assert [type(output) for output in turn.outputs] == [Admitted]
    assert turn.upstream == [result(0, **YES)]
    [denied] = book.refuse(turn)
    assert b"disk full" in (denied.line or b"")
    book.policy(FILES_POLICY + '  - {id: nothing, name: Nothing, effect: deny, resources: "*", prompts: "*"}\n')
    assert book.client(retried(message, 3, {key: YES}, state)).upstream == []

"""A modern upstream needs input: a legacy client is asked with requests, and its own is repeated and judged again."""

import pytest

from mcp_guard.gate import Admitted
from mcp_guard.gate.bridge.inquiring import MAX_ROUNDS
from mcp_guard.gate.bridge.wanted import MAX_QUESTIONS
from tests.gate.bridge.playbook import Book, Turn, error, legacy_book
from tests.gate.playbook import FILES_POLICY, call, notification, request, result

FORM = {"method": "elicitation/create", "params": {"mode": "form", "message": "Which?", "requestedSchema": {}}}
PLACE = {"method": "elicitation/create", "params": {"mode": "url", "message": "Log in.", "url": "https://example.com"}}
SAMPLE = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 5}}
ROOTS = {"method": "roots/list"}
YES = {"action": "accept", "content": {"size": 42}}
CALL = call(1, "read_file", path="/x")
REQUESTS = [CALL, request(1, "prompts/get", name="p"), request(1, "resources/read", uri="a:/x")]


@pytest.fixture
def little_room(monkeypatch):
    """Room for a thousand bytes of what a bridge keeps."""
    monkeypatch.setattr("mcp_guard.gate.bridge.wanted.MAX_KEPT", 1_000)


def needing(request_id: object, state: object = "s", **asked: object) -> dict:
    more = {} if state is None else {"requestState": state}
    return result(request_id, resultType="input_required", inputRequests=asked, **more)


def inquiry(message: dict = CALL, policy: str | None = None, **asked: object) -> tuple[Book, Turn]:
    """A book in which `message` was sent and the upstream needs input; and the turn in which the client was asked."""
    book = legacy_book() if policy is None else legacy_book(policy)
    book.client(message)
    return book, book.upstream(needing(1, **asked))


@pytest.mark.parametrize("message", REQUESTS, ids=lambda message: message["method"])
def test_the_client_is_asked_and_its_request_is_repeated_with_the_answers_under_another_id(message):
    book, turn = inquiry(message, a=FORM, b=ROOTS, c=SAMPLE)
    assert turn.upstream == []
    assert [question["method"] for question in turn.client] == [FORM["method"], ROOTS["method"], SAMPLE["method"]]
    answers = [YES, {"roots": []}, {"role": "assistant", "content": {"type": "text", "text": "ü"}, "model": "m"}]
    *others, last = zip(turn.client, answers, strict=True)
    for question, answer in others:
        assert book.client(result(question["id"], **answer)).outputs == []
    turn = book.client(result(last[0]["id"], **last[1]))
    [again] = turn.upstream
    assert again["id"] != 1
    assert again["params"].pop("inputResponses") == dict(zip("abc", answers, strict=True))
    assert again["params"].pop("requestState") == "s"
    del again["params"]["_meta"]
    assert again["params"] == message["params"]
    turn = book.upstream(result(again["id"], resultType="complete", content=[]))
    assert turn.client == [result(1, content=[])]


def test_a_repeated_call_is_admitted_with_a_row_of_its_own():
    book, turn = inquiry(a=ROOTS)
    turn = book.client(result(turn.client[0]["id"], roots=[]))
    assert [type(output) for output in turn.outputs] == [Admitted]
    assert turn.types == ["tool.decided"]


def test_a_repeated_call_that_the_policy_no_longer_allows_is_denied_under_the_clients_id():
    book, turn = inquiry(a=ROOTS)
    book.policy(FILES_POLICY.replace('tools: "read_*"', "tools: nothing"))
    turn = book.client(result(turn.client[0]["id"], roots=[]))
    assert (turn.upstream, turn.types) == ([], ["tool.decided"])
    assert turn.client[0]["id"] == 1


def test_a_repeated_call_whose_row_cannot_be_written_is_denied_under_the_clients_id():
    book, turn = inquiry(a=ROOTS)
    [denied] = book.refuse(book.client(result(turn.client[0]["id"], roots=[])))
    assert b'"id":1' in (denied.line or b"")


def test_questions_may_come_round_after_round():
    book, turn = inquiry(a=ROOTS)
    [again] = book.client(result(turn.client[0]["id"], roots=[])).upstream
    turn = book.upstream(needing(again["id"], state=None, b=FORM))
    [again] = book.client(result(turn.client[0]["id"], **YES)).upstream
    assert again["params"]["inputResponses"] == {"b": YES}
    assert "requestState" not in again["params"]
    assert book.upstream(result(again["id"], content=[])).client == [result(1, content=[])]


FORMS = [("2025-11-25", True), ("2025-06-18", False)]


@pytest.mark.parametrize(("version", "has_modes"), FORMS)
def test_a_form_is_as_the_clients_revision_has_it(version, has_modes):
    book = legacy_book(version=version)
    book.client(CALL)
    [question] = book.upstream(needing(1, a=FORM)).client
    assert ("mode" in question["params"]) is has_modes


def test_a_url_has_an_elicitation_id_in_the_legacy_era():
    _, turn = inquiry(a=PLACE)
    [question] = turn.client
    assert question["params"].pop("elicitationId")
    assert question["params"] == PLACE["params"]


def test_an_elicitation_that_fails_is_a_cancelled_one():
    book, turn = inquiry(a=FORM)
    [again] = book.client(error(turn.client[0]["id"], -1)).upstream
    assert again["params"]["inputResponses"] == {"a": {"action": "cancel"}}


@pytest.mark.parametrize("question", [SAMPLE, ROOTS], ids=lambda question: question["method"])
def test_another_question_that_fails_fails_the_request_and_the_rest_is_withdrawn(question):
    book, turn = inquiry(a=question, b=FORM)
    first, second = turn.client
    turn = book.client(error(first["id"], -1, "User rejected sampling request"))
    assert turn.upstream == []
    withdrawn, told = turn.client
    assert (withdrawn["method"], withdrawn["params"]) == ("notifications/cancelled", {"requestId": second["id"]})
    assert (told["id"], told["error"]["code"]) == (1, -32603)
    assert book.client(result(second["id"], **YES)).types == ["message.rejected"]


def test_an_answer_counts_once():
    book, turn = inquiry(a=ROOTS, b=FORM)
    book.client(result(turn.client[0]["id"], roots=[]))
    assert book.client(result(turn.client[0]["id"], roots=[1])).types == ["message.rejected"]
    [again] = book.client(result(turn.client[1]["id"], **YES)).upstream
    assert again["params"]["inputResponses"]["a"] == {"roots": []}


def test_a_cancelled_request_asks_no_more():
    book, turn = inquiry(a=ROOTS)
    cancelled = book.client(notification("notifications/cancelled", requestId=1))
    assert cancelled.upstream == []
    assert cancelled.client == [notification("notifications/cancelled", requestId=turn.client[0]["id"])]
    assert book.client(result(turn.client[0]["id"], roots=[])).types == ["message.rejected"]
    assert book.client(CALL).upstream


def test_a_cancellation_reaches_the_repeated_request():
    book, turn = inquiry(a=ROOTS)
    [again] = book.client(result(turn.client[0]["id"], roots=[])).upstream
    assert book.gate.asked_under(again["id"]) == 1
    turn = book.client(notification("notifications/cancelled", requestId=1))
    assert turn.upstream == [notification("notifications/cancelled", requestId=again["id"])]


def test_a_result_that_asks_nothing_is_tried_again_after_a_while_and_ever_more_seldom():
    book, turn = inquiry()
    assert turn.outputs[:-1] == []
    assert book.wait(0.5).upstream == []
    [again] = book.wait(1).upstream
    assert (again["params"]["requestState"], "inputResponses" in again["params"]) == ("s", False)
    book.upstream(needing(again["id"], state="t"))
    assert book.wait(1).upstream == []
    [again] = book.wait(1.5).upstream
    assert again["params"]["requestState"] == "t"


def test_it_is_tried_again_also_where_the_upstream_never_stops_talking():
    book, _ = inquiry()
    book.now += 2_000_000
    assert book.upstream(notification("notifications/x")).upstream[0]["params"]["requestState"] == "s"


def test_a_result_that_asks_nothing_is_not_tried_for_ever():
    book, _ = inquiry()
    for _ in range(MAX_ROUNDS - 1):
        [again] = book.wait(20).upstream
        assert book.upstream(needing(again["id"])).client == []
    [again] = book.wait(20).upstream
    [told] = book.upstream(needing(again["id"])).client
    assert (told["id"], told["error"]["code"]) == (1, -32603)


def test_a_cancelled_request_is_not_tried_again():
    book, _ = inquiry()
    book.client(notification("notifications/cancelled", requestId=1))
    assert book.wait(20).upstream == []


ODD = {
    "nothing at all": result(1, resultType="input_required"),
    "a question of an unknown kind": needing(1, a={"method": "tools/call", "params": {}}),
    "a question that is none": needing(1, a=5),
    "one good and one odd": needing(1, a=ROOTS, b={"params": {}}),
    "too many questions": needing(1, **{f"q{number}": ROOTS for number in range(MAX_QUESTIONS + 1)}),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_what_cannot_be_asked_fails_the_request(odd):
    book = legacy_book()
    book.client(CALL)
    [told] = book.upstream(odd).client
    assert (told["id"], told["error"]["code"]) == (1, -32603)
    assert book.client(CALL).upstream


UNABLE = [(FORM, {"roots": {}}), (PLACE, {"elicitation": {}}), (ROOTS, {}), (SAMPLE, {"elicitation": {}})]


@pytest.mark.parametrize(("question", "able"), UNABLE, ids=str)
def test_a_client_is_not_asked_what_it_did_not_declare(question, able):
    book = legacy_book(able=able)
    book.client(CALL)
    [told] = book.upstream(needing(1, a=question)).client
    assert (told["id"], told["error"]["code"]) == (1, -32603)


def test_an_answer_too_large_to_be_kept_fails_the_request(little_room):
    book, turn = inquiry(a=ROOTS)
    [told] = book.client(result(turn.client[0]["id"], roots=["x" * 2_000])).client
    assert (told["id"], told["error"]["code"]) == (1, -32603)


def test_requests_that_need_more_input_are_bounded(monkeypatch):
    monkeypatch.setattr("mcp_guard.gate.bridge.wanted.MAX_INQUIRIES", 5)
    book = legacy_book()
    for number in range(1, 6):
        book.client(request(number, "prompts/get", name="p"))
        assert book.upstream(needing(number)).client == []
    book.client(request("more", "prompts/get", name="p"))
    assert book.upstream(needing("more")).client[0]["error"]["code"] == -32603


def test_a_request_too_large_to_be_kept_cannot_be_repeated(little_room):
    book = legacy_book()
    book.client(call(1, "read_file", text="x" * 700))
    book.client(call(2, "read_file", text="y" * 700))
    [told] = book.upstream(needing(2, a=ROOTS)).client
    assert (told["id"], told["error"]["code"]) == (2, -32603)
    book.upstream(result(1, content=[]))
    book.client(call(3, "read_file", text="y" * 700))
    assert book.upstream(needing(3, a=ROOTS)).client[0]["method"] == "roots/list"

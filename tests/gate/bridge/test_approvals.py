"""Approvals between the eras: the client is asked in its own words, and what it approved goes on in the server's."""

import pytest

from mcp_guard.gate import Pending, Refusal
from tests.gate.bridge.playbook import ABLE_META, Book, Turn, legacy_book, modern_book
from tests.gate.playbook import FILES_POLICY, call, notification, result

MAIL = call(7, "send_mail", to="bob")


def asked(turn: Turn) -> dict:
    (question,) = (message for message in turn.client if message.get("method") == "elicitation/create")
    return question


def said(question: dict, choice: str) -> dict:
    return result(question["id"], action="accept", content={"decision": choice})


def legacy() -> tuple[Book, dict]:
    book = legacy_book(FILES_POLICY)
    return book, asked(book.client(MAIL))


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
def test_a_legacy_client_of_a_modern_server_is_asked_with_a_request(version):
    book = legacy_book(FILES_POLICY, version=version)
    question = asked(book.client(MAIL))
    assert "send_mail" in question["params"]["message"]
    turn = book.client(said(question, "allow once"))
    (sent,) = turn.upstream
    assert sent["params"]["arguments"] == {"to": "bob"}
    assert "requestState" not in sent["params"]
    answer = book.upstream(result(sent["id"], resultType="complete", content=[])).client
    assert [message["id"] for message in answer] == [7]


def test_its_no_is_answered_under_its_own_id():
    book, question = legacy()
    turn = book.client(said(question, "deny"))
    assert turn.upstream == []
    (answer,) = turn.client
    assert (answer["id"], answer["result"]["isError"]) == (7, True)
    assert "resultType" not in answer["result"]


def test_its_silence_is_answered_once_time_is_up_and_the_question_taken_back():
    book, question = legacy()
    assert book.wait(299).client == []
    turn = book.wait(2)
    assert turn.client[0] == notification("notifications/cancelled", requestId=question["id"])
    assert (turn.client[1]["id"], turn.client[1]["result"]["isError"]) == (7, True)
    assert turn.upstream == []
    assert book.client(said(question, "allow once")).upstream == []


def test_its_cancellation_takes_the_question_back():
    book, question = legacy()
    turn = book.client(notification("notifications/cancelled", requestId=7))
    assert turn.client == [notification("notifications/cancelled", requestId=question["id"])]
    assert book.client(said(question, "allow once")).upstream == []


def test_a_question_that_was_not_written_is_answered_once_with_a_denial():
    book = legacy_book(FILES_POLICY)
    turn = book.client(MAIL)
    (pending,) = (output for output in turn.outputs if isinstance(output, Pending))
    refused = book.turn([book.gate.refuse(pending, Refusal("the disk is full"))])
    answers = [*refused.client, *book.client(said(asked(turn), "allow once")).client]
    assert [(message["id"], message["result"]["isError"]) for message in answers] == [(7, True)]


def test_a_modern_client_of_a_legacy_server_is_asked_by_its_result():
    book = modern_book(FILES_POLICY)
    message = call(7, "send_mail", ABLE_META, to="bob")
    answer = book.client(message).client[0]["result"]
    assert answer["resultType"] == "input_required"
    retry = {**message, "id": 8}
    response = {"action": "accept", "content": {"decision": "allow once"}}
    more = {"requestState": answer["requestState"], "inputResponses": dict.fromkeys(answer["inputRequests"], response)}
    turn = book.client({**retry, "params": {**message["params"], **more}})
    (sent,) = turn.upstream
    assert sent["params"] == {"name": "send_mail", "arguments": {"to": "bob"}}

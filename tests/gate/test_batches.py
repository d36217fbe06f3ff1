"""Batches of the 2025-03-26 revision: judged element by element, answered as a batch. In no other revision."""

import json

import pytest

from mcp_guard.gate import batch
from tests.gate.playbook import FILES_POLICY, call, connected, notification, request, result, tool


def batches():
    return connected(FILES_POLICY, protocol="2025-03-26")


def test_each_element_is_judged_and_the_answers_come_back_as_one_array():
    book = batches()
    elements = [
        call(1, "read_file"),
        call(2, "write_file", path="/etc"),
        notification("notifications/progress", progressToken=1, progress=1),
        call(3, "delete_file"),
        request(4, "ping"),
        "garbage",
    ]
    turn = book.client(elements)
    assert turn.upstream == [elements[0], elements[2], elements[4]]
    assert turn.client == []
    assert book.upstream(result(4)).client == []
    (array,) = book.upstream(result(1, content=[])).client
    by_id = {answer["id"]: answer for answer in array}
    assert set(by_id) == {1, 2, 3, 4, None}
    assert by_id[1] == result(1, content=[])
    assert by_id[2]["result"]["isError"] is True
    assert by_id[3]["error"]["code"] == -32602
    assert by_id[None]["error"]["code"] == -32600


def test_a_batch_of_denials_is_answered_at_once():
    (array,) = batches().client([call(1, "delete_file"), call(2, "delete_file")]).client
    assert [answer["id"] for answer in array] == [1, 2]


def test_a_batch_of_notifications_is_not_answered():
    turn = batches().client([notification("a"), notification("b")])
    assert (turn.upstream, turn.client) == ([notification("a"), notification("b")], [])


def test_an_element_that_is_cancelled_is_not_waited_for():
    book = batches()
    book.client([call(1, "read_file"), request(2, "ping")])
    assert book.upstream(result(2)).client == []
    assert book.client(notification("notifications/cancelled", requestId=1)).client == [[result(2)]]


def test_a_list_in_a_batch_is_filtered():
    book = batches()
    book.client([request(1, "tools/list")])
    assert book.upstream(result(1, tools=[tool("delete_file")])).client == [[result(1, tools=[])]]


def test_a_handshake_in_a_batch_is_refused():
    (array,) = batches().client([request(1, "initialize", protocolVersion="x")]).client
    assert array[0]["error"]["code"] == -32600


def test_answers_do_not_wait_for_others_whatever_their_size(monkeypatch):
    monkeypatch.setattr(batch, "MAX_BYTES", 300)
    book = batches()
    book.client([call(1, "read_file"), call(2, "read_file"), call(3, "read_file")])
    large = [result(number, content=[{"type": "text", "text": "x" * 200}]) for number in (1, 2)]
    assert book.upstream(large[0]).client == []
    assert book.upstream(large[1]).client == [large]
    assert book.upstream(result(3, content=[])).client == [[result(3, content=[])]]


def test_two_elements_with_one_id_are_not_both_answered_under_it():
    book = batches()
    turn = book.client([request(1, "ping"), request(1, "ping")])
    assert turn.upstream == [request(1, "ping")]
    (array,) = book.upstream(result(1)).client
    assert [answer["id"] for answer in array] == [None, 1]


def test_an_empty_batch_is_an_error():
    assert batches().client([]).client[0]["error"]["code"] == -32600


def test_an_array_of_the_upstreams_passes_as_an_array_without_what_is_not_a_message():
    book = batches()
    book.client(request(1, "tools/list"))
    messages = [notification("a"), result(1, tools=[tool("delete_file")]), "garbage", notification("b")]
    turn = book.upstream(messages)
    assert turn.client == [[notification("a"), result(1, tools=[]), notification("b")]]
    assert turn.types == ["message.rejected"]


def test_an_array_within_an_array_of_the_upstreams_is_no_message():
    book = batches()
    turn = book.upstream([[notification("a")], [[[notification("b")]]], notification("c")])
    assert (turn.client, turn.types) == ([notification("c")], ["message.rejected"] * 2)


def test_a_batch_has_only_so_many_elements():
    book = batches()
    many = [notification("a")] * (batch.MAX_ELEMENTS + 1)
    turn = book.client(many)
    assert (turn.upstream, turn.client[0]["error"]["code"], turn.types) == ([], -32600, ["message.rejected"])
    turn = book.upstream(many)
    assert (turn.client, turn.types) == ([], ["message.rejected"])
    assert len(book.client(many[1:]).upstream) == batch.MAX_ELEMENTS


@pytest.mark.parametrize("protocol", ["2024-11-05", "2025-06-18", "2025-11-25"])
def test_no_other_revision_knows_batches(protocol):
    book = connected(FILES_POLICY, protocol=protocol)
    turn = book.client([call(1, "read_file")])
    assert turn.upstream == []
    assert turn.client[0]["error"]["code"] == -32600
    assert book.upstream(json.dumps([notification("a")]).encode()).client == []

"""The error that closes a request whose answer was too large to be taken, or cannot be read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate.lost_answers import EDGE, answer_instead

LONG = "x" * 1000


def instead(line: bytes) -> object:
    answer = answer_instead(line[:EDGE], line[-EDGE:], "is too large")
    return None if answer is None else json.loads(answer)["id"]


ANSWERS = [
    ({"jsonrpc": "2.0", "id": 7, "result": {"content": LONG}}, 7),
    ({"jsonrpc": "2.0", "id": 'a-"7"', "result": {"content": LONG}}, 'a-"7"'),
    ({"id": 7, "jsonrpc": "2.0", "error": {"code": 1, "message": LONG}}, 7),
    ({"result": {"content": LONG}, "jsonrpc": "2.0", "id": 7}, 7),
    ({"jsonrpc": "2.0", "result": {"content": [LONG]}, "id": "seven"}, "seven"),
    ({"result": {"content": LONG}, "id": -7, "jsonrpc": "2.0"}, -7),
]


@pytest.mark.parametrize(("answer", "request_id"), ANSWERS)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_both_orders_of_an_answer_tell_whose_it_is(answer, request_id, separators):
    assert instead(json.dumps(answer, separators=separators).encode()) == request_id


NO_ANSWERS = [
    {"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {"text": LONG}},
    {"method": "sampling/createMessage", "params": {"text": LONG}, "jsonrpc": "2.0", "id": 7},
    {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": LONG}},
    {"jsonrpc": "2.0", "id": None, "result": {"content": LONG}},
    {"jsonrpc": "2.0", "id": 7.5, "result": {"content": LONG}},
    {"result": {"content": LONG, "id": 7}},
    {"result": {"content": LONG}, "of": {"jsonrpc": "2.0", "id": 7}},
    [LONG],
    LONG,
]
CUT = b'{"jsonrpc": "2.0", "id": 7, "result": {"content": "' + LONG.encode()


@pytest.mark.parametrize("message", NO_ANSWERS)
def test_what_is_no_answer_to_a_request_is_taken_for_none(message):
    assert instead(json.dumps(message).encode()) is None


def test_an_answer_without_its_end_is_taken_for_none():
    assert instead(CUT) is None
    assert instead(CUT + b'"}}') == 7


@given(st.text())
def test_no_text_within_an_answer_looks_like_its_id(text):
    texts = [text, text + '"}],"id":1}', '"jsonrpc":"2.0","id":1}' + text, '}],"id":1}', '\\"},"id":1}']
    for ending in texts:
        content = {"content": LONG + ending}
        assert instead(json.dumps({"result": content, "jsonrpc": "2.0", "id": 7}).encode()) == 7
        assert instead(json.dumps({"jsonrpc": "2.0", "result": content}, ensure_ascii=False).encode()) is None


@given(st.binary(max_size=EDGE), st.binary(max_size=EDGE))
def test_whatever_is_left_of_a_line_gives_an_error_or_nothing(start, end):
    answer = answer_instead(b'{"result":' + start, end, "is too large")
    assert answer is None or json.loads(answer)["error"]["code"] == -32603

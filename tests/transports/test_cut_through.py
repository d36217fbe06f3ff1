"""A long line that goes ahead piece by piece: it arrives as the gate passes it, or never becomes a message."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate.wire import seal
from mcp_guard.transports.cut_through import CutThrough

CHARACTERS = st.sampled_from('ab{}"\r\x85\u2028\u2029é漢😀')


def sent(line: bytes, sizes: list[int]) -> tuple[CutThrough, bytes]:
    """What has gone ahead of a line that came in pieces of these sizes."""
    stream, gone, start = CutThrough(), b"", 0
    stream.start()
    for size in [*sizes, len(line)]:
        piece = line[start : start + size]
        start += size
        gone += stream.offer(piece) if piece else b""
    return stream, gone


@given(st.text(CHARACTERS, max_size=60).map(str.encode), st.lists(st.integers(1, 9)))
def test_what_arrives_is_what_the_gate_passes_however_the_line_came(line, sizes):
    stream, gone = sent(line, sizes)
    passed = seal(line)
    assert gone + stream.finish(line, passed) == passed + b"\n"


@given(st.lists(st.integers(1, 9), min_size=1))
def test_most_of_a_plain_line_goes_ahead_and_never_all_of_it(sizes):
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"text": "x" * 40}}).encode()
    stream, gone = sent(line, sizes)
    assert len(line) > len(gone) >= sum(sizes[:-1]) if sum(sizes) <= len(line) else True
    assert line.startswith(gone)
    assert stream.active


@pytest.mark.parametrize("reply", [None, b'{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}'])
def test_a_line_that_the_gate_does_not_pass_never_becomes_a_message(reply):
    line = b'{"jsonrpc":"2.0","id":1,"result":{"tools":["hidden"]}}'
    stream, gone = sent(line, [10, 10, 10])
    arrived = (gone + stream.finish(line, reply)).split(b"\n")
    with pytest.raises(json.JSONDecodeError):
        json.loads(arrived[0])
    assert arrived[1:] == ([b""] if reply is None else [reply, b""])
    assert not stream.active


def test_a_line_of_which_nothing_went_ahead_is_replaced_without_a_trace():
    stream = CutThrough()
    stream.start()
    stream.offer(b"only piece")
    assert stream.finish(b"only piece", None) == b"\n"


MESSAGE = b'{"jsonrpc":"2.0","id":7,"result":{"tools":["hidden"]}}'
LINES_WITH_A_MESSAGE_IN_FRONT = {
    "and spaces, and what is no JSON": MESSAGE + b" " * 40 + b"x",
    "and another message": MESSAGE + MESSAGE,
    "and a brace too many": MESSAGE + b"}" * 20,
    "and braces that open": MESSAGE + b"{{{{{{{{{{{{{{{{{{{{",
    "with an escaped quotation mark in it": b'{"id":7,"result":{"a":"\\"{","b":1}}' + b" " * 40 + b"x",
    "with escaped backslashes in it": b'{"id":7,"result":{"a":"\\\\","b":"{\\\\\\""}}' + b" " * 40 + b"x",
}


@pytest.mark.parametrize("line", LINES_WITH_A_MESSAGE_IN_FRONT.values(), ids=LINES_WITH_A_MESSAGE_IN_FRONT)
@pytest.mark.parametrize("size", range(1, 60))
def test_a_message_with_more_behind_it_never_goes_ahead_whole(line, size):
    stream, gone = sent(line, [size] * (len(line) // size))
    arrived = (gone + stream.finish(line, None)).decode()
    with pytest.raises(json.JSONDecodeError):
        json.JSONDecoder().raw_decode(arrived)


@given(st.text(st.sampled_from('{}"\\ [],:1'), max_size=60), st.lists(st.integers(1, 9)))
def test_no_beginning_of_a_line_is_a_whole_object_however_it_came(text, sizes):
    line = b"{" + text.encode()
    stream, gone = sent(line, sizes)
    with pytest.raises(json.JSONDecodeError):
        json.JSONDecoder().raw_decode((gone + stream.finish(line, None)).decode())


def test_texts_objects_and_lists_of_a_long_answer_go_ahead():
    texts = [{"type": "text", "text": f'{{"a": "{number}\\"}}\n' * 9} for number in range(50)]
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": texts}}).encode()
    for size in (2, 3, 7, 100, 1000):
        _, gone = sent(line, [size] * (len(line) // size))
        assert len(line) - len(gone) <= 3 * size + 3

"""A byte stream cut into lines, and lines that wait for a slow reader."""

import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.transports.framing import Lines, Outbox, Oversized

LIMIT = 8
EDGE = 256


def thrown_away(line: bytes) -> Oversized:
    """What is left of a line that was too long: its size, its start and its end."""
    return Oversized(len(line), line[:EDGE], line[-EDGE:])


def cut(stream: bytes, places: list[int], limit: int = LIMIT) -> list[bytes | Oversized]:
    """The lines of a stream that arrives in the chunks that `places` cut it into, and then ends."""
    lines = Lines(limit)
    edges = [0, *sorted({place % (len(stream) + 1) for place in places}), len(stream)]
    chunks = [stream[start:stop] for start, stop in pairwise(edges)]
    return [line for chunk in chunks if chunk for line in lines.feed(chunk)] + lines.end()


PIECES = st.sampled_from([b"", b" ", b"a", b"{}", b"12345678", b"123456789", b"x" * 40, bytes(range(33, 127)) * 7])


@given(st.lists(PIECES), st.lists(st.integers(0)))
def test_lines_are_the_same_however_the_stream_is_chunked(pieces, places):
    expected = [thrown_away(piece) if len(piece) > LIMIT else piece for piece in pieces if piece.strip()]
    assert cut(b"".join(piece + b"\n" for piece in pieces), places) == expected


CASES = [
    (b"a\nb\n", [b"a", b"b"]),
    (b"a\r\nb\r\n", [b"a\r", b"b\r"]),
    (b"a\x0bb\x85\xe2\x80\xa8\n", [b"a\x0bb\x85\xe2\x80\xa8"]),
    (b"\n \n\t\n", []),
    (b"half", [b"half"]),
    (b"a\nhalf", [b"a", b"half"]),
    (b"", []),
    (b"123456789\nok\n", [thrown_away(b"123456789"), b"ok"]),
    (b"12345678\n", [b"12345678"]),
    (b"123456789", [thrown_away(b"123456789")]),
]


@pytest.mark.parametrize(("stream", "lines"), CASES)
def test_a_line_ends_with_a_line_feed_and_nothing_else(stream, lines):
    assert cut(stream, []) == lines
    assert cut(stream, list(range(len(stream)))) == lines


def test_a_line_over_the_limit_is_not_kept_in_memory():
    lines = Lines(1024)
    for _ in range(1000):
        assert lines.feed(b"x" * 1024) == []
        assert len(lines._start) <= 1024
    assert lines.feed(b"\n") == [Oversized(1_024_000, b"x" * EDGE, b"x" * EDGE)]


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


@given(st.lists(st.lists(st.integers(0, 200_000) | st.integers(0, 9), max_size=20), max_size=4), st.booleans())
def test_what_is_sent_arrives_whole_and_in_order_whatever_the_reader_does(turns, apart):
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        outbox, arrived = Outbox(writer), b""
        sent: list[bytes] = []
        for turn, sizes in enumerate(turns):
            pieces = [bytes([65 + 30 * turn + index]) * size for index, size in enumerate(sizes)]
            outbox.send_all(pieces) if apart else outbox.send(b"".join(pieces))
            sent += pieces
        while outbox.size:
            arrived += os.read(reader, 1 << 20)
            outbox.flush()
        while (rest := _read_some(reader)) is not None:
            arrived += rest
        assert arrived == b"".join(sent)
    finally:
        os.close(reader)
        os.close(writer)


def test_what_waits_is_counted_and_can_be_thrown_away(pipe):
    _, writer = pipe
    outbox = Outbox(writer)
    outbox.send(b"x" * 10_000_000)
    assert 0 < outbox.size < 10_000_000
    outbox.clear()
    assert outbox.size == 0


def test_a_reader_that_is_gone_is_an_error():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with pytest.raises(BrokenPipeError):
            Outbox(writer).send(b"x")
    finally:
        os.close(writer)


def _read_some(reader: int) -> bytes | None:
    try:
        return os.read(reader, 1 << 20)
    except BlockingIOError:
        return None

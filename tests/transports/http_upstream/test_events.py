"""Server-sent events: what a stream means, however it comes in pieces."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.transports.framing import Oversized
from mcp_guard.transports.http_upstream.events import Events, ServerEvent


def event(data: bytes, type: str = "message") -> ServerEvent:
    return ServerEvent(type, data)


CASES = [
    ("one event", b"data: {}\n\n", [event(b"{}")]),
    ("without the space", b"data:{}\n\n", [event(b"{}")]),
    ("only one space is taken off", b"data:  {}\n\n", [event(b" {}")]),
    ("with CR LF", b"data: {}\r\n\r\n", [event(b"{}")]),
    ("with CR", b"data: {}\r\r", [event(b"{}")]),
    ("two events", b"data: 1\n\ndata: 2\n\n", [event(b"1"), event(b"2")]),
    ("of a type", b"event: endpoint\ndata: /m\n\n", [event(b"/m", "endpoint")]),
    ("a type is of one event", b"event: x\ndata: 1\n\ndata: 2\n\n", [event(b"1", "x"), event(b"2")]),
    ("an empty type is a message", b"event:\ndata: 1\n\n", [event(b"1")]),
    ("several lines are one", b"data: {\ndata: }\n\n", [event(b"{ }")]),
    ("a comment", b": hello\n\ndata: 1\n\n", [event(b"1")]),
    ("a comment within", b"data: 1\n: hello\n\n", [event(b"1")]),
    ("an unknown field", b"datum: 1\ndata: 2\n\n", [event(b"2")]),
    ("a field without a colon", b"data\n\n", []),
    ("nothing but an id", b"id: 7\n\n", []),
    ("an event that does not end", b"data: 1\n", []),
    ("a byte order mark", b"\xef\xbb\xbfdata: 1\n\n", [event(b"1")]),
    ("no UTF-8", b"data: \xff\n\n", [event(b"\xff")]),
    ("blank lines", b"\n\n\n\ndata: 1\n\n\n", [event(b"1")]),
]


@pytest.mark.parametrize(("stream", "events"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_stream_means(stream: bytes, events: list[ServerEvent]) -> None:
    assert Events(100).feed(stream) == events


@given(st.sampled_from([case[1] for case in CASES]), st.data())
def test_a_stream_means_the_same_however_it_is_cut(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    events = Events(100)
    found = [
        one
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for one in events.feed(stream[start:end])
    ]
    assert found == Events(100).feed(stream)


@given(st.binary(max_size=300), st.integers(1, 40))
def test_no_stream_makes_it_fail_or_keep_more_than_the_limit(stream: bytes, step: int) -> None:
    events = Events(50)
    for start in range(0, len(stream), step):
        found = events.feed(stream[start : start + step])
        assert all(isinstance(one, Oversized) or len(one.data) <= 50 + stream.count(b"\n") for one in found)
        if any(isinstance(one, Oversized) for one in found):
            break


IDS = [
    ("an id", b"id: 7\ndata: 1\n\n", "7"),
    ("an id is kept for events without one", b"id: 7\ndata: 1\n\ndata: 2\n\n", "7"),
    ("an id without data counts", b"id: 8\n\n", "8"),
    ("an empty id takes it back", b"id: 7\n\nid\n\n", ""),
    ("an id of an event that does not end", b"id: 7\n\nid: 8\ndata: 1\n", "7"),
    ("an id with a NUL", b"id: 7\n\nid: 8\x008\n\n", "7"),
    ("an id with another control character", b"id: 7\n\nid: \x1b[2J\n\n", "7"),
    ("an id that is far too long", b"id: 7\n\nid: " + b"8" * 9000 + b"\n\n", "7"),
]


@pytest.mark.parametrize(("stream", "last"), [case[1:] for case in IDS], ids=[case[0] for case in IDS])
def test_the_last_id_is_that_of_the_last_whole_event(stream: bytes, last: str) -> None:
    events = Events(100)
    events.feed(stream)
    assert events.last_id == last


@pytest.mark.parametrize(
    ("text", "retry"), [(b"30", 30), (b"-1", None), (b"1.5", None), (b"9" * 40, None), (b"", None)]
)
def test_the_server_says_how_long_to_wait(text: bytes, retry: int | None) -> None:
    events = Events(100)
    events.feed(b"retry: " + text + b"\n\n")
    assert events.retry == retry


def test_an_event_over_the_limit_is_the_last_one_of_a_stream() -> None:
    events = Events(10)
    assert events.feed(b"data: 1234567890\n\n") == [event(b"1234567890")]
    assert events.feed(b"data: 12345678901\n\ndata: 1\n\n") == [Oversized(11)]


def test_an_event_that_never_ends_is_given_up_when_it_is_too_large() -> None:
    events = Events(1000)
    found = [one for _ in range(100) for one in events.feed(b"data: " + b"x" * 500 if _ == 0 else b"x" * 500)]
    assert isinstance(found[0], Oversized)


@pytest.mark.parametrize("small", [b"data: 12345678\n", b"data:\n", b"data\n"])
def test_many_small_lines_of_one_event_are_bounded_too(small: bytes) -> None:
    assert any(isinstance(one, Oversized) for one in Events(1000).feed(small * 2_000))


def test_many_small_lines_take_no_more_memory_than_one_large() -> None:
    events, small = Events(300_000), b"data:ab\n" * 1_000
    tracemalloc.start()
    try:
        assert not any(events.feed(small) for _ in range(99))
        assert tracemalloc.get_traced_memory()[0] < 600_000
    finally:
        tracemalloc.stop()


def test_an_event_over_several_lines_may_be_as_large_as_the_limit_joined() -> None:
    assert Events(5).feed(b"data: 12\ndata: 34\n\n") == [ServerEvent("message", b"12 34")]
    assert isinstance(Events(5).feed(b"data: 12\ndata: 345\n\n")[-1], Oversized)

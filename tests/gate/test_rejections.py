"""Refused messages: each of the first has its row, and a flood is neither unseen nor without end."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate.rejections import MOST, Rejection, Rejections

MINUTE = 60_000_000


def flooded() -> Rejections:
    rejections = Rejections()
    for _ in range(MOST):
        assert rejections.refused("not JSON", 7, 0) is not None
    return rejections


def test_each_of_the_first_is_told_as_it_is() -> None:
    assert Rejections().refused("not JSON", 7, 0) == Rejection("not JSON", 7)


def test_the_last_that_is_told_alone_says_so() -> None:
    rejections = Rejections()
    told = [rejections.refused("not JSON", 7, 0) for _ in range(MOST)]
    assert told[-1] == Rejection(
        "not JSON; further messages rejected on this connection are counted, with one row a minute", 7
    )


def test_what_comes_after_is_told_once_a_minute_and_at_the_end() -> None:
    rejections = flooded()
    assert rejections.refused("not JSON", 7, MINUTE - 1) is None
    assert rejections.refused("not JSON", 5, MINUTE) == Rejection("2 messages rejected since the last row", 12)
    assert rejections.refused("not JSON", 3, MINUTE + 1) is None
    assert rejections.rest(MINUTE + 2) == Rejection("1 messages rejected since the last row", 3)
    assert rejections.rest(MINUTE + 3) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, MINUTE)), max_size=50))
def test_no_byte_is_lost_and_rows_are_a_minute_apart(messages: list[tuple[int, int]]) -> None:
    rejections, now = flooded(), 0
    rows: list[tuple[int, Rejection]] = []
    for size, pause in messages:
        now += pause
        if (told := rejections.refused("not JSON", size, now)) is not None:
            rows.append((now, told))
    moments = [0, *(moment for moment, _ in rows)]
    assert all(later - earlier >= MINUTE for earlier, later in pairwise(moments))
    left = rejections.rest(now)
    assert sum(told.size for _, told in rows) + (left.size if left else 0) == sum(size for size, _ in messages)

"""The heads of requests: what is said, and that no field can become two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.transports.http_client.heads import Heads, lines


def test_a_head_says_where_to_what_always_and_what_now() -> None:
    heads = Heads("h:8080", {"X-Api-Key": "k"})
    assert heads.head("POST", "/mcp?a=b", {"Accept": "x"}, "c=d", 2) == (
        b"POST /mcp?a=b HTTP/1.1\r\nHost: h:8080\r\nAccept-Encoding: identity\r\nX-Api-Key: k\r\nAccept: x\r\n"
        b"Cookie: c=d\r\nContent-Length: 2\r\n\r\n"
    )


def test_a_head_says_nothing_of_the_one_before_it() -> None:
    heads, fields = Heads("h", {}), {"A": "1"}
    first = heads.head("GET", "/", fields, "", None)
    fields["A"] = "2"
    assert b"A: 1\r\n" in first
    assert b"A: 2\r\n" in heads.head("GET", "/", fields, "", None)
    assert heads.head("GET", "/", {}, "", None) == b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\n\r\n"


BAD_VALUES = [{"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X": "a\rb"}, {"X": "a\0"}, {"X": "世"}]
BAD_NAMES = [{"X\r\nY": "a"}, {"X Y": "a"}, {"": "a"}, {"X:": "a"}]


@pytest.mark.parametrize("fields", BAD_VALUES + BAD_NAMES)
def test_a_field_that_could_be_read_as_two_is_not_sent_and_its_value_not_shown(fields: dict[str, str]) -> None:
    fields = {name: value + "s3cret" for name, value in fields.items()}
    with pytest.raises(ValueError, match="cannot be sent") as raised:
        Heads("h", {}).head("GET", "/", fields, "", None)
    assert "s3cret" not in str(raised.value)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=3))
def test_each_field_is_one_line_or_none_is(fields: dict[str, str]) -> None:
    try:
        said = lines(fields)
    except ValueError:
        return
    assert said.count(b"\r\n") == said.count(b"\n") == said.count(b"\r") == len(fields)

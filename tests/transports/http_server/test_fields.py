"""Header fields: what is read out of them, what is compared, and what can never be written into one."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.transports.http_server.access import Access
from mcp_guard.transports.http_server.mirrored import Mirrored, check_params, decode_value, mirrored_params
from mcp_guard.transports.http_server.requests import (
    Answer,
    Caller,
    Head,
    Headers,
    accepts,
    http_date,
    prefers_stream,
    response_head,
)

ACCEPTS = [
    ("application/json, text/event-stream", True, True),
    ("text/event-stream,application/json", True, True),
    ("*/*", True, True),
    ("application/*, text/*", True, True),
    ("Application/JSON;charset=utf-8, TEXT/event-stream; q=0.5", True, True),
    ("application/json", True, False),
    ("text/event-stream", False, True),
    ("application/json;q=0, text/event-stream", False, True),
    ("application/json;q=0.000, */*;q=0.1", True, True),
    ("application/jsonp, text/event-streams", False, False),
    ("", False, False),
    (None, False, False),
]


@pytest.mark.parametrize(("accept", "json", "stream"), ACCEPTS)
def test_an_accept_field_names_what_it_takes(accept, json, stream):
    assert (accepts(accept, "application/json"), accepts(accept, "text/event-stream")) == (json, stream)


def test_only_who_names_the_stream_first_would_rather_have_one():
    assert prefers_stream("text/event-stream, application/json")
    assert not prefers_stream("application/json, text/event-stream")
    assert not prefers_stream("*/*")


HOSTS = [
    ("localhost", True),
    ("LOCALHOST:8808", True),
    ("127.0.0.1:1", True),
    ("[::1]:8808", True),
    ("[::1]", True),
    ("mcp.example", True),
    ("mcp.example:443", True),
    ("exact.example:8443", True),
    ("exact.example:8444", False),
    ("exact.example", False),
    ("127.0.0.1.evil.example", False),
    ("127.0.0.1:80:80", False),
    ("localhost:", False),
    ("localhost:80@evil.example", False),
    ("[::1", False),
    ("::1", False),
    ("", False),
]


@pytest.mark.parametrize(("host", "allowed"), HOSTS)
def test_a_host_is_one_of_those_that_were_named_with_its_port_or_for_every_port(host, allowed):
    access = Access(["localhost", "127.0.0.1", "[::1]", "mcp.example", "exact.example:8443"])
    headers = Headers()
    headers.add(b"Host", host.encode())
    verdict = access.check(Head("POST", "/mcp", "", headers, "127.0.0.1"))
    assert isinstance(verdict, Caller) is allowed
    assert allowed or (isinstance(verdict, Answer) and verdict.status == 421)


@given(st.text())
def test_every_text_comes_back_out_of_its_encoding(text):
    encoded = f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="
    assert decode_value(encoded) == text.encode("utf-8", "replace").decode()


@given(st.binary())
def test_no_field_whatever_its_bytes_is_more_than_a_text_or_nothing(value):
    headers = Headers()
    headers.add(b"X", value)
    decoded = decode_value(headers.get("x"))
    assert decoded is None or isinstance(decoded, str)


NOT_VALUES = ["ü", "a\x00b", "a\x7f", "=?base64?%%%?=", "=?base64?Zg?=", "=?base64?/w==?=", "=?base64?Zh==?=", None]


@pytest.mark.parametrize("value", NOT_VALUES)
def test_what_is_no_valid_value_matches_nothing(value):
    assert decode_value(value) is None


LITERAL = ["SGVsbG8=", "=?base64?SGVsbG8=", "=?BASE64?SGVsbG8=?=", "", "with\ttab"]


@pytest.mark.parametrize("value", LITERAL)
def test_without_both_marks_a_value_is_itself(value):
    assert decode_value(value) == value


SCHEMAS = [
    ("plain", {"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}, [("a",)]),
    ("deeper", {"properties": {"a": {"properties": {"b": {"type": "integer", "x-mcp-header": "B"}}}}}, [("a", "b")]),
    ("a number", {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}, []),
    ("an object", {"properties": {"a": {"type": "object", "x-mcp-header": "A"}}}, []),
    ("several types", {"properties": {"a": {"type": ["string"], "x-mcp-header": "A"}}}, []),
    ("no token", {"properties": {"a": {"type": "string", "x-mcp-header": "A\r\nB"}}}, []),
    ("an empty name", {"properties": {"a": {"type": "string", "x-mcp-header": ""}}}, []),
    ("not a text", {"properties": {"a": {"type": "string", "x-mcp-header": 5}}}, []),
    ("in an array", {"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}}, []),
    ("in a choice", {"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]}, []),
    ("on the root", {"type": "string", "x-mcp-header": "A"}, []),
    ("no schema", 7, []),
]


@pytest.mark.parametrize(("what", "schema", "paths"), SCHEMAS, ids=[case[0] for case in SCHEMAS])
def test_a_parameter_is_marked_where_a_chain_of_properties_leads_to_it(what, schema, paths):
    assert [parameter.path for parameter in mirrored_params(schema)] == paths


def test_a_schema_without_an_end_is_walked_to_a_certain_depth():
    schema: dict = {"type": "string", "x-mcp-header": "Deep"}
    for _ in range(10_000):
        schema = {"properties": {"a": schema}}
    assert mirrored_params(schema) == ()


@given(st.integers())
def test_an_integer_is_compared_by_its_number(number):
    headers = Headers()
    headers.add(b"Mcp-Param-N", str(number).encode())
    one = (Mirrored(("n",), "mcp-param-n", "integer"),)
    assert check_params(headers, one, {"n": number}) is None
    assert check_params(headers, one, {"n": number + 1}) is not None


@given(st.text())
def test_no_value_of_ours_ends_its_line(value):
    try:
        head = response_head(200, (("x", value),), b"now")
    except ValueError:
        return
    assert head.count(b"\r\n") == 4
    assert head.count(b"\n") == 4


def test_the_date_is_now_as_rfc_9110_wants_it_written():
    said = datetime.strptime(http_date().decode(), "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - said) < timedelta(minutes=1)

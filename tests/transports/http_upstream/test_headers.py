"""What of a message is said again in headers: 2026-07-28, "Request Metadata", with its own examples."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value

from mcp_guard.transports.http_upstream.headers import header_value, modern_headers, read
from mcp_guard.transports.http_upstream.parameters import MirroredParameters, UnsoundError, read_schema
from tests.transports.http_upstream.remote import META, line, modern, notification, request, result

REVISION = {"MCP-Protocol-Version": "2026-07-28"}

HEADERS = [
    (modern(1, "tools/list"), {"Mcp-Method": "tools/list"}),
    (modern(1, "tools/call", name="a"), {"Mcp-Method": "tools/call", "Mcp-Name": "a"}),
    (modern(1, "prompts/get", name="a"), {"Mcp-Method": "prompts/get", "Mcp-Name": "a"}),
    (modern(1, "resources/read", uri="file:///a"), {"Mcp-Method": "resources/read", "Mcp-Name": "file:///a"}),
    (modern(1, "resources/read", name="a"), {"Mcp-Method": "resources/read"}),
    (modern(1, "tools/call", name="Grüße"), {"Mcp-Method": "tools/call", "Mcp-Name": "=?base64?R3LDvMOfZQ==?="}),
    (modern(1, "tools/call", name="a\r\nX: y"), {"Mcp-Method": "tools/call", "Mcp-Name": "=?base64?YQ0KWDogeQ==?="}),
]


@pytest.mark.parametrize(("message", "headers"), HEADERS)
def test_a_modern_request_repeats_itself_in_headers(message: dict[str, Any], headers: dict[str, str]) -> None:
    found = read(line(message))
    assert modern_headers(found, found.protocol or "", {}) == {**REVISION, **headers}


VALUES = [  # the specification's table, and what is beside it
    ("us-west1", "us-west1"),
    ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
    (" padded ", "=?base64?IHBhZGRlZCA=?="),
    ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
    ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
    ("", ""),
    ("a b", "a b"),
    ("\t", "=?base64?CQ==?="),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_value_as_it_may_stand_in_a_header(text: str, value: str) -> None:
    assert header_value(text) == value


@given(st.text())
def test_every_value_is_read_as_it_was_meant_and_is_plain(text: str) -> None:
    value = header_value(text)
    assert decode_header_value(value) == text
    assert value.isascii()
    assert value.isprintable()
    assert value == value.strip()


def test_what_is_not_as_mcp_has_it_says_nothing_in_headers() -> None:
    odd = read(b'{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}')
    assert (odd.id, odd.method, odd.protocol) == (1, "x", None)
    assert read(line(notification("notifications/cancelled", requestId=7))).cancels == 7
    assert read(line(notification("notifications/cancelled", requestId=[7]))).cancels is None
    assert read(line(request(1, "tools/call", name=7, _meta=META))).protocol == "2026-07-28"


# Arguments that are mirrored


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


SOUND = [
    (schema(region={"type": "string", "x-mcp-header": "Region"}), {"Mcp-Param-Region": ("region",)}),
    (schema(a=schema(b={"type": "integer", "x-mcp-header": "B"})), {"Mcp-Param-B": ("a", "b")}),
    (schema(a={"type": "boolean", "x-mcp-header": "A"}, b={"type": "number"}), {"Mcp-Param-A": ("a",)}),
    (schema(**{"x-mcp-header": {"type": "string"}}), {}),
    (schema(a={"type": "string", "default": {"x-mcp-header": "no annotation"}}), {}),
    ({}, {}),
    (None, {}),
]


@pytest.mark.parametrize(("input_schema", "parameters"), SOUND)
def test_a_schema_says_what_is_mirrored(input_schema: Any, parameters: dict[str, tuple[str, ...]]) -> None:
    assert read_schema(input_schema) == parameters


UNSOUND = {
    "empty": schema(a={"type": "string", "x-mcp-header": ""}),
    "no text": schema(a={"type": "string", "x-mcp-header": 7}),
    "a line end": schema(a={"type": "string", "x-mcp-header": "a\r\nX: y"}),
    "a space": schema(a={"type": "string", "x-mcp-header": "a b"}),
    "twice": schema(a={"type": "string", "x-mcp-header": "X"}, b={"type": "string", "x-mcp-header": "x"}),
    "a number": schema(a={"type": "number", "x-mcp-header": "A"}),
    "an object": schema(a={"type": "object", "x-mcp-header": "A"}),
    "in an array": schema(a={"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}),
    "in a choice": schema(a={"anyOf": [{"type": "string", "x-mcp-header": "A"}]}),
    "in a definition": {"$defs": {"a": {"type": "string", "x-mcp-header": "A"}}, "type": "object"},
    "at the root": {"type": "object", "x-mcp-header": "A"},
}


@pytest.mark.parametrize("input_schema", UNSOUND.values(), ids=UNSOUND.keys())
def test_an_annotation_that_breaks_the_rules_is_refused(input_schema: Any) -> None:
    with pytest.raises(UnsoundError):
        read_schema(input_schema)


def test_a_tool_with_unsound_annotations_is_taken_out_of_the_list_and_the_others_stay() -> None:
    good = {"name": "good", "inputSchema": schema(a={"type": "string", "x-mcp-header": "A"})}
    bad = {"name": "bad", "inputSchema": UNSOUND["a number"]}
    parameters = MirroredParameters()
    listed = parameters.learn(line(result(1, tools=[good, bad], nextCursor="2")))
    assert json.loads(listed)["result"] == {"tools": [good], "nextCursor": "2"}
    assert [name for name, _ in parameters.rejected] == ["bad"]
    assert parameters.of("good") == {"Mcp-Param-A": ("a",)}
    assert parameters.of("bad") == {}


def test_a_list_without_annotations_is_given_back_as_it_is_and_ends_those_of_before() -> None:
    parameters = MirroredParameters()
    parameters.learn(
        line(result(1, tools=[{"name": "t", "inputSchema": schema(a={"type": "string", "x-mcp-header": "A"})}]))
    )
    plain = line(result(1, tools=[{"name": "t", "inputSchema": {}}]))
    assert parameters.learn(plain) is plain
    assert parameters.of("t") == {}


ARGUMENTS = [
    ({"a": "x"}, {"Mcp-Param-A": "x"}),
    ({"a": 42}, {"Mcp-Param-A": "42"}),
    ({"a": -7}, {"Mcp-Param-A": "-7"}),
    ({"a": 42.0}, {"Mcp-Param-A": "42"}),
    ({"a": True}, {"Mcp-Param-A": "true"}),
    ({"a": False}, {"Mcp-Param-A": "false"}),
    ({"a": None}, {}),
    ({}, {}),
    ({"a": [1]}, {}),
    ({"a": 2**60}, {}),
    ({"a": 1.5}, {}),
    ({"a": "x\r\nEvil: y"}, {"Mcp-Param-A": "=?base64?eA0KRXZpbDogeQ==?="}),
]


@pytest.mark.parametrize(("arguments", "headers"), ARGUMENTS)
def test_an_argument_is_mirrored_as_it_is_in_the_body(arguments: Any, headers: dict[str, str]) -> None:
    message = read(line(modern(1, "tools/call", name="t", arguments=arguments)))
    found = modern_headers(message, "2026-07-28", {"Mcp-Param-A": ("a",)})
    assert {name: value for name, value in found.items() if name.startswith("Mcp-Param-")} == headers


def test_a_schema_nested_beyond_all_measure_costs_its_tool_and_nothing_else() -> None:
    deep = b'{"properties":{"a":' * 300 + b"{}" + b"}}" * 300
    listed = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"x-mcp-header","inputSchema":' + deep + b"}]}}"
    assert MirroredParameters().learn(listed)

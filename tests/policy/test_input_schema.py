"""What is read out of input schemas: real ones, odd ones, hostile ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.policy.input_schema import ANY, MISSING, Shape, arguments, find

STRING = {"type": "string"}
ISSUE = {
    "type": "object",
    "properties": {
        "title": STRING,
        "labels": {"type": "array", "items": STRING},
        "state": {"anyOf": [{"enum": ["open", "closed"], "type": "string"}, {"type": "null"}]},
        "milestone": {"type": ["integer", "null"]},
        "author": {"$ref": "#/$defs/user"},
        "options": {"type": "object"},
        "anything": {},
    },
    "required": ["title", "author"],
    "$defs": {"user": {"type": "object", "properties": {"login": STRING, "boss": {"$ref": "#/$defs/user"}}}},
}

PATHS = [
    (("title",), "string", True),
    (("labels",), "array of string", False),
    (("labels", None), "string", False),
    (("state",), "string or null", False),
    (("milestone",), "integer or null", False),
    (("author",), "object", True),
    (("author", "login"), "string", False),
    (("author", "boss", "boss", "login"), "string", False),
    (("options",), "object", False),
    (("anything",), "any", False),
]


@pytest.mark.parametrize(("path", "type_name", "always"), PATHS)
def test_a_path_has_a_type_and_is_always_there_or_not(path, type_name, always):
    found = find(arguments(ISSUE), path)
    assert (found.shape.type_name, found.always, found.declared) == (type_name, always, True)


@pytest.mark.parametrize("path", [("titel",), ("author", "name"), ("title", "length")])
def test_a_path_that_is_not_in_the_schema_is_missing(path):
    assert find(arguments(ISSUE), path) == MISSING


@pytest.mark.parametrize("path", [("options", "deep", "down"), ("anything", "deep")])
def test_of_what_is_inside_an_open_object_nothing_is_told(path):
    found = find(arguments(ISSUE), path)
    assert (found.shape, found.declared) == (ANY, False)


SCHEMAS = [
    ("only an object: no arguments", {"type": "object"}, False),
    ("no properties: no arguments", {"type": "object", "properties": {}}, False),
    ("named ones and no word of others", {"type": "object", "properties": {"a": STRING}}, False),
    ("others forbidden", {"type": "object", "properties": {"a": STRING}, "additionalProperties": False}, False),
    ("others allowed", {"type": "object", "properties": {"a": STRING}, "additionalProperties": True}, True),
    ("others with a schema", {"type": "object", "additionalProperties": STRING}, True),
    ("others by pattern", {"type": "object", "patternProperties": {"^x": STRING}}, True),
    ("nothing said at all", {}, True),
    ("a reference to elsewhere", {"$ref": "https://example.org/schema"}, True),
    ("all of two that name", {"allOf": [{"properties": {"a": STRING}}, {"properties": {"b": STRING}}]}, False),
    (
        "one of two sets to require",
        {"type": "object", "properties": {"a": STRING}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        False,
    ),
]


@pytest.mark.parametrize(("schema", "is_open"), [case[1:] for case in SCHEMAS], ids=[case[0] for case in SCHEMAS])
def test_whether_an_argument_that_is_not_named_may_be_there(schema, is_open):
    assert (find(arguments(schema), ("unnamed",)) != MISSING) is is_open


CHOICES = [
    ({"enum": ["a", "b"]}, ("a", "b")),
    ({"const": 3}, (3,)),
    ({"anyOf": [{"enum": ["a"]}, {"type": "null"}]}, ("a", None)),
    ({"anyOf": [{"const": "a"}, {"const": "b"}]}, ("a", "b")),
    ({"anyOf": [{"enum": ["a"]}, {"type": "string"}]}, None),
    ({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}, ("b",)),
    ({"type": "string"}, None),
]


@pytest.mark.parametrize(("schema", "choices"), CHOICES)
def test_the_only_values_there_are(schema, choices):
    assert find(arguments({"properties": {"x": schema}}), ("x",)).shape.choices == choices


def test_what_is_required_in_every_alternative_is_always_there():
    schema = {
        "anyOf": [
            {"type": "object", "properties": {"a": STRING, "b": STRING}, "required": ["a", "b"]},
            {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
        ]
    }
    shape = arguments(schema)
    assert (find(shape, ("a",)).always, find(shape, ("b",)).always) == (True, False)


def test_a_schema_that_goes_round_or_never_ends_is_read_all_the_same():
    deep: dict = {}
    for _ in range(500):
        deep = {"properties": {"x": deep}}
    wide = {"properties": {f"p{n}": {"anyOf": [{"type": "string"}] * 50} for n in range(500)}}
    for schema in ({"$ref": "#"}, {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, deep, wide):
        assert isinstance(arguments(schema), Shape)


WORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "const",
        "anyOf",
        "allOf",
        "oneOf",
        "$ref",
        "additionalProperties",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "string", "#", "#/properties/a", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.sampled_from("ab"), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(WORDS, VALUES, max_size=5), st.lists(st.sampled_from(["a", "b", None]), max_size=3))
def test_whatever_a_stranger_writes_is_read_without_an_error(schema, path):
    found = find(arguments(schema), tuple(path))
    assert found.shape is None or found.shape.type_name

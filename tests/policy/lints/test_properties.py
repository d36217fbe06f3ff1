"""What lints say of random policies is so: checked against what becomes of random calls."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard import cel
from mcp_guard.policy import Call, PolicyError, Principal, Source
from mcp_guard.policy.catalog import Catalog, decode
from mcp_guard.policy.lints import Examined, examine
from mcp_guard.policy.situation import caller, offer
from tests.policy.worlds import documents, principals

INTEGER, STRING, INTEGERS = {"type": "integer"}, {"type": "string"}, {"type": "array", "items": {"type": "integer"}}
VALUES = {
    "x": st.integers(0, 3),
    "y": st.sampled_from(["a", "ab", "x", ""]),
    "list": st.lists(st.integers(-1, 2), max_size=2),
    "kind": st.sampled_from(["one", "two"]),
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "get_a": {"type": "object", "properties": {"x": INTEGER, "y": STRING}, "required": ["x"]},
    "get_b": {"type": "object", "properties": {"y": STRING, "list": INTEGERS, "kind": {"enum": ["one", "two"]}}},
    "put_a": {"type": "object", "properties": {"x": INTEGER, "kind": {"enum": ["one", "two"]}}, "required": ["kind"]},
    "tag:x": {"type": "object"},
}
TOOLS = [{"name": name, "inputSchema": schema} for name, schema in SCHEMAS.items()]
CATALOG = decode(json.dumps({"servers": {"github": {"tools": TOOLS}}}).encode(), path="", server="")
MORE_CONDITIONS = [
    "request.args.kind == 'one' || request.args.kind == 'two'",
    "has(request.args.kind) && request.args.kind == 'three'",
    "!(request.args.x == 1 && request.args.nothing == 2)",
    "mcp.tool.name == 'get_a' ? request.args.x == 1 : request.args.kind == 'one'",
    "request.args.list[0] == 1 || has(request.args.y)",
    "request.args.all(name, name in ['x', 'kind'])",
    "request.args.exists(name, name == 'y') || size(request.args) == 1",
    "request.args == {'x': 1}",
    "request['args'].list.size() < 2 && request.args.map(name, name) == ['list']",
    "request.args.all(name, value, name != 'y' || value == 'a')",
]


@st.composite
def policies(draw: st.DrawFn) -> bytes:
    """A policy, some of whose conditions are about the arguments of the catalog."""
    document = draw(documents)
    for rule in document["rules"]:
        if draw(st.booleans()):
            rule["when"] = draw(st.sampled_from(MORE_CONDITIONS))
    return json.dumps(document).encode()


@st.composite
def calls(draw: st.DrawFn, *, on_the_catalog: bool) -> Call:
    """A call; on the catalog: of a tool that it knows, with arguments that fit its schema."""
    principal: Principal = draw(principals)
    tool = draw(st.sampled_from(sorted(SCHEMAS)))
    if not on_the_catalog:
        arguments = draw(st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 2) | st.just("a"), max_size=3))
        return Call(principal, draw(st.sampled_from(["github", "files", "jira"])), tool, arguments)
    schema = SCHEMAS[tool]
    names = [name for name in schema.get("properties", {}) if name in schema.get("required", ()) or draw(st.booleans())]
    return Call(principal, "github", tool, {name: draw(VALUES[name]) for name in names})


def examined(text: bytes, catalog: Catalog | None) -> Examined:
    return examine([Source("policy.json", text)], catalog)


def rules_with(found: Examined, *codes: str) -> set[str]:
    """The rules of which a code was said as a whole."""
    places = {one.place for one in found.findings if one.code in codes}
    return {rule.id for rule in found.policy.rules if rule.place in places}


def conditions_with(found: Examined, code: str) -> dict[str, str]:
    """The rules of whose conditions a code was said, with the message."""
    said = {one.place: one.message for one in found.findings if one.code == code}
    return {one.rule.id: said[place] for one in found.subjects if (place := one.entry.place("when")) in said}


@given(policies(), st.lists(calls(on_the_catalog=False), min_size=1, max_size=8))
def test_a_rule_that_is_never_reached_decides_nothing(text: bytes, made: list[Call]) -> None:
    found = examined(text, None)
    dead = rules_with(found, "unreachable", "allow-above-deny")
    assert all(found.policy.decide(call).rule not in dead for call in made)


@given(policies(), st.lists(calls(on_the_catalog=True), min_size=1, max_size=8))
def test_a_rule_that_nothing_of_the_catalog_reaches_decides_nothing_of_it(text: bytes, made: list[Call]) -> None:
    found = examined(text, CATALOG)
    dead = rules_with(found, "unreachable")
    assert all(found.policy.decide(call).rule not in dead for call in made)


@given(policies(), st.lists(calls(on_the_catalog=True), min_size=1, max_size=8), st.booleans())
def test_a_condition_that_is_always_or_never_true_is_so(text: bytes, made: list[Call], with_catalog: bool) -> None:
    found = examined(text, CATALOG if with_catalog else None)
    always, never = conditions_with(found, "always-true"), conditions_with(found, "never-true")
    for call in made:
        parts = {part.rule: part.outcome for part in found.policy.decide(call, trace=True).trace}
        for rule, outcome in parts.items():
            if rule in always:
                assert outcome in ("matched", "out_of_scope")
            if rule in never:
                assert outcome != "matched"
                assert outcome != "condition_error" or "denies" in never[rule] or "decides nothing" in never[rule]


@given(policies(), calls(on_the_catalog=True))
def test_what_a_condition_comes_to_before_a_tool_is_among_what_was_foreseen(text: bytes, call: Call) -> None:
    found = examined(text, CATALOG)
    declared = found.policy.declared
    facts = caller(declared, call.principal, call.server).facts
    tool = offer(declared, call.server, "tool", call.name).facts
    activation = {**facts, "mcp": {**facts["mcp"], "tool": tool}, "request": {"args": dict(call.arguments)}}
    for subject in found.subjects:
        sights = [sight for sight in subject.sights if sight.target.tool.name == call.name]
        if subject.rule.condition is None or not any(one.tool.name == call.name for one in subject.targets):
            continue
        try:
            value = subject.rule.condition.evaluate(activation)
        except cel.EvaluationError:
            assert all(sight.outcomes != {True} for sight in sights)
        else:
            assert value is False if not sights else value in sights[0].outcomes


@given(st.binary(max_size=200) | policies(), st.booleans())
def test_whatever_the_file_is_there_are_findings_or_errors_and_nothing_else(text: bytes, with_catalog: bool) -> None:
    with suppress(PolicyError):
        assert examined(text, CATALOG if with_catalog else None).policy

"""Names within arguments that nearly are those that a policy reads, and that a server could take for those."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.policy.members import LONGEST_NAME, MOST_NAMES, NEAR_MEMBERS, REMEMBERED, Members, folded
from mcp_guard.policy.values import Json
from tests.policy import reference
from tests.policy.making import ALICE, call, policy_of, rules

PROJECT = 'request.args.issue.project == "ENG"'
FORCE = "has(request.args.options.force)"
MAILS = 'request.args.people.exists(p, p.mail == "eve")'
CELLS = "request.args.rows.exists(row, row.cells.exists(cell, cell.n == 1))"
KEYED = "request.args.options[request.args.key] == 1"
BOTH = "(has(request.args.o.x) && request.args.o.x) || (has(request.args.o.X) && request.args.o.X)"

DENIED = [
    # beside the one that is read, in its place, above it
    (PROJECT, {"issue": {"project": "ENG", "Project": "HR"}}),
    (PROJECT, {"issue": {"Project": "HR"}}),
    (PROJECT, {"issue": {"project": "ENG"}, "Issue": {"project": "HR"}}),
    (PROJECT, {"Issue": {"project": "HR"}}),
    (PROJECT, {"issue": {"project": "ENG", "project\0": "HR"}}),
    (PROJECT, {"issue": {"project": "ENG", "PROJECT\0x": "HR"}}),
    (PROJECT.replace("project", "is_key"), {"issue": {"i\u017f_\u212aey": "HR"}}),
    (PROJECT.replace("issue.project", 'issue["my project"]'), {"issue": {"My Project": "HR"}}),
    ("request.args.a.b.c.d == 1", {"a": {"b": {"C": {"d": 1}}}}),
    # only asked for, or not needed
    (FORCE, {"options": {"Force": True}}),
    (FORCE, {"options": {"force": False, "Force": True}}),
    ("request.args.options.?force.orValue(false)", {"options": {"Force": True}}),
    ("request.args.?options.force.orValue(false)", {"options": {"Force": True}}),
    ("request.args.?options.?force.orValue(false)", {"options": {"Force": True}}),
    ("request.args.?options.optMap(o, o.force).orValue(false)", {"options": {"Force": True}}),
    ("cel.bind(o, request.args.options, has(o.force))", {"options": {"FORCE": True}}),
    ("request.args.options.size() > 3 || " + FORCE, {"options": {"Force": True}}),
    # in any item, whichever decides
    (MAILS, {"people": [{"mail": "ann"}, {"mail": "bob", "Mail": "eve"}]}),
    (MAILS, {"people": [{"mail": "eve"}, {"Mail": "bob"}]}),
    (MAILS, {"people": [7, [], {"Mail": "bob"}]}),
    (MAILS, {"people": {"0": {"Mail": "bob"}}}),
    (CELLS, {"rows": [{"cells": []}, {"cells": [{"n": 1}, {"N": 1}]}]}),
    (CELLS, {"rows": [{"Cells": []}]}),
    ("request.args.rows[0].n == 1", {"rows": [{"n": 1}, {"N": 2}]}),
    ("request.args.all(k, v, v.x == 1)", {"any": {"X": 1}}),
    ("request[agent.slug].a.b == 1", {"a": {"B": 1}}),
    # by a key that is computed: two that are one to the server
    (KEYED, {"key": "a", "options": {"a": 1, "A": 2}}),
    (KEYED, {"key": "a", "options": {"a": 1, "a\0": 2}}),
    ("request.args.env.exists(name, name == 'PATH')", {"env": {"PATH": "", "Path": ""}}),
    # both are read: one may be there, and not both
    (BOTH, {"o": {"x": False, "X": True}}),
]
JUDGED = [
    (PROJECT, {"issue": {"project": "ENG", "title": "T", "Title": "t"}}),
    (PROJECT, {"issue": {"project": "ENG", "extra": {"Project": 1, "project": 2}}}),
    (PROJECT, {"issue": {"project": {"Project": 1}}, "project": 1, "Project": 2}),
    (PROJECT, {"issue": ["Project", {"Project": 1}]}),
    (PROJECT, {"issue": "Project"}),
    (PROJECT, {}),
    ('request.args.title == "T"', {"issue": {"project": 1, "Project": 2}, "Title": "T"}),
    (MAILS, {"people": [{"mail": "ann"}, {"name": "Mail"}], "others": [{"Mail": "eve"}]}),
    (KEYED, {"key": "a", "options": {"a": 1, "b": 2}, "others": {"a": 1, "A": 2}}),
    ("request.args.list.all(i, i > 0)", {"list": [1, 2, {"a": 1, "A": 2}]}),
    (BOTH, {"o": {"x": False}}),
    (BOTH, {"o": {"x": False, "title": 1, "Title": 2}}),
    (BOTH, {"o": {"X": False}}),
    ("[1].all(request, request == 1) && agent.slug == 'x'", {"args": {"slug": 1, "Slug": 2}}),
]


@pytest.mark.parametrize("effect", ["deny", "gated", "require_approval"])
@pytest.mark.parametrize(("condition", "arguments"), DENIED)
def test_what_could_be_read_as_another_member_is_denied(
    condition: str, arguments: dict[str, Json], effect: str
) -> None:
    text = rules(f"{{id: a, effect: {effect}, when: {json.dumps(condition)}}}", "{id: b, effect: allow}")
    assert policy_of(text).decide(call(args=arguments)) == NEAR_MEMBERS


@pytest.mark.parametrize(("condition", "arguments"), JUDGED)
def test_names_that_no_condition_reads_there_may_be_anything(condition: str, arguments: dict[str, Json]) -> None:
    document = {
        "version": 1,
        "rules": [{"id": "a", "effect": "deny", "when": condition}, {"id": "b", "effect": "allow"}],
    }
    decision = policy_of(json.dumps(document)).decide(call(args=arguments))
    assert (decision.outcome, decision.rule) == reference.decide(document, ALICE, "s", "t", arguments)


NOT_ASKED = {
    "a draft": "{id: read, effect: deny, when: request.args.o.x == 1, status: draft}",
    "one that is switched off": "{id: read, effect: deny, when: request.args.o.x == 1, status: disabled}",
    "one for another tool": "{id: read, effect: deny, when: request.args.o.x == 1, tools: other}",
    "one for somebody else": "{id: read, effect: deny, when: request.args.o.x == 1, agents: other}",
    "one that is false whatever the arguments": "{id: read, effect: deny, when: false && request.args.o.x == 1}",
}


@pytest.mark.parametrize("rule", NOT_ASKED.values(), ids=NOT_ASKED.keys())
def test_a_rule_that_does_not_judge_the_call_reads_nothing_of_it(rule: str) -> None:
    decision = policy_of(rules(rule, "{id: rest, effect: allow}")).decide(call(args={"o": {"X": 1}}))
    assert decision.rule == "rest"


def test_rules_for_tools_that_spell_a_name_differently_do_not_meet() -> None:
    policy = policy_of(
        rules(
            "{id: go, effect: gated, tools: go, when: request.args.o.x == 1}",
            "{id: net, effect: gated, tools: net, when: request.args.o.X == 1}",
        )
    )
    outcomes = [policy.decide(call(tool, {"o": {name: 1}})).outcome for tool in ("go", "net") for name in ("x", "X")]
    assert outcomes == ["allow", "deny", "deny", "allow"]


def test_where_two_rules_for_one_tool_spell_a_name_differently_neither_spelling_passes() -> None:
    deny = "{id: a, effect: deny, when: has(request.args.o.force)}"
    policy = policy_of(rules(deny, "{id: b, effect: gated, when: has(request.args.o.Force)}"))
    assert [policy.decide(call(args={"o": {name: 1}})) for name in ("force", "Force")] == [NEAR_MEMBERS] * 2


def test_a_trace_shows_what_the_rules_say_of_it_all_the_same() -> None:
    text = rules("{id: eng, effect: gated, when: 'request.args.issue.project == \"ENG\"'}")
    decision = policy_of(text).decide(call(args={"issue": {"project": "ENG", "Project": "HR"}}), trace=True)
    assert (decision.outcome, decision.decided_by) == ("deny", "guard")
    assert [(part.rule, part.outcome) for part in decision.trace] == [("eng", "matched")]


def test_a_prompts_arguments_are_looked_into_as_well() -> None:
    text = rules("{id: a, effect: deny, prompts: p, when: has(request.args.o.x)}", "{id: b, effect: allow, prompts: p}")
    asked = [call("p", args={"o": {name: 1}}) for name in ("X", "y")]
    policy = policy_of(text)
    decided = [policy.decide(type(one)(one.principal, one.server, one.name, one.arguments, "prompt")) for one in asked]
    assert (decided[0], decided[1].rule) == (NEAR_MEMBERS, "b")


# What holds for all arguments

PATHS = {
    PROJECT: ("issue", "project"),
    FORCE: ("options", "force"),
    MAILS: ("people", None, "mail"),
    CELLS: ("rows", None, "cells", None, "n"),
    "request.args.?a.b.c.orValue(1) == 1": ("a", "b", "c"),
    "request.args.all(k, v, has(v.x) && v.x == 1)": (None, "x"),
}
PLAIN = ["issue", "project", "options", "force", "people", "mail", "rows", "cells", "n", "a", "b", "c", "x"]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([1, "ENG", "eve", True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PLAIN), inner, max_size=3),
    max_leaves=8,
)
NEAR = [str.upper, str.title, lambda name: f"{name}\0", lambda name: f"{name.title()}\0{name}"]


@st.composite
def leading(draw: st.DrawFn, path: tuple[str | None, ...]) -> Any:
    """A value along a path, with others beside it."""
    if not path:
        return draw(VALUES)
    beside = draw(st.dictionaries(st.sampled_from(PLAIN), VALUES, max_size=2))
    if path[0] is not None:
        return {**beside, path[0]: draw(leading(path[1:]))}
    items = draw(st.lists(leading(path[1:]), min_size=1, max_size=3))
    return items if draw(st.booleans()) else {**beside, **dict(zip(("i", "j", "k"), items, strict=False))}


def objects_on(value: Any, path: tuple[str | None, ...]) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects of which a member is read along a path, each with the member's name."""
    if not path:
        return
    if path[0] is not None and isinstance(value, dict):
        yield value, path[0]
    found = [value.get(path[0])] if path[0] is not None and isinstance(value, dict) else []
    if path[0] is None and isinstance(value, list | dict):
        found = list(value.values()) if isinstance(value, dict) else value
    for one in found:
        yield from objects_on(one, path[1:])


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(st.sampled_from([*PATHS]), min_size=1, max_size=3), st.sampled_from(["deny", "allow"]))
def test_a_near_name_of_a_member_that_is_read_denies_wherever_it_is_added(
    data: st.DataObject, conditions: list[str], effect: str
) -> None:
    given_rules = [{"id": f"r{at}", "effect": effect, "when": one} for at, one in enumerate(conditions)]
    document = {"version": 1, "rules": [*given_rules, {"id": "rest", "effect": "allow"}]}
    policy, path = policy_of(json.dumps(document)), PATHS[conditions[0]]
    arguments = data.draw(leading(path).filter(lambda value: isinstance(value, dict)))
    before = policy.decide(call(args=arguments))
    assert (before.outcome, before.rule) == reference.decide(document, ALICE, "s", "t", arguments)
    members, name = data.draw(st.sampled_from(list(objects_on(arguments, path))))
    near = data.draw(st.sampled_from(NEAR))(name)
    assert folded(near) == folded(name)
    members[near] = data.draw(VALUES)
    if data.draw(st.booleans()):
        members.pop(name, None)
    assert policy.decide(call(args=arguments)) == NEAR_MEMBERS


# Hostile arguments: no more work than their members, no call within a call


def nested(levels: int) -> Any:
    value: Any = {"Mail": 1}
    for _ in range(levels):
        value = {"people": [value]}
    return value


MANY = 300_000
LARGE: dict[str, tuple[str, Callable[[], dict[str, Json]]]] = {
    "members that nobody reads": (PROJECT, lambda: {"issue": {f"m{at}": 1 for at in range(MANY)}}),
    "members by a computed key": (KEYED, lambda: {"key": "a", "options": {f"m{at}": 1 for at in range(MANY)}}),
    "items": (MAILS, lambda: {"people": [{"mail": "ann"}] * MANY}),
    "items that are no objects": (MAILS, lambda: {"people": [[]] * MANY}),
}


@pytest.mark.parametrize(("condition", "made"), LARGE.values(), ids=LARGE.keys())
def test_of_many_members_each_is_looked_at_once(condition: str, made: Callable[[], dict[str, Json]]) -> None:
    policy = policy_of(rules(f"{{id: a, effect: deny, when: {json.dumps(condition)}}}", "{id: b, effect: allow}"))
    arguments, started = made(), time.process_time()
    assert policy.decide(call(args=arguments)) != NEAR_MEMBERS
    assert time.process_time() - started < 10, "a fraction of a second where the work grows with the arguments alone"


def test_deep_arguments_are_followed_no_further_than_a_path_leads() -> None:
    policy = policy_of(rules(f"{{id: a, effect: deny, when: {json.dumps(MAILS)}}}", "{id: b, effect: allow}"))
    deep = nested(100_000)
    assert policy.decide(call(args=deep)) != NEAR_MEMBERS
    assert policy.decide(call(args={"people": [{"Mail": deep}]})) == NEAR_MEMBERS


@pytest.mark.parametrize(("condition", "arguments"), DENIED)
def test_what_was_found_harmless_before_makes_no_difference(condition: str, arguments: dict[str, Json]) -> None:
    policy = policy_of(rules(f"{{id: a, effect: deny, when: {json.dumps(condition)}}}", "{id: b, effect: allow}"))
    for before in ({}, {"other": 1}, {folded(name): None for name in arguments}):
        policy.decide(call(args=before))
    assert policy.decide(call(args=arguments)) == NEAR_MEMBERS


def test_names_that_are_remembered_are_few_and_short() -> None:
    policy = policy_of(rules(f"{{id: a, effect: deny, when: {json.dumps(PROJECT)}}}", "{id: b, effect: allow}"))
    members = Members.of(policy.rules)
    assert members is not None
    steps = policy._plan(ALICE, "s", "t", "tool").course.steps
    for number in range(2 * MOST_NAMES):
        assert not members.are_misread({f"name_{number}": 1, "long" * LONGEST_NAME + str(number): 1}, steps)
    (look,) = members._looks.values()
    assert 0 < len(look.apart) <= MOST_NAMES
    assert max(map(len, look.apart)) <= LONGEST_NAME


def test_what_is_kept_of_tools_that_come_and_go_is_bounded() -> None:
    condition = json.dumps(PROJECT + " || mcp.tool.name == 'go'")
    policy = policy_of(rules(f"{{id: a, effect: deny, when: {condition}}}", "{id: b, effect: allow}"))
    for number in range(REMEMBERED + 10):
        assert policy.decide(call(f"tool_{number}", {"issue": {"Project": "HR"}})) == NEAR_MEMBERS
    assert policy._members is not None
    assert len(policy._members._looks) <= REMEMBERED

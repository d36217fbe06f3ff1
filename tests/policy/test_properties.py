"""What holds for every policy and every call: index, memo and plan change nothing; discovery and call agree."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.policy import Call, Principal
from tests.policy import reference, worlds
from tests.policy.making import policy_of

LEVELS = {frozenset({"deny"}): "denied", frozenset({"allow"}): "allowed"}


@settings(max_examples=400, deadline=None)
@given(
    worlds.documents,
    st.integers(0, 8),
    st.lists(st.tuples(worlds.principals, worlds.servers, worlds.tools, worlds.arguments), max_size=6),
)
def test_decisions_are_those_of_a_plain_walk(
    document: dict[str, Any], in_the_first_file: int, calls: list[tuple[Principal, str, str, dict[str, Any]]]
) -> None:
    policy = policy_of(*worlds.in_files(document, in_the_first_file))
    for by, server, tool, args in [*calls, *calls]:  # each call also by the memo
        decision = policy.decide(Call(by, server, tool, args))
        assert (decision.outcome, decision.rule) == reference.decide(document, by, server, tool, args)


@settings(max_examples=200, deadline=None)
@given(worlds.documents, worlds.principals, worlds.servers, worlds.tools)
def test_tools_are_shown_as_a_plain_walk_shows_them(
    document: dict[str, Any], by: Principal, server: str, tool: str
) -> None:
    reachable = reference.reachable(document, by, server, tool)
    expected = LEVELS.get(frozenset(reachable), "conditional")
    assert policy_of(json.dumps(document)).preview(by, server, tool).level == expected


@settings(max_examples=300, deadline=None)
@given(worlds.documents, worlds.principals, worlds.servers, worlds.tools, st.lists(worlds.arguments, max_size=5))
def test_discovery_never_promises_what_a_call_does_not_keep(
    document: dict[str, Any], by: Principal, server: str, tool: str, all_arguments: list[dict[str, Any]]
) -> None:
    policy = policy_of(json.dumps(document))
    level = policy.preview(by, server, tool).level
    for args in all_arguments:
        outcome = policy.decide(Call(by, server, tool, args)).outcome
        assert level != "denied" or outcome == "deny"
        assert level != "allowed" or outcome == "allow"


@settings(max_examples=200, deadline=None)
@given(worlds.documents, worlds.principals, worlds.servers, worlds.tools, worlds.arguments)
def test_a_trace_tells_the_same_story_as_the_decision(
    document: dict[str, Any], by: Principal, server: str, tool: str, args: dict[str, Any]
) -> None:
    policy = policy_of(json.dumps(document))
    plain, traced = (policy.decide(Call(by, server, tool, args), trace=wanted) for wanted in (False, True))
    assert (plain.outcome, plain.rule, plain.reason, plain.trace) == (traced.outcome, traced.rule, traced.reason, ())
    parts = traced.trace
    assert [part.rule for part in parts] == [rule["id"] for rule in document["rules"][: len(parts)]]
    assert all(part.outcome != "matched" for part in parts[:-1])
    assert all((part.error is not None) == (part.outcome == "condition_error") for part in parts)
    if traced.rule is None:
        assert len(parts) == len(document["rules"])
    else:
        assert parts[-1].rule == traced.rule
        assert parts[-1].outcome in ("matched", "condition_error")


@settings(max_examples=100, deadline=None)
@given(worlds.documents, worlds.principals, worlds.servers, worlds.tools)
def test_a_trace_of_discovery_ends_where_nothing_more_can_be_reached(
    document: dict[str, Any], by: Principal, server: str, tool: str
) -> None:
    policy = policy_of(json.dumps(document))
    shown = policy.preview(by, server, tool, trace=True)
    assert [part.rule for part in shown.trace] == [rule["id"] for rule in document["rules"][: len(shown.trace)]]
    open_ends = {part.effect for part in shown.trace if part.outcome in ("matched", "condition_unknown")}
    if shown.level == "denied":
        assert open_ends <= {"deny"}

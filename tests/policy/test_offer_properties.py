"""What holds for prompts and resources under every policy: the same as for tools, by a plain walk over the rules."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.policy import Call, Principal
from mcp_guard.policy.uris import read
from tests.policy import reference, worlds
from tests.policy.making import policy_of


@settings(max_examples=150, deadline=None)
@given(worlds.offer_documents, worlds.principals, worlds.servers, worlds.prompts, worlds.arguments)
def test_prompts_are_decided_as_a_plain_walk_decides_them(
    document: dict[str, Any], by: Principal, server: str, name: str, args: dict[str, Any]
) -> None:
    policy = policy_of(json.dumps(document))
    for _ in range(2):  # the second time by the memo
        decision = policy.decide(Call(by, server, name, args, "prompt"))
        assert (decision.outcome, decision.rule) == reference.decide_prompt(document, by, server, name, args)


@settings(max_examples=150, deadline=None)
@given(worlds.offer_documents, worlds.principals, worlds.servers, worlds.resources)
def test_resources_are_decided_as_a_plain_walk_decides_them(
    document: dict[str, Any], by: Principal, server: str, uri: str
) -> None:
    policy = policy_of(json.dumps(document))
    decision = policy.decide(Call(by, server, uri, {}, "resource"))
    assert (decision.outcome, decision.rule) == reference.decide_resource(document, by, server, *worlds.RESOURCES[uri])


@settings(max_examples=150, deadline=None)
@given(worlds.offer_documents, worlds.principals, worlds.servers, worlds.tools, worlds.arguments)
def test_rules_about_other_kinds_change_nothing_for_tools(
    document: dict[str, Any], by: Principal, server: str, tool: str, args: dict[str, Any]
) -> None:
    decision = policy_of(json.dumps(document)).decide(Call(by, server, tool, args))
    assert (decision.outcome, decision.rule) == reference.decide(document, by, server, tool, args)


@settings(max_examples=150, deadline=None)
@given(
    worlds.offer_documents, worlds.principals, worlds.servers, worlds.prompts, st.lists(worlds.arguments, max_size=4)
)
def test_a_hidden_prompt_can_never_be_got(
    document: dict[str, Any], by: Principal, server: str, name: str, all_arguments: list[dict[str, Any]]
) -> None:
    policy = policy_of(json.dumps(document))
    level = policy.preview(by, server, name, kind="prompt").level
    for args in all_arguments:
        outcome = policy.decide(Call(by, server, name, args, "prompt")).outcome
        assert level != "denied" or outcome == "deny"
        assert level != "allowed" or outcome == "allow"


@settings(max_examples=150, deadline=None)
@given(worlds.offer_documents, worlds.principals, worlds.servers, worlds.resources)
def test_a_resource_is_shown_exactly_where_it_can_be_read(
    document: dict[str, Any], by: Principal, server: str, uri: str
) -> None:
    policy = policy_of(json.dumps(document))
    expected = {"allow": "allowed", "deny": "denied", "require_approval": "conditional"}
    outcome = policy.decide(Call(by, server, uri, {}, "resource")).outcome
    assert policy.preview(by, server, uri, kind="resource").level == expected[outcome]


@settings(max_examples=150, deadline=None)
@given(worlds.offer_documents, worlds.principals, worlds.servers, worlds.prompts | worlds.resources, worlds.arguments)
def test_where_the_policy_has_no_say_everything_is_allowed(
    document: dict[str, Any], by: Principal, server: str, name: str, args: dict[str, Any]
) -> None:
    policy = policy_of(json.dumps(document))
    if not policy.governs(by, server, "prompt"):
        assert policy.decide(Call(by, server, name, args, "prompt")).outcome == "allow"
    if not policy.governs(by, server, "resource"):
        assert policy.decide(Call(by, server, name, {}, "resource")).outcome == "allow"


TEMPLATES = ["file:///data/{x}", "file:///{+path}", "note://work/{x}/a", "{+any}", "file:///data/a{?q}", "note://{x}"]
VALUES = ["a", "b", "x", "", "%62", "../etc", "data/a"]


@settings(max_examples=150, deadline=None)
@given(worlds.offer_documents, worlds.principals, worlds.servers, st.sampled_from(TEMPLATES), st.sampled_from(VALUES))
def test_a_template_is_shown_where_a_uri_of_it_can_be_read(
    document: dict[str, Any], by: Principal, server: str, template: str, value: str
) -> None:
    policy = policy_of(json.dumps(document))
    uri = template[: template.index("{")] + value + template[template.index("}") + 1 :]
    if policy.decide(Call(by, server, uri, {}, "resource")).outcome != "deny":
        assert policy.shows_template(by, server, template)


@settings(max_examples=100, deadline=None)
@given(worlds.offer_documents, worlds.principals, worlds.servers, worlds.resources)
def test_no_spelling_of_a_uri_gets_more_than_its_normal_form(
    document: dict[str, Any], by: Principal, server: str, uri: str
) -> None:
    policy = policy_of(json.dumps(document))
    sent = policy.decide(Call(by, server, uri, {}, "resource")).outcome
    normal = policy.decide(Call(by, server, read(uri).normal, {}, "resource")).outcome
    assert reference.STRICTNESS.index(sent) >= reference.STRICTNESS.index(normal)

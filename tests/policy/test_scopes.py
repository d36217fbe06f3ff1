"""Whom and what a rule is for: within a field any entry, across fields all, a field left out fits anything."""

import pytest

from mcp_guard.policy import Call, Principal
from tests.policy.making import policy_of

DECLARED = """
version: 1
agents:
  claude-code: {tags: [trusted, coding]}
  cursor: {tags: coding}
servers:
  github: {tags: prod, tools: {delete_*: {tags: destructive}, get_me: {tags: [read, self]}}}
  jira: {tags: [prod, tickets]}
users:
  alice@acme.com: {groups: [admin, dev]}
"""
ALICE = Principal("claude-code", "alice@acme.com", groups=("oncall",), instance="01J")
BOB = Principal("cursor", "bob")
SOMEBODY = Principal("unknown", "")

CASES: list[tuple[str, Principal, str, str, bool]] = [
    ("", SOMEBODY, "x", "y", True),
    ("agents: claude-code", ALICE, "x", "y", True),
    ("agents: claude-code", BOB, "x", "y", False),
    ("agents: [claude-code, cursor]", BOB, "x", "y", True),
    ("agents: tag:coding", BOB, "x", "y", True),
    ("agents: tag:trusted", BOB, "x", "y", False),
    ("agents: tag:trusted", Principal("trusted", "u"), "x", "y", False),
    ("agents: instance:01J", ALICE, "x", "y", True),
    ("agents: instance:01J", BOB, "x", "y", False),
    ("agents: instance:01", ALICE, "x", "y", False),
    ("agents: unknown", SOMEBODY, "x", "y", True),
    ("users: alice@acme.com", ALICE, "x", "y", True),
    ("users: alice@acme.com", BOB, "x", "y", False),
    ("users: Alice@acme.com", ALICE, "x", "y", False),
    ("groups: admin", ALICE, "x", "y", True),
    ("groups: [ops, oncall]", ALICE, "x", "y", True),
    ("groups: admin", BOB, "x", "y", False),
    ("servers: github", BOB, "github", "y", True),
    ("servers: github", BOB, "gitlab", "y", False),
    ("servers: tag:prod", BOB, "jira", "y", True),
    ("servers: tag:tickets", BOB, "github", "y", False),
    ("servers: gitlab", BOB, "gitlab", "y", True),
    ("tools: get_me", BOB, "github", "get_me", True),
    ("tools: get_me", BOB, "github", "GET_ME", False),
    ("tools: get_*", BOB, "github", "get_issue", True),
    ("tools: '*'", BOB, "github", "anything", True),
    ("tools: tag:destructive", BOB, "github", "delete_repository", True),
    ("tools: tag:destructive", BOB, "jira", "delete_issue", False),
    ("tools: [tag:self, put_*]", BOB, "github", "get_me", True),
    ("tools: [tag:self, put_*]", BOB, "github", "put_x", True),
    ("tools: [tag:self, put_*]", BOB, "github", "get_x", False),
    ("agents: claude-code, servers: github", ALICE, "github", "y", True),
    ("agents: claude-code, servers: github", ALICE, "jira", "y", False),
    ("agents: claude-code, servers: github", BOB, "github", "y", False),
    ("agents: tag:coding, groups: admin, servers: tag:prod, tools: get_*, users: alice@acme.com",
     ALICE, "github", "get_me", True),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "by", "server", "tool", "fits"), CASES)
def test_a_rule_is_for_a_call(scope: str, by: Principal, server: str, tool: str, fits: bool) -> None:
    policy = policy_of(f"{DECLARED}\nrules: [{{id: rule, effect: allow, {scope}}}]")
    assert (policy.decide(Call(by, server, tool)).rule == "rule") is fits


def test_several_files_are_one_list_in_their_order() -> None:
    deny = "version: 1\nrules: [{id: first, effect: deny, tools: a}]"
    allow = "version: 1\nrules: [{id: second, effect: allow, tools: [a, b]}]"
    for texts, rule in [((deny, allow), "first"), ((allow, deny), "second")]:
        assert policy_of(*texts).decide(Call(ALICE, "s", "a")).rule == rule
    assert policy_of(deny, allow).files == ("policy.yaml", "policy2.yaml")


def test_what_several_files_declare_adds_up() -> None:
    one = "version: 1\nagents: {cursor: {tags: a, name: Cursor}}\nservers: {s: {tools: {t: {tags: x}}}}"
    two = "version: 1\nagents: {cursor: {tags: b, name: Other}}\nservers: {s: {tools: {t: {tags: y}}}}"
    condition = "agent.tags == ['a', 'b'] && agent.name == 'Cursor' && mcp.tool.tags == ['x', 'y']"
    three = f'version: 1\nrules: [{{id: a, effect: allow, when: "{condition}"}}]'
    assert policy_of(one, two, three).decide(Call(BOB, "s", "t")).outcome == "allow"


def test_the_hash_is_that_of_the_files_bytes() -> None:
    import hashlib

    text = "version: 1\nrules: [{id: a, effect: deny}]\n"
    assert policy_of(text).hash == hashlib.sha256(text.encode()).hexdigest()
    assert policy_of(text, "version: 1\n").hash == hashlib.sha256((text + "version: 1\n").encode()).hexdigest()

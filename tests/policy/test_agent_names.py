"""Which agent a client's own name makes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.slugs import is_agent
from tests.policy.making import policy_of

POLICY = policy_of("""
version: 1
agents:
  claude-code: {clients: ["claude-code*"]}
  cursor: {clients: ["cursor*", "Cursor*"]}
  everything-by-acme: {clients: "acme-*"}
  acme-bot: {clients: "acme-bot"}
  plain: {name: Declared without patterns}
rules: [{name: open, effect: allow}]
""")

CASES = [
    ("claude-code", "claude-code", "a pattern fits"),
    ("claude-code/2.1", "claude-code", "a pattern fits the whole name"),
    ("Cursor (VS Code)", "cursor", "the second pattern fits"),
    ("acme-bot", "everything-by-acme", "the first agent in the file with a pattern that fits"),
    ("plain", "plain", "the slug of an agent without patterns"),
    ("Plain", "plain", "made into the slug of an agent without patterns"),
    ("gemini-cli-mcp-client", "gemini-cli-mcp-client", "an unknown name is its own slug"),
    ("Visual Studio Code", "visual-studio-code", "made into a slug"),
    ("  spaced  out!! ", "spaced-out", "runs of other characters are one dash"),
    ("Claude Code", "unrecognized-claude-code", "its slug is an agent whose patterns it fails"),
    ("CLAUDE-CODE", "unrecognized-claude-code", "patterns see the case"),
    ("unrecognized-x", "unrecognized-x", "nobody can declare such a slug"),
    ("", "unknown", "nothing to make a slug of"),
    ("\u0441ursor", "ursor", "a Cyrillic letter is not its Latin look-alike"),
    ("\u212aursor", "ursor", "the Kelvin sign is no k"),
    ("x", "client-x", "too short for an agent's slug"),
    ("K9", "client-k9", "too short, too"),
    ("…", "unknown", "no letter or digit"),
    ("-_-", "unknown", "dashes alone are no name"),
]


@pytest.mark.parametrize(("client", "agent", "why"), CASES)
def test_a_client_name_becomes_an_agent(client: str, agent: str, why: str) -> None:
    assert POLICY.agent_for(client) == agent, why


@given(st.text(max_size=400))
def test_any_name_becomes_the_slug_of_an_agent(client: str) -> None:
    assert is_agent(POLICY.agent_for(client))


@given(st.text(max_size=300))
def test_no_name_becomes_an_agent_against_its_patterns(client: str) -> None:
    if POLICY.agent_for(client) == "claude-code":
        assert client.startswith("claude-code")


def test_a_policy_without_agents_takes_names_as_they_are() -> None:
    assert policy_of("version: 1\nrules: [{name: a, effect: allow}]").agent_for("Claude Code") == "claude-code"

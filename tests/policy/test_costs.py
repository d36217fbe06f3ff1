"""What a call costs: by the rule that let it through, else by what is said of the tool."""

import pytest

from tests.policy.making import briefly, policy_of

POLICY = policy_of("""
version: 1
servers:
  search: {tools: {"query*": {cost: 0.01}, query_all: {cost: 0.5}}}
rules:
  - {id: dear, effect: allow, tools: render, cost: 2}
  - {id: free, effect: allow, tools: query_once, cost: 0}
  - {id: rest, effect: allow}
""")


@pytest.mark.parametrize(
    ("rule", "server", "tool", "dollars"),
    [
        ("dear", "search", "render", 2),
        ("rest", "search", "query_one", 0.01),
        ("rest", "search", "query_all", 0.5),
        ("free", "search", "query_once", 0),
        ("rest", "files", "query_one", 0),
        (None, "search", "query_one", 0.01),
    ],
)
def test_the_rule_comes_before_the_tool_and_of_patterns_the_dearest_counts(rule, server, tool, dollars) -> None:
    assert POLICY.cost(rule, server, tool) == dollars


@pytest.mark.parametrize("cost", ["-1", "free", "true", "'2'", "null", "[1]", "9" * 350])
def test_what_is_no_cost_is_refused(cost: str) -> None:
    assert briefly(f"version: 1\nrules: [{{name: a, effect: allow, cost: {cost}}}]")

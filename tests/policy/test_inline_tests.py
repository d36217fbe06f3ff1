"""The tests inside a policy: what passes, and what a failed one says."""

import sys

import pytest

from mcp_guard.cel import second_opinion
from mcp_guard.policy.cross_check import CelExpr, CelPython, Engine, cross_check_syntax, cross_checked, second_engine
from mcp_guard.policy.inline_tests import run_tests
from tests.policy.making import policy_of

POLICY = """
version: 1
agents: {cursor: {clients: "Cursor*"}}
users: {alice: {groups: admin}}
rules:
  - {id: admins, effect: allow, groups: admin, agents: cursor, when: agent.verified || user.verified}
  - {id: ask, effect: require_approval, tools: send_*}
  - {id: gate, effect: gated, tools: put, when: request.args.x == 1}
tests:
"""
CALLS: list[tuple[str, list[str]]] = [
    ("call: {client: Cursor 1.2, user: alice, verified: true, server: s, tool: t}, expect: allow, rule: admins", []),
    ("call: {agent: cursor, groups: admin, verified: true, server: s, tool: t}, visibility: allowed", []),
    ("call: {agent: cursor, groups: admin, server: s, tool: t}, expect: deny, visibility: denied", []),
    ("call: {server: s, tool: send_mail}, expect: require_approval, visibility: conditional", []),
    ("call: {server: s, tool: put, args: {x: 1}}, expect: allow, visibility: conditional", []),
    ("call: {server: s, tool: put, args: {x: 2}}, expect: allow", [
        "expected allow, got deny: No policy rule allows this call with these arguments. "
        'Rule "gate" allows calls where `request.args.x == 1`.',
    ]),
    ("call: {server: s, tool: put, args: {x: 1}}, expect: allow, rule: ask", [
        'expected rule "ask" to decide, but rule "gate" did: Policy rule "gate" allows this call with these arguments.',
    ]),
    ("call: {server: s, tool: t}, expect: deny, rule: gate", [
        'expected rule "gate" to decide, but no rule did: No policy rule allows this tool.',
    ]),
    ("call: {server: s, tool: put}, expect: allow, visibility: denied", [
        "expected allow, got deny: No policy rule allows this call with these arguments. "
        'Rule "gate" allows calls where `request.args.x == 1`.',
        "expected the tool to be denied at discovery, but it is conditional",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("test", "failures"), CALLS)
def test_a_test_passes_or_says_what_differs(test: str, failures: list[str]) -> None:
    policy = policy_of(f"{POLICY}  - {{name: t, {test}}}")
    (result,) = run_tests(policy.tests, policy)
    assert list(result.failures) == failures
    assert result.passed is (not failures)


ENGINES: list[Engine] = [CelExpr(), CelPython()]
DISAGREEABLE = """
version: 1
rules: [{id: r, effect: gated, when: "request.args.a < request.args.b"}]
tests: [{name: t, call: {server: s, tool: t, args: {a: 1, b: 2}}, expect: allow}]
"""


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_other_engines_answer_in_our_words(engine: Engine) -> None:
    facts = {"request": {"args": {"x": 1, "list": [1, "a", None, 2.5, True]}}}
    cases = [("request.args.x == 1", "true"), ("request.args.x == 2", "false"), ("request.args.y == 1", "an error"),
             ("request.args.list[4]", "true"), ("nothing_like_this(1)", "nothing")]  # fmt: skip
    assert [engine.opinion(source, facts) for source, _ in cases] == [opinion for _, opinion in cases]


def test_an_engine_that_cuts_texts_is_not_asked_about_them() -> None:
    assert CelExpr().opinion("request.args.x == 'a'", {"request": {"args": {"x": "a\0b"}}}) == "nothing"


def test_a_disagreement_fails_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = policy_of(DISAGREEABLE)
    results = run_tests(policy.tests, policy)
    assert cross_checked(results, policy)[0].passed
    monkeypatch.setattr(CelExpr, "opinion", lambda engine, source, facts: "false")
    (checked,) = cross_checked(results, policy)
    expected = 'rule "r": the condition comes to true here, and to false in cel-expr-python'
    assert checked.failures == (expected,)


def test_without_the_better_engine_the_other_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python.cel", None)
    assert second_engine().name == "cel-python"


def test_a_condition_that_another_parser_reads_otherwise_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = policy_of(DISAGREEABLE)
    assert cross_check_syntax(policy) == ()
    monkeypatch.setattr(second_opinion, "difference", lambda source: "cel-python does not parse this")
    (found,) = cross_check_syntax(policy)
    assert (found.code, found.message, found.place.line) == ("cross-check", "`r`: cel-python does not parse this", 3)


def test_syntax_that_another_parser_lacks_is_not_held_against_a_condition() -> None:
    optional = policy_of("version: 1\nrules: [{id: r, effect: gated, when: 'request.args.?x.orValue(1) == 1'}]")
    assert cross_check_syntax(optional) == ()

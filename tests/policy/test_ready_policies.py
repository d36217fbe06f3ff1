"""The policies that we ship: free of findings, tested from both sides, and no rule of them without a test."""

from pathlib import Path

import msgspec
import pytest

from mcp_guard.policy import Call, Policy, Principal, Source, load
from mcp_guard.policy.cross_check import CelExpr, CelPython, cross_check_syntax, disagreements
from mcp_guard.policy.inline_tests import run_tests

HERE = Path(__file__).parents[2] / "policies"
PATHS = sorted(HERE.glob("*.yaml"))
EXPECTED = {
    "read-only", "filesystem-sandbox", "protect-main-branch", "slack-channel-allowlist", "destructive-sql",
    "internal-email", "jira-projects", "allow-then-restrict", "agent-specific-access", "argument-guardrails",
    "prompts-and-resources",
}  # fmt: skip

each_policy = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def loaded(path: Path) -> Policy:
    return load([Source(path.name, path.read_bytes())])


def test_they_are_all_there() -> None:
    assert {path.stem for path in PATHS} >= EXPECTED


@each_policy
def test_nothing_is_wrong_with_it(path: Path) -> None:
    policy = loaded(path)
    assert policy.warnings == ()
    assert cross_check_syntax(policy) == ()


@each_policy
def test_its_tests_pass(path: Path) -> None:
    policy = loaded(path)
    assert [
        (result.test.name, result.failures) for result in run_tests(policy.tests, policy) if not result.passed
    ] == []


@each_policy
@pytest.mark.parametrize("engine", [CelExpr(), CelPython()], ids=lambda engine: engine.name)
def test_other_engines_agree(path: Path, engine: CelExpr | CelPython) -> None:
    policy = loaded(path)
    assert [found for test in policy.tests for found in disagreements(test.call, policy, engine)] == []


@each_policy
def test_it_is_tested_from_both_sides(path: Path) -> None:
    assert {"allow", "deny"} <= {test.outcome for test in loaded(path).tests}


@each_policy
def test_without_any_one_rule_a_test_fails(path: Path) -> None:
    policy = loaded(path)
    for missing in policy.rules:
        rest = Policy([rule for rule in policy.rules if rule is not missing], declared=policy.declared)
        failed = [result for result in run_tests(policy.tests, rest) if not result.passed]
        assert failed, f"no test misses the rule {missing.id}"


@each_policy
def test_without_any_one_condition_a_test_fails(path: Path) -> None:
    """An allow without its condition lets something through that a test knows of; a deny stops something."""
    policy = loaded(path)
    for open_rule in policy.rules:
        if open_rule.condition is None:
            continue
        opened = msgspec.structs.replace(open_rule, condition=None)
        rules = [opened if rule is open_rule else rule for rule in policy.rules]
        failed = [r for r in run_tests(policy.tests, Policy(rules, declared=policy.declared)) if not r.passed]
        assert failed, f"no test misses the condition of {open_rule.id}"


@each_policy
def test_it_says_for_whom_it_is_and_how_to_adapt_it(path: Path) -> None:
    comment = path.read_text().split("version:")[0]
    assert "# For whom: " in comment
    assert "# To adapt: " in comment
    assert f"name: {path.stem}\n" in path.read_text()


STARTER = HERE.parent / "mcp_guard" / "clients" / "starter.yaml"


def test_the_starter_policy_asks_about_every_name_that_read_only_denies() -> None:
    only_look, asked = (loaded(path).rules[0] for path in (HERE / "read-only.yaml", STARTER))
    assert only_look.id == asked.id
    assert set(only_look.scope.tools or ()) <= set(asked.scope.tools or ())


def test_the_starter_policy_asks_about_a_reader_that_writes() -> None:
    call = Call(Principal("claude-code", "kim"), "chrome-devtools", "get_network_request", {"responseFilePath": "/x"})
    assert loaded(STARTER).decide(call).outcome == "require_approval"


ONE_SERVER_EACH = (
    *("destructive-sql", "filesystem-sandbox", "internal-email", "jira-projects", "protect-main-branch"),
    "slack-channel-allowlist",
)


@pytest.mark.parametrize("names", [ONE_SERVER_EACH, ONE_SERVER_EACH[::-1]], ids=["in order", "in reverse"])
def test_those_for_a_server_each_are_one_policy_together(names: tuple[str, ...]) -> None:
    files = [HERE / f"{name}.yaml" for name in names]
    policy = load([Source(path.name, path.read_bytes()) for path in files])
    assert policy.warnings == ()
    assert [result.test.name for result in run_tests(policy.tests, policy) if not result.passed] == []


def test_guardrails_without_their_last_rule_go_before_any_other() -> None:
    text = (HERE / "argument-guardrails.yaml").read_text()
    guardrails = text[: text.index("  - id: everything-else")].encode()
    for path in PATHS:
        if path.stem != "argument-guardrails":
            together = load([Source("guardrails.yaml", guardrails), Source(path.name, path.read_bytes())])
            assert together.warnings == (), path.stem

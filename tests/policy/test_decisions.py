"""What becomes of a call: first match wins, nothing matched is denied, every doubt is a denial."""

import pytest

from mcp_guard import cel
from mcp_guard.policy import Call, Decision, Policy, Principal
from mcp_guard.policy.values import Json
from tests.policy.making import ALICE, call, policy_of, rules

ALLOW, DENY = "{id: yes, effect: allow}", "{id: no, effect: deny}"
GATED_X1 = "{id: gate, effect: gated, when: request.args.x == 1}"
DENY_X1 = "{id: stop, effect: deny, when: request.args.x == 1}"
APPROVE_X1 = "{id: ask, effect: require_approval, when: request.args.x == 1}"

OUTCOMES: list[tuple[str, list[str], dict[str, Json], str, str | None]] = [
    ("no rules", [], {}, "deny", None),
    ("one allows", [ALLOW], {}, "allow", "yes"),
    ("one denies", [DENY], {}, "deny", "no"),
    ("the first of two decides", [ALLOW, DENY], {}, "allow", "yes"),
    ("the first of two decides, the other way round", [DENY, ALLOW], {}, "deny", "no"),
    ("a draft is passed over", ["{id: d, effect: deny, status: draft}", ALLOW], {}, "allow", "yes"),
    ("a disabled rule is passed over", ["{id: d, effect: deny, status: disabled}", ALLOW], {}, "allow", "yes"),
    ("a condition holds", [GATED_X1], {"x": 1}, "allow", "gate"),
    ("a condition does not hold", [GATED_X1], {"x": 2}, "deny", None),
    ("approval is asked for", [APPROVE_X1, ALLOW], {"x": 1}, "require_approval", "ask"),
    ("approval is not asked for", [APPROVE_X1, ALLOW], {"x": 2}, "allow", "yes"),
    ("a deny with a false condition is passed over", [DENY_X1, ALLOW], {"x": 2}, "allow", "yes"),
    ("a field is missing: an allow is passed over", [GATED_X1], {}, "deny", None),
    ("a field is missing: an approval is passed over", [APPROVE_X1, DENY], {}, "deny", "no"),
    ("a field is missing: a deny denies", [DENY_X1, ALLOW], {}, "deny", "stop"),
    ("a wrong type: an allow is passed over",
     ["{id: a, effect: allow, when: request.args.x > 1}", DENY], {"x": "5"}, "deny", "no"),
    ("a wrong type: a deny denies",
     ["{id: d, effect: deny, when: request.args.x > 1}", ALLOW], {"x": "5"}, "deny", "d"),
    ("a condition that gives no boolean: an allow is passed over",
     ["{id: a, effect: allow, when: request.args.x}"], {"x": "true"}, "deny", None),
    ("a condition that gives no boolean: a deny denies",
     ["{id: d, effect: deny, when: request.args.x}", ALLOW], {"x": 1}, "deny", "d"),
    ("a condition that gives null: a deny denies",
     ["{id: d, effect: deny, when: request.args.x}", ALLOW], {"x": None}, "deny", "d"),
    ("true is not one", [GATED_X1], {"x": True}, "deny", None),
    ("one is one, however written", [GATED_X1], {"x": 1.0}, "allow", "gate"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "args", "outcome", "rule"), [case[1:] for case in OUTCOMES], ids=[case[0] for case in OUTCOMES]
)
def test_a_call_gets_an_outcome(given: list[str], args: dict[str, Json], outcome: str, rule: str | None) -> None:
    decision = policy_of(rules(*given) if given else "version: 1").decide(call(args=args))
    assert (decision.outcome, decision.rule) == (outcome, rule)
    assert decision.decided_by == ("default" if rule is None else "policy")


BUSY = "request.args.list.all(a, request.args.list.all(b, request.args.list.all(c, a + b + c >= 0)))"
MUCH: dict[str, Json] = {"list": list(range(1000))}


def test_a_condition_over_its_budget_denies_where_it_denies() -> None:
    policy = policy_of(rules(f"{{id: busy, effect: deny, when: '{BUSY} == false'}}", ALLOW))
    assert policy.decide(call(args=MUCH)).rule == "busy"


def test_a_condition_over_its_budget_does_not_allow() -> None:
    assert policy_of(rules(f"{{id: busy, effect: allow, when: '{BUSY}'}}")).decide(call(args=MUCH)).outcome == "deny"


def test_all_conditions_of_a_decision_share_one_budget() -> None:
    """What one rule spends is gone for the next: an agent cannot buy time by the number of rules."""
    busy = f"{{id: busy, effect: allow, when: '{BUSY}'}}"
    policy = policy_of(rules(busy, "{id: last, effect: deny, when: 'request.args.list.exists(a, a == -1)'}", ALLOW))
    assert policy.decide(call(args=MUCH)).rule == "last"


def test_a_name_that_costs_too_much_is_not_gone_through_again_for_each_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the agent chooses the tool's name (`unlisted_tools: policy`), it cannot buy time by the number of rules."""
    pairs = 'mcp.tool.name.split("").exists(a, mcp.tool.name.split("").exists(b, a + b == "##"))'
    policy = policy_of(rules(*(f"{{id: {id}, effect: deny, when: '{pairs} || has(request.args.x)'}}" for id in "abc")))
    budgets = [cel.Budget(), cel.Budget()]
    monkeypatch.setattr(cel, "Budget", iter(budgets).__next__)
    assert policy.preview(ALICE, "s", "n" * 900).level == "denied"
    assert [budget.exhausted for budget in budgets] == [True, False]


REASONS: list[tuple[str, list[str], dict[str, Json], str]] = [
    ("default, nothing could allow", [DENY_X1], {"x": 2}, "No policy rule allows this tool."),
    ("default, others could", [GATED_X1], {"x": 2},
     'No policy rule allows this call with these arguments. Rule "gate" allows calls where `request.args.x == 1`.'),
    ("a rule that denies whatever the arguments", [DENY], {},
     'Policy rule "no" denies this tool, whatever its arguments.'),
    ("a rule that denies these arguments", [DENY_X1], {"x": 1},
     'Policy rule "stop" denies calls where `request.args.x == 1`.'),
    ("a rule that cannot tell", [DENY_X1], {},
     'Policy rule "stop" denies this call because its condition could not be evaluated: an argument that it reads is '
     "missing or of another type than it expects, or the arguments are too large to judge. It denies calls where "
     "`request.args.x == 1`."),
    ("a rule that can never tell", ["{id: odd, effect: deny, when: 'mcp.tags[0] == \"a\"'}"], {},
     'Policy rule "odd" denies this tool because its condition cannot be evaluated here, whatever the arguments.'),
    ("a rule that allows", [ALLOW], {}, 'Policy rule "yes" allows this tool.'),
    ("a rule that allows these arguments", [GATED_X1], {"x": 1},
     'Policy rule "gate" allows this call with these arguments.'),
    ("a person is needed", ["{id: ask, effect: require_approval}"], {},
     'Policy rule "ask" lets this tool be called only with a person\'s approval.'),
]  # fmt: skip


@pytest.mark.parametrize(("given", "args", "reason"), [case[1:] for case in REASONS], ids=[case[0] for case in REASONS])
def test_a_reason_is_a_sentence_to_act_on(given: list[str], args: dict[str, Json], reason: str) -> None:
    assert policy_of(rules(*given)).decide(call(args=args)).reason == reason


def test_a_reason_names_a_few_rules_that_could_allow_not_all() -> None:
    given = [f"{{id: r{number}, effect: gated, when: request.args.x == {number}}}" for number in range(9)]
    reason = policy_of(rules(*given)).decide(call(args={"x": 99})).reason
    assert all(f'Rule "r{number}" allows calls where `request.args.x == {number}`' in reason for number in range(3))
    assert "r3" not in reason


@pytest.mark.parametrize("args", [{"x": "hunter2"}, {"x": ["hunter2"]}, {"hunter2": 1}, {"x": {"hunter2": 1}}])
def test_nothing_of_the_arguments_is_in_what_a_decision_says(args: dict[str, Json]) -> None:
    given = [
        '{id: a, effect: allow, when: "request.args.x + 1 == 2"}',
        '{id: b, effect: allow, when: "request.args[request.args.x] == 2"}',
        '{id: c, effect: allow, when: "request.args.x.hunter3 == 2"}',
        '{id: d, effect: deny, when: "request.args[request.args.x] > 1"}',
    ]
    decision = policy_of(rules(*given)).decide(call(args=args), trace=True)
    assert "hunter2" not in repr(decision)


def test_a_rule_says_its_message_with_the_denial() -> None:
    policy = policy_of(rules("{id: a, effect: deny, message: Use a branch.}"))
    assert policy.decide(call()).message == "Use a branch."


def test_without_a_policy_the_guard_denies_and_says_how_to_give_one() -> None:
    none = Policy.empty()
    expected = "No policy is loaded, so every call is denied: start the guard with `--policy FILE`."
    assert none.decide(call()) == Decision("deny", "guard", None, expected)
    assert none.preview(ALICE, "s", "t").level == "denied"


def test_a_tool_cannot_name_itself_into_a_tag() -> None:
    policy = policy_of(
        "version: 1\nservers: {s: {tools: {ok: {tags: safe}}}}\nrules: [{id: a, effect: allow, tools: 'tag:safe'}]"
    )
    assert policy.decide(call("ok")).outcome == "allow"
    assert policy.decide(call("tag:safe")).outcome == "deny"


def test_an_agent_or_server_cannot_name_itself_into_a_tag_or_instance() -> None:
    policy = policy_of(rules("{id: a, effect: allow, agents: ['tag:x', 'instance:i'], servers: 'tag:x'}"))
    for agent, server in [("tag:x", "tag:x"), ("instance:i", "tag:x"), ("x", "x")]:
        assert policy.decide(Call(Principal(agent, "u"), server, "t")).outcome == "deny"


def test_what_one_agent_gets_is_not_remembered_for_another() -> None:
    policy = policy_of(rules("{id: a, effect: allow, agents: claude-code, when: agent.verified}"))
    people = [
        (Principal("claude-code", "alice", verified=True), "allow"),
        (Principal("claude-code", "alice"), "deny"),
        (Principal("cursor", "alice", verified=True), "deny"),
    ]
    for by, outcome in people * 2:
        assert policy.decide(call(by=by)).outcome == outcome


def test_the_memory_of_a_policy_is_bounded() -> None:
    """Tool names and principals come from clients: neither many nor long ones may fill the guard."""
    policy = policy_of(rules(ALLOW))
    for number in range(10_000):
        policy.decide(call(f"tool-{number}"))
        policy.decide(call("tool", by=Principal("a", f"user-{number}")))
        assert policy.remembered <= 8192
    policy.forget()
    policy.decide(call("t" * 1_000_000))
    assert policy.remembered == 1, "a standpoint, no plan"


SETTINGS = [
    ("", ("deny", "redacted")),
    ("settings: {unlisted_tools: policy}", ("policy", "redacted")),
    ("settings: {audit_arguments: none}", ("deny", "none")),
]


@pytest.mark.parametrize(("text", "settings"), SETTINGS)
def test_settings_have_defaults(text: str, settings: tuple[str, str]) -> None:
    found = policy_of(f"version: 1\n{text}").settings
    assert (found.unlisted_tools, found.audit_arguments) == settings


VARIABLES = [
    "agent.id == 'claude-code' && agent.slug == 'claude-code' && agent.name == 'Claude Code'",
    "agent.tags == ['trusted'] && !agent.verified",
    "user.id == 'alice@acme.com' && user.name == 'Alice' && user.email == 'alice@acme.com' && !user.verified",
    "user.groups == ['cli', 'admin']",
    "mcp.id == 'github' && mcp.slug == 'github' && mcp.name == 'GitHub' && mcp.tags == ['prod']",
    "mcp.tool.name == 'delete_repository' && mcp.tool.tags == ['destructive', 'seen']",
    "request.args == {'a': [1, {'b': null}]}",
]


@pytest.mark.parametrize("condition", VARIABLES)
def test_a_condition_sees_who_calls_what(condition: str) -> None:
    policy = policy_of(f"""
version: 1
agents: {{claude-code: {{name: Claude Code, tags: trusted}}}}
servers:
  github:
    name: GitHub
    tags: prod
    tools: {{delete_repository: {{tags: destructive}}, "*_repository": {{tags: [seen, destructive]}}}}
users: {{alice@acme.com: {{name: Alice, groups: admin}}}}
rules: [{{id: a, effect: allow, when: "{condition}"}}]
""")
    by = Principal("claude-code", "alice@acme.com", groups=("cli",))
    assert policy.decide(call("delete_repository", {"a": [1, {"b": None}]}, server="github", by=by)).outcome == "allow"

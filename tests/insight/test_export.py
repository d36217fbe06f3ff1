"""Recorded calls as tests of a policy: few, readable, without secrets, and passing."""

import pickle
from typing import Any

import pytest

from mcp_guard.insight.export import MOST_TESTS, OF_A_KIND, Specimens, policy_file
from mcp_guard.insight.replay import replay
from mcp_guard.policy import Policy, Source, load
from mcp_guard.policy.inline_tests import run_tests
from mcp_guard.store.reader import RecordedEvent
from tests.insight.test_replay import recorded
from tests.policy.making import policy_of, rules

OPEN = rules(
    "{id: no-root, effect: deny, when: has(request.args.path) && request.args.path == '/'}", "{id: all, effect: allow}"
)


def exported(policy: Policy, *events: RecordedEvent) -> Specimens:
    specimens = Specimens(policy)
    for result in replay(events, policy):
        specimens.add(result)
    return specimens


def text_of(policy: str, *events: RecordedEvent) -> str:
    """The exported tests, which all pass."""
    made = policy_file(exported(policy_of(policy), *events), "Recorded.")
    whole = load([Source("policy.yaml", policy.encode()), Source("tests.yaml", made.encode())])
    assert [result.failures for result in run_tests(whole.tests, whole) if not result.passed] == []
    return made


def calls_in(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("call:")]


def test_calls_that_no_rule_tells_apart_are_one_test() -> None:
    events = [recorded(arguments={"path": "/x", "n": number}) for number in range(9)]
    assert calls_in(text_of(OPEN, *events)) == ['call: {server: files, tool: write, args: {path: /x, "n": 0}}']


def test_of_each_kind_a_few_are_kept() -> None:
    events = [recorded(arguments={"path": f"/{number}"}) for number in range(20)]
    text = text_of(OPEN, *events, recorded(arguments={"path": "/"}), recorded("read", {"path": "/a"}))
    assert len(calls_in(text)) == OF_A_KIND + 2
    assert text.count("expect: deny") == 1


CALLERS = [
    # what rules there are; what the log says of the caller; what the test says
    (OPEN, {}, "{server: files, tool: write}"),
    (
        rules("{id: a, effect: allow, agents: claude-code}"),
        {},
        "{agent: claude-code, verified: true, server: files, tool: write}",
    ),
    (
        rules("{id: a, effect: allow, when: agent.verified}"),
        {"agent_verified": False},
        "{agent: claude-code, server: files, tool: write}",
    ),
    (
        'version: 1\nagents: {claude: {clients: "Claude*"}}\nrules: [{id: a, effect: allow, agents: claude}]\n',
        {"agent_verified": False, "data": {"client": "Claude Code"}},
        '{client: "Claude Code", server: files, tool: write}',
    ),
    (
        rules("{id: a, effect: allow, groups: admin}"),
        {"data": {"groups": ["admin", "dev"]}},
        "{user: alice@acme.com, groups: [admin, dev], server: files, tool: write}",
    ),
]


@pytest.mark.parametrize(("policy", "columns", "expected"), CALLERS)
def test_a_caller_is_told_as_far_as_rules_tell_callers_apart(
    policy: str, columns: dict[str, Any], expected: str
) -> None:
    assert calls_in(text_of(policy, recorded(**columns))) == [f"call: {expected}"]


@pytest.mark.parametrize("mode", ["full", "redacted"])
def test_a_secret_is_left_out_also_where_the_log_has_it(mode: Any) -> None:
    text = text_of(OPEN, recorded(arguments={"path": "/x", "password": "hunter2"}, mode=mode))
    assert calls_in(text) == ["call: {server: files, tool: write, args: {path: /x}}"]
    assert "# not kept in the log, and so not here: [password]" in text
    assert "hunter2" not in text


LEFT_OUT = [
    (recorded(arguments={"headers": ["x", "Bearer a1b2c3d4e5f6g7h8i9"]}), "had arguments that were not kept"),
    (recorded(arguments={"path": "x" * 3000}), "are too large to read"),
    (recorded(arguments={"a": [[[[]]] * 20]}), "are too large to read"),
    (recorded(mode="none", arguments={"path": "/x"}), "cannot be replayed"),
    (recorded(server="fi…les"), "hang on what a test cannot say"),
]


@pytest.mark.parametrize(("event", "why"), LEFT_OUT)
def test_what_makes_no_test_is_left_out_with_its_reason(event: RecordedEvent, why: str) -> None:
    assert exported(policy_of(OPEN), event).left_out == {why}
    assert "tests: []" in text_of(OPEN, event)


def test_a_call_whose_outcome_hangs_on_its_instance_is_left_out() -> None:
    policy = policy_of(rules("{id: a, effect: allow, agents: 'instance:conn'}"))
    assert exported(policy, recorded()).left_out == {"hang on what a test cannot say"}


def test_prompts_and_resources_make_tests_too() -> None:
    policy = rules("{id: a, effect: allow, prompts: greet}", "{id: b, effect: allow, resources: 'file:///srv/*'}")
    prompt = recorded("greet", {"who": "x"}, type="prompt.decided", data={"method": "prompts/get"})
    resource = recorded("file:///srv/a", type="resource.decided", data={"method": "resources/read"})
    assert calls_in(text_of(policy, prompt, resource)) == [
        "call: {server: files, prompt: greet, args: {who: x}}",
        'call: {server: files, resource: "file:///srv/a"}',
    ]


def test_hostile_names_and_values_stay_data() -> None:
    odd = "a: b\n- c\u2028 #{}[]\x00\U0001f600'\""
    text = text_of(OPEN, recorded(arguments={"path": odd, odd: [odd, None, 1e300, -5, True, "yes", "0x10", "~"]}))
    assert len(calls_in(text)) == 1


def test_parts_that_travelled_are_merged_in_order_and_bounded() -> None:
    policy = policy_of(OPEN)
    first = exported(policy, *(recorded(arguments={"path": f"/{number}"}) for number in range(3)))
    second = exported(policy, *(recorded(arguments={"path": f"/{number}"}) for number in range(2, 9)))
    whole = pickle.loads(pickle.dumps(first))
    whole.merge(pickle.loads(pickle.dumps(second)))
    assert [specimen.arguments["path"] for specimen in whole] == ["/0", "/1", "/2", "/3", "/4"]
    many = exported(policy, *(recorded(f"t{number}") for number in range(MOST_TESTS + 5)))
    assert len(list(many)) == MOST_TESTS

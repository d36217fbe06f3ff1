"""Recorded calls decided again: what is said to change, what is not, and what nobody can tell."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.events import Event
from mcp_guard.insight.replay import NotReplayable, Replayed, Result, replay
from mcp_guard.policy import Call, Policy, Principal
from mcp_guard.policy.members import NEAR_MEMBERS
from mcp_guard.redaction import recorded_arguments
from mcp_guard.redaction.arguments import ArgumentsMode
from mcp_guard.store import Store
from mcp_guard.store.reader import Filters, RecordedEvent, read_events
from tests.policy.making import policy_of, rules

POLICY = policy_of(
    rules(
        "{id: no-root, name: a, effect: deny, tools: [write], when: request.args.path == '/'}",
        "{id: no-password, name: b, effect: deny, tools: [login], when: request.args.password == 'x'}",
        "{id: cursor, name: c, effect: deny, tools: [login], when: agent.slug == 'cursor' && request.args.pin == 1}",
        "{id: admins, name: d, effect: allow, groups: [admin]}",
        "{id: all, name: e, effect: allow, tools: [write, 'log*']}",
        "{id: any-header, name: f, effect: deny, tools: [fetch], when: 'request.args.headers.exists(h, h == \"x\")'}",
        "{id: fetch, name: g, effect: allow, tools: [fetch]}",
    )
)

WITHOUT_POLICY = {"reason": "No policy is loaded, so every call is denied: start the guard with `--policy FILE`."}
BEARER = "Bearer a1b2c3d4e5f6g7h8i9"


def recorded(
    tool: str = "write",
    arguments: dict[str, Any] | None = None,
    mode: ArgumentsMode = "redacted",
    *,
    data: dict[str, Any] | None = None,
    **columns: Any,
) -> RecordedEvent:
    """A decision as the log gives it."""
    values = arguments or {}
    kept = recorded_arguments(values, msgspec.json.encode(values), mode, b"key")
    given: dict[str, Any] = {
        "seq": 1,
        "id": "conn-1",
        "ts": "2026-11-21T12:00:00.000000Z",
        "type": "tool.decided",
        "connection_id": "conn",
        "agent": "claude-code",
        "agent_verified": True,
        "user": "alice@acme.com",
        "server": "files",
        "tool": tool,
        "decision": "allow",
        "decided_by": "policy",
        "rule": "old",
        "policy_hash": "5f",
        "data": msgspec.json.decode(msgspec.json.encode({**kept, **(data or {})})),
    }
    return RecordedEvent(**{**given, **columns})


def outcome(result: Result) -> str:
    if isinstance(result, NotReplayable):
        return result.why
    return f"{result.event.decision} -> {result.now.outcome} by {result.now.rule or result.now.decided_by}"


def replayed(event: RecordedEvent, policy: Policy = POLICY) -> str:
    (result,) = replay([event], policy)
    return outcome(result)


CASES = [
    (recorded(arguments={"path": "/x"}), "allow -> allow by all"),
    (recorded(arguments={"path": "/"}), "allow -> deny by no-root"),
    (recorded(arguments={"path": "/"}, decision="deny"), "deny -> deny by no-root"),
    (recorded("unheard_of"), "allow -> deny by default"),
    (recorded("unheard_of", data={"groups": ["admin"]}), "allow -> allow by admins"),
    (recorded(decision="require_approval", arguments={"path": "/x"}), "require_approval -> allow by all"),
    # what the rules that had a say do not read may be missing
    (recorded(arguments={"path": "/x", "password": "hunter2"}), "allow -> allow by all"),
    (recorded("logout", arguments={"password": "hunter2"}), "allow -> allow by all"),
    (recorded("login", arguments={"pin": 1}), "allow -> deny by no-password"),  # the condition fails: a deny denies
    # what they read may not
    (recorded("login", {"password": "hunter2"}), 'rule "no-password" reads arguments that were not kept: /password'),
    (recorded(arguments={"path": "/x"}, mode="hashed"), 'rule "no-root" reads arguments that were not kept: /path'),
    (
        recorded(arguments={"path": "/x"}, mode="none"),
        'rule "no-root" reads arguments that were not kept: none of them was',
    ),
    (recorded("logout", {"path": "/x"}, "none"), "allow -> allow by all"),
    (
        recorded("fetch", {"headers": ["x", "Bearer a1b2c3d4e5f6g7h8i9"]}),
        'rule "any-header" reads arguments that were not kept: /headers/1',
    ),
    (recorded("fetch", {"headers": ["y"], "cookie": "z"}), "allow -> allow by fetch"),
    # what no policy decided is not decided by another
    (
        recorded(decision="deny", decided_by="guard", rule=None, data={"reason": "The upstream never listed it."}),
        "the guard itself decided it, whatever the policy: The upstream never listed it.",
    ),
    (
        recorded(arguments={"path": "/x"}, decision="deny", decided_by="guard", policy_hash="", data=WITHOUT_POLICY),
        "deny -> allow by all",
    ),
    (recorded("log" + "x" * 300 + "…"), "its tool's name was not recorded as it was"),
    (recorded("log\\x1b"), "its tool's name was not recorded as it was"),
    # what another layer decided stays decided, and what one added is added
    (
        recorded(decision="deny", decided_by="budget", rule="b1", data={"reason": "Used up."}),
        "another layer decided it (budget), whatever the policy: Used up.",
    ),
    (
        recorded(decision="deny", decided_by="grant", rule="g1", data={"reason": "A grant denies."}),
        "another layer decided it (grant), whatever the policy: A grant denies.",
    ),
    (recorded("unheard_of", decided_by="grant", rule="g1"), "allow -> allow by g1"),
    (recorded(arguments={"path": "/"}, decided_by="grant", rule="g1"), "allow -> deny by no-root"),
    (recorded(arguments={"path": "/x"}, decided_by="grant", rule="g1"), "allow -> allow by all"),
    (
        recorded(arguments={"path": "/x"}, decision="require_approval", decided_by="override", rule="o1"),
        "require_approval -> require_approval by o1",
    ),
    (
        recorded(arguments={"path": "/"}, decision="require_approval", decided_by="override", rule="o1"),
        "require_approval -> deny by no-root",
    ),
    # rows that somebody has edited
    (recorded(data={"arguments": "text"}), "its row cannot be read"),
    (recorded(data={"arguments": None}), "its row cannot be read"),
    (recorded(data={"redacted": "text"}), "its row cannot be read"),
    (recorded(data={"redacted": [{"why": "name"}]}), "its row cannot be read"),
]


@pytest.mark.parametrize(("event", "expected"), CASES, ids=range(len(CASES)))
def test_a_call_is_decided_again_as_far_as_it_is_known(event: RecordedEvent, expected: str) -> None:
    assert replayed(event) == expected


def test_a_change_is_another_outcome_and_not_another_rule() -> None:
    results = list(replay([recorded(arguments={"path": path}) for path in ("/x", "/")], POLICY))
    assert [isinstance(one, Replayed) and (one.event.rule, one.now.rule, one.changed) for one in results] == [
        ("old", "all", False),
        ("old", "no-root", True),
    ]


def test_events_that_are_no_decisions_are_passed_over() -> None:
    assert list(replay([recorded(type="tool.completed", decision=None)], POLICY)) == []


def test_a_rule_that_depends_on_no_argument_of_this_call_needs_none() -> None:
    login = recorded("login", {"pin": 1234, "password": "x"}, agent="claude-code")
    only = policy_of(
        rules(
            "{id: cursor, name: c, effect: deny, when: agent.slug == 'cursor' && request.args.pin == 1}",
            "{id: all, name: e, effect: allow}",
        )
    )
    assert replayed(login, only) == "allow -> allow by all"
    assert "/pin" in replayed(recorded("login", {"pin": 1234}, agent="cursor"), only)


def test_a_client_is_given_its_agent_by_the_policy_that_is_asked() -> None:
    policy = policy_of(
        'version: 1\nagents: {helper: {clients: ["claude*"]}}\nrules: [{name: a, effect: allow, agents: [helper]}]\n'
    )
    named = {"client": "claude-code"}
    assert replayed(recorded(data=named, agent_verified=False), policy) == "allow -> allow by a"
    assert replayed(recorded(data=named, agent_verified=True), policy) == "allow -> deny by default"


def test_who_called_is_known_in_full() -> None:
    policy = policy_of(
        rules("{name: a, effect: allow, agents: ['instance:conn'], when: agent.verified && user.verified}")
    )
    assert replayed(recorded(data={"user_verified": True}), policy) == "allow -> allow by a"
    assert replayed(recorded(data={"user_verified": False}), policy) == "allow -> deny by default"
    assert replayed(recorded(data={"user_verified": True, "instance": "x"}), policy) == "allow -> deny by default"


TOOLS = ("write", "login", "logout", "fetch")
VALUES = st.one_of(st.sampled_from(["/", "x", "hunter2", BEARER]), st.integers(0, 2), st.none())
ARGUMENTS = st.fixed_dictionaries({}, optional=dict.fromkeys(("path", "password", "pin", "other"), VALUES))


@given(st.sampled_from(TOOLS), ARGUMENTS, st.sampled_from(["full", "redacted", "hashed", "none"]))
@settings(max_examples=300, deadline=None)
def test_a_call_that_is_replayed_is_decided_as_on_its_true_arguments(
    tool: str, arguments: dict[str, Any], mode: ArgumentsMode
) -> None:
    (result,) = replay([recorded(tool, arguments, mode)], POLICY)
    principal = Principal("claude-code", "alice@acme.com", (), "conn", True)
    true = POLICY.decide(Call(principal, "files", tool, arguments))
    if isinstance(result, Replayed):
        assert result.now == true
    else:
        assert mode != "full"


def test_a_log_is_replayed_under_its_own_policy_without_a_change(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "audit.db"))
    principal = Principal("claude-code", "alice@acme.com", (), "conn", True)
    for number, path in enumerate(["/", "/x", "", "/" * 5000] * 60):
        arguments = {"path": path, "n": number}
        decision = POLICY.decide(Call(principal, "files", "write", arguments))
        data = recorded_arguments(arguments, msgspec.json.encode(arguments), "redacted", b"key")
        event = Event(
            id=f"conn-{number}",
            ts=number,
            type="tool.decided",
            connection_id="conn",
            agent="claude-code",
            agent_verified=True,
            user="alice@acme.com",
            server="files",
            tool="write",
            decision=decision.outcome,
            decided_by=decision.decided_by,
            rule=decision.rule,
            data=data,
        )
        store.record([event])
    store.close()
    results = list(replay(read_events(str(tmp_path / "audit.db"), Filters()), POLICY))
    assert len(results) == 240
    assert [one for one in results if not isinstance(one, Replayed) or one.changed] == []


UNLISTED = "The upstream never listed a tool of this name."
UNVERIFIED = "Only agents with a credential may call tools here, and this one only says who it is."
SETTINGS = [
    # of the policy that is asked; what was recorded; what comes out
    (
        "unlisted_tools: policy",
        {"decided_by": "guard", "decision": "deny", "data": {"reason": UNLISTED}},
        "deny -> allow by a",
    ),
    (
        "unlisted_tools: deny",
        {"decided_by": "guard", "decision": "deny", "data": {"reason": UNLISTED}},
        "the guard itself",
    ),
    ("unlisted_tools: deny", {"data": {"unlisted": True}}, "allow -> deny by guard"),
    ("unlisted_tools: policy", {"data": {"unlisted": True}}, "allow -> allow by a"),
    ("require_verified: true", {"agent_verified": False}, "allow -> deny by guard"),
    ("require_verified: true", {"agent_verified": True}, "allow -> allow by a"),
    (
        "unlisted_tools: deny",
        {"decided_by": "guard", "decision": "deny", "data": {"reason": UNVERIFIED}},
        "deny -> allow by a",
    ),
    ("require_grant: true", {}, "whether a grant allows it was not recorded, and this policy requires one"),
    ("require_grant: true", {"decided_by": "grant", "rule": "g"}, "allow -> allow by a"),
]


@pytest.mark.parametrize(("setting", "columns", "expected"), SETTINGS)
def test_the_settings_of_the_policy_that_is_asked_count(setting: str, columns: dict[str, Any], expected: str) -> None:
    policy = policy_of(f"version: 1\nsettings: {{{setting}}}\nrules: [{{name: a, effect: allow}}]\n")
    assert replayed(recorded(**columns), policy).startswith(expected)


BY_AGENT = policy_of(
    'version: 1\nagents: {claude: {clients: ["Claude*"]}}\nrules: [{name: a, effect: allow, agents: [claude]}]\n'
)
IDENTITIES = [
    ({"data": {"client": "Claude"}}, BY_AGENT, "allow -> allow by a"),
    ({"data": {"client": "Claude\\x1b"}}, BY_AGENT, "the name that its client gave itself was not recorded as it was"),
    ({"data": {"client": "Claude\\x1b"}}, POLICY, "allow -> allow by all"),
    ({"data": {}}, BY_AGENT, "the name that its client gave itself was not recorded"),
    ({"agent": None}, BY_AGENT, "its row does not say which agent called"),
    ({"agent": None}, policy_of(rules("{name: a, effect: allow}")), "allow -> allow by a"),
]


@pytest.mark.parametrize(("columns", "policy", "expected"), IDENTITIES)
def test_who_called_must_be_known_where_a_rule_asks(columns: dict[str, Any], policy: Policy, expected: str) -> None:
    event = recorded(arguments={"path": "/x"}, **{"agent_verified": False, **columns})
    if policy is POLICY:
        policy = policy_of(rules("{id: all, name: e, effect: allow, tools: [write]}"))
    assert replayed(event, policy) == expected


HOLES = [
    # a condition that is settled without what was not kept
    ("request.args.password == 'x' || request.args.n == 1", {"n": 1, "password": "hunter2"}, "deny by r"),
    ("request.args.password == 'x' && request.args.n == 1", {"n": 2, "password": "hunter2"}, "allow by all"),
    ("has(request.args.password)", {"password": "hunter2"}, "deny by r"),
    ("size(request.args) > 1", {"password": "hunter2"}, "allow by all"),
    ("request.args.all(name, name != 'n')", {"password": "hunter2"}, "deny by r"),
    ("request.args == {'n': 1}", {"n": 1, "password": "hunter2"}, "allow by all"),
    # and one that is not; what is said to be read is what is read
    (
        "has(request.args.pin) && request.args.pin == 1",
        {"other_secret": "x", "pin": 7},
        'rule "r" reads arguments that were not kept: /pin',
    ),
    ("request.args.password == 'x'", {"password": "hunter2"}, 'rule "r" reads arguments that were not kept: /password'),
    ("request.args == {'password': 'x'}", {"password": "hunter2"}, 'rule "r" reads'),
    ("request.args.exists(name, request.args[name] == 'x')", {"password": "hunter2"}, 'rule "r" reads'),
    ("'x' in request.args.list", {"list": ["x", BEARER]}, 'rule "r" reads arguments that were not kept: /list/1'),
    (
        "request.args.list.x == 1",  # of a list with a hole nothing is known, not even what it lacks
        {"list": [{"password": "hunter2"}]},
        'rule "r" reads arguments that were not kept: /list/0/password',
    ),
    ("has(request.args.other)", {"ghp_a1b2c3d4e5f6g7h8i9j0": 1}, 'rule "r" reads'),
]


@pytest.mark.parametrize(("condition", "arguments", "expected"), HOLES)
def test_what_was_not_kept_counts_only_where_it_matters(
    condition: str, arguments: dict[str, Any], expected: str
) -> None:
    policy = policy_of(rules(f'{{id: r, effect: deny, when: "{condition}"}}', "{id: all, effect: allow}"))
    assert replayed(recorded(arguments=arguments), policy).removeprefix("allow -> ").startswith(expected)


def test_a_rule_that_cannot_be_judged_does_not_matter_where_all_that_follows_comes_to_the_same() -> None:
    policy = policy_of(
        rules(
            "{id: a, effect: allow, when: request.args.password == 'x'}",
            "{id: b, effect: allow, when: request.args.n == 1}",
            "{id: c, effect: deny}",
        )
    )
    assert replayed(recorded(arguments={"password": "hunter2", "n": 1}), policy) == "allow -> allow by policy"
    assert "/password" in replayed(recorded(arguments={"password": "hunter2", "n": 2}), policy)


def test_what_the_registry_said_of_the_agent_is_as_the_row_has_it() -> None:
    policy = policy_of(
        rules(
            "{id: risky, effect: deny, when: agent.risk == 'high'}",
            "{id: trusted, effect: allow, agents: 'tag:trusted'}",
            "{id: odd, effect: require_approval, when: agent.status != 'active'}",
        )
    )
    for registry, expected in (
        ({"tags": ["trusted"], "risk": "low"}, "allow by trusted"),
        ({"risk": "high"}, "deny by risky"),
        ({"status": "quarantined"}, "require_approval by odd"),
        (None, "deny by default"),
        ("edited", "deny by default"),
    ):
        assert replayed(recorded(data={"registry": registry}), policy) == f"allow -> {expected}"


def test_two_policies_are_compared_on_the_same_calls() -> None:
    open_to_all = policy_of(rules("{id: open, effect: allow}"))
    calls = [recorded(arguments={"path": path}, decision="require_approval") for path in ("/", "/x")]
    assert [
        (one.was, one.rule_was, one.now.outcome, one.now.rule, one.changed)
        for one in replay(calls, POLICY, open_to_all)
    ] == [
        ("allow", "open", "deny", "no-root", True),
        ("allow", "open", "allow", "all", False),
    ]
    secret = recorded("login", {"password": "hunter2"})
    (lost,) = replay([secret], open_to_all, POLICY)
    assert outcome(lost).startswith('under the policy compared with, rule "no-password" reads')


def test_what_follows_something_large_that_was_not_kept_may_have_lacked_budget() -> None:
    policy = policy_of(
        rules(
            "{id: a, effect: allow, when: 'request.args.text.contains(\"x\")'}",
            "{id: b, effect: deny, when: request.args.n == 2}",
            "{id: c, effect: allow}",
        )
    )
    assert replayed(recorded(arguments={"n": 1, "text": "Bearer a1b2c3d4e5f6g7h8i9"}), policy).startswith(
        "allow -> allow"
    )
    large = recorded(arguments={"n": 1, "text": "y" * 300_000})
    assert replayed(large, policy) == 'rule "a" reads arguments that were not kept: /text'


UNSETTLED = [
    "request.args.map(n, request.args[n]).join(',') == 'x'",
    "request.args.exists(k, v, v == 'x')",
    "request.args.password.startsWith('x')",
    "request.args.password + 'x' == 'yx'",
    "request.args.filter(n, request.args[n] == 'x').size() == 1",
    "'x' in request.args.map(n, request.args[n])",
    "[request.args].map(a, a.password)[0] == 'x'",
    "request.args.transformMap(k, v, v) == {'password': 'x'}",
    "cel.bind(v, request.args.password, v.matches('x'))",
    "request.args.password.inner == 'x'",
    "int(request.args.password) > 1",
    "request.args.?password.orValue('') == 'x'",
]


@pytest.mark.parametrize("condition", UNSETTLED)
@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_no_condition_is_settled_by_the_mark_of_a_value_that_was_not_kept(condition: str, effect: str) -> None:
    other = "deny" if effect == "allow" else "allow"
    policy = policy_of(rules(f'{{id: r, effect: {effect}, when: "{condition}"}}', f"{{id: all, effect: {other}}}"))
    assert "were not kept: /password" in replayed(recorded(arguments={"password": "hunter2"}), policy)


READERS = {
    "nobody": rules("{id: all, effect: allow}"),
    "one": rules("{id: no-hr, effect: deny, when: request.args.issue.project == 'HR'}", "{id: all, effect: allow}"),
    "a draft": rules(
        "{id: no-hr, effect: deny, status: draft, when: request.args.issue.project == 'HR'}", "{id: all, effect: allow}"
    ),
}
GUARDED: dict[str, Any] = {
    "decision": "deny",
    "decided_by": "guard",
    "rule": None,
    "data": {"reason": NEAR_MEMBERS.reason},
}
TWICE = {"issue": {"project": "ENG", "Project": "HR"}}
ONCE = {"issue": {"project": "ENG"}}
NEARLY = [
    ("one", recorded(arguments=TWICE), "allow -> deny by guard"),
    ("one", recorded(arguments=ONCE), "allow -> allow by all"),
    ("nobody", recorded(arguments=TWICE), "allow -> allow by all"),
    # what the guard denied for what one policy reads, another need not deny
    ("one", recorded(arguments=TWICE, **GUARDED), "deny -> deny by guard"),
    ("nobody", recorded(arguments=TWICE, **GUARDED), "deny -> allow by all"),
    ("a draft", recorded(arguments=TWICE, **GUARDED), "deny -> allow by all"),
    # names are kept where values are not
    ("one", recorded(arguments={**TWICE, "password": "x"}), "allow -> deny by guard"),
    ("one", recorded(arguments={**ONCE, "password": "x"}), "allow -> allow by all"),
    ("one", recorded(arguments=TWICE, mode="hashed"), "allow -> deny by guard"),
    ("nobody", recorded(arguments=TWICE, mode="none"), "allow -> allow by all"),
    ("one", recorded(arguments=TWICE, mode="none"), "not kept"),
    ("one", recorded(arguments={"issue": {"project": "ENG", f"ghp_{'a1B2' * 9}": 1}}), "not kept"),
]


@pytest.mark.parametrize(("policy", "event", "said"), NEARLY)
def test_a_member_that_nearly_is_one_that_the_policy_reads_is_denied_again(
    policy: str, event: RecordedEvent, said: str
) -> None:
    assert said in replayed(event, policy_of(READERS[policy]))

"""Where other layers than the policy had a say (the registry's, a person), a replay under the same policy still says
what the gate did.
"""

import tempfile
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from mcp_guard.events import Event, Judged
from mcp_guard.governance import NoRegistry, Ruling, Snapshot
from mcp_guard.governance.snapshot import Budget, EvalGate, Grant, Override
from mcp_guard.insight.replay import NotReplayable, replay
from mcp_guard.store import Store
from mcp_guard.store.reader import Filters, RecordedEvent, read_events
from tests.insight.recordings import NOON, Recording, policy_of

TOOLS = ("get_a", "get_b", "put_a")


class Registered(NoRegistry):
    """A registry that says the same of every agent, and a person who answers at once, by turns."""

    def __init__(self, facts: dict[str, Any], answers: Sequence[bool]) -> None:
        self._facts, self._answers = facts, answers
        self._rulings: dict[str, Ruling] = {}

    def snapshot(self, agent: str, credential: object) -> Snapshot:
        return Snapshot(agent, 1, NOON, **self._facts)

    def ruling(self, approval: str) -> Ruling | None:
        return self._rulings.get(approval)

    def decide(self, approval: str) -> None:
        approved = self._answers[len(self._rulings) % len(self._answers)]
        self._rulings[approval] = Ruling(approved, "once", "ann")


PATTERNS = st.sampled_from(["get_a", "get_*", "*", "github:*", "put_a"])
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "grants": st.lists(
            st.builds(Grant, st.just("g1"), PATTERNS, st.sampled_from(["allow", "allow", "deny", "approve"])),
            max_size=3,
        ).map(tuple),
        "overrides": st.lists(
            st.builds(Override, st.just("o1"), PATTERNS, st.sampled_from(["deny", *["require_approval"] * 4])),
            max_size=2,
        ).map(tuple),
        "tags": st.sampled_from([(), ("a",), ("b", "a")]),
        "risk": st.sampled_from(["low", "medium", "high"]),
    },
)
RARELY = st.sampled_from(
    [
        *[{}] * 8,
        {"status": "quarantined"},
        {"budgets": (Budget("b1", "day", "calls", 1, 1, NOON * 2),)},
        {"eval_gate": EvalGate(0.9, 0.1)},
        {"overrides": (Override("s1", "*", "deny", brake=True, for_all=True),)},
    ]
)
SETTINGS = st.fixed_dictionaries(
    {"approvals": st.just("store")},
    optional={
        "require_grant": st.booleans(),
        "require_verified": st.booleans(),
        "unlisted_tools": st.sampled_from(["deny", "policy"]),
    },
)
ARGUMENTS = st.fixed_dictionaries(
    {}, optional={"x": st.sampled_from([1, 2, "1"]), "y": st.sampled_from(["abc", "b"]), "X": st.just(1)}
)
CALLS = st.lists(st.tuples(st.sampled_from([*TOOLS, "unlisted"]), ARGUMENTS), min_size=1, max_size=8)


RULES = st.lists(
    st.fixed_dictionaries(
        {"effect": st.sampled_from(["allow", "deny", "require_approval"])},
        optional={
            "tools": st.sampled_from(["get_*", "get_a", "put_a", ["get_b", "unlisted"]]),
            "agents": st.sampled_from(["claude-code", "tag:a"]),
            "when": st.sampled_from(["request.args.x == 1", "has(request.args.y)", "agent.risk == 'high'"]),
        },
    ),
    max_size=4,
)
POLICIES = st.builds(
    lambda rules, settings: msgspec.json.encode(
        {
            "version": 1,
            "rules": [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)],
            "settings": settings,
        }
    ).decode(),
    RULES,
    SETTINGS,
)


def recorded(directory: str, talk: Recording) -> list[RecordedEvent]:
    """The decisions as the log has them."""
    path = f"{directory}/audit.db"
    store = Store.open(path)
    for event in talk.events:
        store.record([_unconditional(event)])
    store.close()
    return list(read_events(path, Filters(types=("tool.decided",))))


def _unconditional(event: Event) -> Event:
    return structs.replace(event, registry=None, charged=False) if isinstance(event, Judged) else event


RUNS = settings(
    max_examples=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def policy(*effects: str, **settings: object) -> str:
    """The text of a policy with a rule for any call of each effect."""
    rules = [{"id": f"r{number}", "effect": effect, "tools": "*"} for number, effect in enumerate(effects)]
    return msgspec.json.encode({"version": 1, "rules": rules, "settings": {"approvals": "store", **settings}}).decode()


GIVEN = (Grant("g1", "*", "allow"),)
ASKED = (Override("o1", "*", "require_approval"),)
CALL = [("get_a", {})]


@RUNS
@example(policy(), CALL, {"grants": GIVEN, "overrides": ASKED}, {}, [True], "enforce", None)
@example(policy("allow"), CALL, {"overrides": ASKED}, {}, [False], "enforce", None)
@example(policy("require_approval"), CALL, {}, {}, [False], "enforce", None)
@example(policy(), CALL, {"grants": GIVEN, "overrides": ASKED}, {}, [True], "observe", None)
@given(
    POLICIES,
    CALLS,
    FACTS,
    RARELY,
    st.lists(st.booleans(), min_size=1, max_size=3),
    st.sampled_from(["enforce", "observe"]),
    st.sampled_from([None, "claude-code", "cursor"]),
)
def test_a_replay_under_the_same_policy_changes_nothing(
    text: str, calls: Any, facts: Any, rarely: Any, answers: Any, mode: str, agent: str | None
) -> None:
    registry = Registered({**facts, **rarely}, answers)
    talk = Recording(text, TOOLS, server="github", registry=registry, mode=mode, agent=agent)
    for name, arguments in calls:
        talk.call(name, **arguments)
    with tempfile.TemporaryDirectory() as directory:
        for result in replay(recorded(directory, talk), policy_of(text)):
            if isinstance(result, NotReplayable):
                assert "decided it" in result.why or "a grant allows it" in result.why
            else:
                assert not result.changed, (result.event.decided_by, result.event.decision, result.now)


VERIFIED_ONLY = policy("allow", require_verified=True)
ALL_TOOLS = policy("allow", unlisted_tools="policy")


@RUNS
@example(VERIFIED_ONLY, policy("allow"), CALL, {}, {"status": "quarantined"}, "enforce", None, "full")
@example(policy("allow"), ALL_TOOLS, [("unlisted", {"x": 1, "X": 1})], {}, {}, "enforce", None, "hashed")
@example(policy("allow"), ALL_TOOLS, [("unlisted", {"x": 1, "X": 1})], {}, {}, "enforce", None, "none")
@given(
    POLICIES,
    POLICIES,
    CALLS,
    FACTS.map(lambda facts: {name: facts[name] for name in ("tags", "risk") if name in facts}),
    RARELY,
    st.sampled_from(["enforce", "observe"]),
    st.sampled_from([None, "claude-code"]),
    st.sampled_from(["full", "redacted", "hashed", "none"]),
)
def test_a_replay_under_another_policy_says_what_the_gate_would_have_done(
    old: str, new: str, calls: Any, facts: Any, rarely: Any, mode: str, agent: str | None, kept: Any
) -> None:
    def talked(text: str) -> Recording:
        registry = Registered({**facts, **rarely}, [True])
        talk = Recording(text, TOOLS, server="github", registry=registry, mode=mode, agent=agent, audit_arguments=kept)
        for name, arguments in calls:
            talk.call(name, **arguments)
        return talk

    then, again = talked(old), talked(new)
    gates = [event for event in again.events if event.type == "tool.decided"]
    with tempfile.TemporaryDirectory() as directory:
        for result, gate in zip(replay(recorded(directory, then), policy_of(new)), gates, strict=True):
            unasked = ("budget", "eval_gate", "override") if result.event.decided_by == "guard" else ()
            if isinstance(result, NotReplayable) or gate.decided_by in ("approval", *unasked):
                continue  # what is not known is said; and who was not asked then has not answered
            assert (result.now.outcome, result.now.decided_by) == (gate.decision, gate.decided_by)

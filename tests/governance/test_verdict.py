"""Who has the last word: every layer of a verdict against every other that would say something else.

quarantine → budget → eval gate → override → grant DENY → policy → grant ALLOW → default
"""

from itertools import combinations

import msgspec
import pytest

from mcp_guard.governance import Snapshot, preview, verdict
from mcp_guard.governance.snapshot import Budget, EvalGate, Grant, Override, ToolPattern
from mcp_guard.policy import Call, Principal
from tests.policy.making import policy_of

NOW = 1_790_000_000_000_000
LATER, EARLIER = NOW + 1, NOW

ALLOWS = "version: 1\nrules: [{name: all, effect: allow}]"
DENIES = "version: 1\nrules: [{name: none, effect: deny}]"
ASKS = "version: 1\nrules: [{name: ask, effect: require_approval}]"
SILENT = "version: 1\nrules: [{name: other, effect: allow, tools: other}]"
SETTLED = "version: 1\nrules: [{name: small, effect: allow, when: request.args.n < 3}]"

SPENT = Budget("b1", "hour", "calls", limit=3, spent=3, resets=NOW + 3_600_000_000)
GRANTED = Grant("g1", "create_*", "allow", reason="asked for")
FORBIDDEN = Grant("g2", "github:create_*", "deny", expires=LATER)
APPROVED = Grant("g3", "github:create_issue", "approve", expires=LATER)
STOPPED = Override("o1", "create_*", "deny", expires=LATER, reason="incident 7")
TO_APPROVE = Override("o2", "*", "require_approval")
BRAKE = Override("o3", "*", "deny", reason="stop", brake=True)

CALL = Call(Principal("cursor", "alice"), "github", "create_issue", {"n": 1})


def snapshot(**facts: object) -> Snapshot:
    return Snapshot("cursor", 1, NOW, **facts)  # pyright: ignore[reportArgumentType]


# Each layer when it denies, in the order of their precedence, with what must stand in the row.
LAYERS: dict[str, tuple[dict[str, object], str | None]] = {
    "quarantine": ({"status": "quarantined"}, "cursor"),
    "budget": ({"budgets": (SPENT,)}, "b1"),
    "eval_gate": ({"eval_gate": EvalGate(0.9, 0.8, "smoke")}, "cursor"),
    "override": ({"overrides": (STOPPED,)}, "o1"),
    "grant": ({"grants": (FORBIDDEN,)}, "g2"),
}


@pytest.mark.parametrize("policy", [ALLOWS, DENIES, SILENT], ids=["allows", "denies", "silent"])
@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_that_denies_outranks_the_policy_and_names_what_decided(layer: str, policy: str) -> None:
    facts, deciding = LAYERS[layer]
    found = verdict(policy_of(policy), CALL, snapshot(**facts), NOW)
    assert (found.outcome, found.decided_by, found.rule) == ("deny", layer, deciding)


@pytest.mark.parametrize(("first", "second"), list(combinations(LAYERS, 2)))
def test_of_two_layers_that_deny_the_earlier_decides(first: str, second: str) -> None:
    facts = {**LAYERS[first][0], **LAYERS[second][0]}
    assert verdict(policy_of(ALLOWS), CALL, snapshot(**facts), NOW).decided_by == first


@pytest.mark.parametrize("layer", LAYERS)
def test_no_layer_that_denies_is_overcome_by_a_grant(layer: str) -> None:
    facts = dict(LAYERS[layer][0])
    grants = (GRANTED, APPROVED, *facts.pop("grants", ()))  # pyright: ignore
    assert verdict(policy_of(ALLOWS), CALL, snapshot(**facts, grants=grants), NOW).decided_by == layer


@pytest.mark.parametrize(
    ("policy", "facts", "outcome", "decided_by", "deciding"),
    [
        pytest.param(ALLOWS, {}, "allow", "policy", "all", id="nothing is registered: the policy alone"),
        pytest.param(SILENT, {}, "deny", "default", None, id="nor does any rule speak of it: the default"),
        pytest.param(SILENT, {"grants": (GRANTED,)}, "allow", "grant", "g1", id="a grant stands before the default"),
        pytest.param(DENIES, {"grants": (GRANTED,)}, "deny", "policy", "none", id="and never outranks a deny rule"),
        pytest.param(ASKS, {"grants": (GRANTED,)}, "require_approval", "policy", "ask", id="nor a rule that asks"),
        pytest.param(ALLOWS, {"grants": (GRANTED,)}, "allow", "policy", "all", id="what a rule allows needs no grant"),
        pytest.param(ASKS, {"grants": (APPROVED,)}, "allow", "approval", "g3", id="an approval ahead answers a rule"),
        pytest.param(
            ALLOWS,
            {"grants": (APPROVED,), "overrides": (TO_APPROVE,)},
            "allow",
            "approval",
            "g3",
            id="and an override that asks",
        ),
        pytest.param(DENIES, {"grants": (APPROVED,)}, "deny", "policy", "none", id="but no rule that denies"),
        pytest.param(SILENT, {"grants": (APPROVED,)}, "deny", "default", None, id="and allows nothing by itself"),
        pytest.param(ALLOWS, {"grants": (APPROVED,)}, "allow", "policy", "all", id="nor does it where nobody asks"),
        pytest.param(
            ASKS,
            {"grants": (msgspec.structs.replace(APPROVED, expires=EARLIER),)},
            "require_approval",
            "policy",
            "ask",
            id="an approval ahead that has expired",
        ),
        pytest.param(
            ALLOWS, {"overrides": (TO_APPROVE,)}, "require_approval", "override", "o2", id="an override may ask"
        ),
        pytest.param(
            DENIES, {"overrides": (TO_APPROVE,)}, "deny", "policy", "none", id="but asks for nothing that is denied"
        ),
        pytest.param(
            SILENT,
            {"overrides": (TO_APPROVE,), "grants": (GRANTED,)},
            "require_approval",
            "override",
            "o2",
            id="also where a grant allows it",
        ),
        pytest.param(
            ALLOWS, {"overrides": (TO_APPROVE, STOPPED)}, "deny", "override", "o1", id="of overrides, deny wins"
        ),
        pytest.param(ALLOWS, {"grants": (GRANTED, FORBIDDEN)}, "deny", "grant", "g2", id="of grants, deny wins"),
        pytest.param(ALLOWS, {"status": "deleted"}, "deny", "quarantine", "cursor", id="a deleted agent calls nothing"),
        pytest.param(ALLOWS, {"overrides": (BRAKE,)}, "deny", "override", "o3", id="the brake stops everything"),
        pytest.param(
            ALLOWS, {"eval_gate": EvalGate(0.9)}, "allow", "policy", "all", id="never evaluated is not too poor"
        ),
        pytest.param(ALLOWS, {"eval_gate": EvalGate(0.9, 0.9)}, "allow", "policy", "all", id="just good enough"),
    ],
)
def test_what_the_layers_come_to(
    policy: str, facts: dict[str, object], outcome: str, decided_by: str, deciding: str | None
) -> None:
    found = verdict(policy_of(policy), CALL, snapshot(**facts), NOW)
    assert (found.outcome, found.decided_by, found.rule) == (outcome, decided_by, deciding)


@pytest.mark.parametrize(
    "facts",
    [
        {"grants": (msgspec.structs.replace(FORBIDDEN, expires=EARLIER),)},
        {"overrides": (msgspec.structs.replace(STOPPED, expires=EARLIER),)},
        {"budgets": (msgspec.structs.replace(SPENT, resets=EARLIER),)},
        {"budgets": (msgspec.structs.replace(SPENT, spent=2),)},
        {"grants": (msgspec.structs.replace(FORBIDDEN, pattern="gitlab:create_*"),)},
        {"overrides": (msgspec.structs.replace(STOPPED, pattern="delete_*"),)},
    ],
    ids=["expired grant", "expired override", "a new hour", "not spent yet", "another server", "another tool"],
)
def test_what_is_not_in_force_decides_nothing(facts: dict[str, object]) -> None:
    assert verdict(policy_of(ALLOWS), CALL, snapshot(**facts), NOW).decided_by == "policy"


def test_a_policy_may_ask_for_a_credential_before_anything_else() -> None:
    policy = policy_of(ALLOWS + "\nsettings: {require_verified: true}")
    assert verdict(policy, CALL, snapshot(), NOW).decided_by == "guard"
    known = msgspec.structs.replace(CALL, principal=Principal("cursor", "alice", verified=True))
    assert verdict(policy, known, snapshot(), NOW).outcome == "allow"


def test_a_policy_may_ask_for_a_grant_of_every_tool() -> None:
    policy = policy_of(ALLOWS + "\nsettings: {require_grant: true}")
    assert verdict(policy, CALL, snapshot(), NOW).decided_by == "grant"
    found = verdict(policy, CALL, snapshot(grants=(GRANTED,)), NOW)
    assert (found.outcome, found.decided_by) == ("allow", "policy")
    prompt = Call(CALL.principal, "github", "review", kind="prompt")
    assert verdict(policy, prompt, snapshot(), NOW).outcome == "allow"


def test_the_brake_and_quarantine_stop_prompts_and_resources_too_and_overrides_of_tools_do_not() -> None:
    prompt = Call(CALL.principal, "github", "create_text", kind="prompt")
    assert verdict(policy_of(ALLOWS), prompt, snapshot(overrides=(BRAKE,)), NOW).outcome == "deny"
    assert verdict(policy_of(ALLOWS), prompt, snapshot(status="quarantined"), NOW).outcome == "deny"
    assert verdict(policy_of(ALLOWS), prompt, snapshot(overrides=(STOPPED,)), NOW).outcome == "allow"


@pytest.mark.parametrize(
    ("policy", "facts", "level"),
    [
        (ALLOWS, {}, "allowed"),
        (ALLOWS, {"status": "quarantined"}, "denied"),
        (ALLOWS, {"overrides": (BRAKE,)}, "denied"),
        (ALLOWS, {"overrides": (STOPPED,)}, "denied"),
        (ALLOWS, {"overrides": (TO_APPROVE,)}, "conditional"),
        (ALLOWS, {"grants": (FORBIDDEN,)}, "denied"),
        (SILENT, {"grants": (GRANTED,)}, "conditional"),
        (DENIES, {"grants": (GRANTED,)}, "denied"),
        (SETTLED, {"grants": (GRANTED,)}, "conditional"),
        (ALLOWS + "\nsettings: {require_grant: true}", {}, "denied"),
        (ALLOWS + "\nsettings: {require_verified: true}", {}, "denied"),
        (ALLOWS, {"budgets": (SPENT,)}, "allowed"),
    ],
)
def test_discovery_shows_what_some_call_could_come_to(policy: str, facts: dict[str, object], level: str) -> None:
    loaded = policy_of(policy)
    shown = loaded.preview(CALL.principal, "github", "create_issue")
    assert preview(loaded, shown, CALL, snapshot(**facts), NOW).level == level


@pytest.mark.parametrize("policy", [ALLOWS, DENIES, ASKS, SILENT, SETTLED])
@pytest.mark.parametrize("count", range(4))
def test_a_tool_that_is_hidden_is_never_let_through(policy: str, count: int) -> None:
    parts = [{"grants": (GRANTED,)}, {"overrides": (TO_APPROVE,)}, {"status": "quarantined"}, {"overrides": (STOPPED,)}]
    loaded = policy_of(policy)
    for chosen in combinations(parts, count):
        facts = {name: value for part in chosen for name, value in part.items()}
        shown = preview(loaded, loaded.preview(CALL.principal, "github", "create_issue"), CALL, snapshot(**facts), NOW)
        for n in (1, 5, "x"):
            found = verdict(loaded, msgspec.structs.replace(CALL, arguments={"n": n}), snapshot(**facts), NOW)
            assert shown.level != "denied" or found.outcome == "deny"


def test_a_pattern_is_read_once_however_often_an_agent_is_looked_up() -> None:
    assert ToolPattern.of("github:create_*") is ToolPattern.of("github:" + "create_*")
    assert ToolPattern.of("github:create_*") != ToolPattern.of("gitlab:create_*")


def test_what_is_remembered_of_tools_is_bounded_as_their_names_come_from_others() -> None:
    known = snapshot(overrides=(STOPPED,))
    for number in range(10_000):
        known.about("github", f"create_{number}")
        assert len(known._known) <= 4096
    before = len(known._known)
    assert known.about("github", "create_" + "x" * 1_000_000).stopped == (STOPPED,)
    assert len(known._known) == before

"""The verdict on one call: every layer in its order, the policy among them.

quarantine → budget → eval gate → override → grant DENY → policy → grant ALLOW → default

The first layer that has something to say decides. Two of them only ever take away from what the policy lets through:
an override that asks for a person's approval, and the default. A standing approval, which a person gave ahead, stands
last: it satisfies whatever asks for one, and never a deny. An ALLOW grant stands just before the default: it lets
through what no rule speaks of, and never what a rule denies.

Who observes records what would be denied and lets it through, all but what somebody has ordered: a quarantine, the
brake, and a credential that is worth nothing any more.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from mcp_guard.governance.snapshot import NOTHING_APPLIES, Applicable, Grant, Override, Snapshot
from mcp_guard.policy import Call, Decision, Policy
from mcp_guard.policy.values import DecidedBy, Principal, Visibility

QUARANTINED = "This agent is quarantined: every call of it is denied until a person restores it."
DELETED = "This agent was deleted from the registry: every call of it is denied until a person creates it again."
STOPPED = "{} is stopped{}. A person lets it go on with `mcp-guard resume {}`."
BUDGET = "The {} budget of this agent is used up: {}. It is free again in {}."
EVALS = "This agent passed {:.0%} of its latest evaluation{}, and {:.0%} is the least that it needs."
OVERRIDE = "An override denies this tool for now{}."
TO_APPROVE = "An override lets this tool be called only with a person's approval{}."
GRANT_DENIES = "A grant denies this tool to this agent{}."
GRANT_ALLOWS = "A grant allows this tool to this agent{}."
APPROVED_AHEAD = "A person has approved calls of this tool ahead{}."
GRANT_NEEDED = "This agent may only call tools that were granted to it, and this one was not."
BARRED = "Every call of this client is denied: {}."
UNVERIFIED = "Only agents with a credential may call tools here, and this one only says who it is."


def verdict(
    policy: Policy,
    call: Call,
    snapshot: Snapshot,
    now: int,
    decide: Callable[[Call], Decision] | None = None,
) -> Decision:
    """The decision on one call at `now` (microseconds since the epoch). `decide` is asked in the place of
    `policy.decide`, where what is asked for is no plain call.
    """
    settings = policy.settings
    decide = decide or policy.decide
    if unproven(policy, call.principal):
        return _denied("guard", None, UNVERIFIED)
    if snapshot.plain and not settings.require_grant:
        return decide(call)
    if snapshot.barred is not None:
        return _barred(snapshot.barred)
    applicable = snapshot.about(call.server, call.name) if call.kind == "tool" else NOTHING_APPLIES
    if applicable is NOTHING_APPLIES and snapshot.untroubled and not settings.require_grant:
        return decide(call)
    return (
        quarantine(snapshot)
        or (budget(snapshot, now) if call.kind == "tool" else None)
        or eval_gate(snapshot)
        or override(snapshot, applicable, now)
        or grant_deny(applicable, now, needed=settings.require_grant and call.kind == "tool")
        or approved_ahead(_with_approval(decide(call), applicable, now), applicable, now)
    )


def unproven(policy: Policy, principal: Principal) -> bool:
    """Whether the policy hears only agents that have proven who they are, and this one merely says so."""
    return policy.settings.require_verified and not principal.verified


def ordered(snapshot: Snapshot, now: int) -> Decision | None:
    """What somebody has ordered of all that an agent does. Whoever observes asks for this first: another layer's
    denial, which is only recorded there, must not stand before it.
    """
    if snapshot.barred is not None:
        return _barred(snapshot.barred)
    return quarantine(snapshot) or brake(snapshot, now)


def quarantine(snapshot: Snapshot) -> Decision | None:
    """An agent that is not active calls nothing."""
    if snapshot.status == "active":
        return None
    return _ordered("quarantine", snapshot.agent, QUARANTINED if snapshot.status == "quarantined" else DELETED)


def budget(snapshot: Snapshot, now: int) -> Decision | None:
    """An agent that has spent what it may waits for the next window."""
    for one in snapshot.budgets:
        if now < one.resets and one.spent >= one.limit:
            spent = f"${one.spent:.2f} of ${one.limit:.2f}" if one.unit == "usd" else f"{one.limit:.0f} calls"
            return _denied("budget", one.id, BUDGET.format(_WINDOWS[one.window], spent, _duration(one.resets - now)))
    return None


_WINDOWS = {"minute": "minute's", "hour": "hourly", "day": "daily", "month": "monthly"}


def eval_gate(snapshot: Snapshot) -> Decision | None:
    """An agent whose latest evaluation was too poor calls nothing; one that was never evaluated passes."""
    gate = snapshot.eval_gate
    if gate is None or gate.latest is None or gate.latest >= gate.minimum:
        return None
    suite = f" ({gate.suite})" if gate.suite else ""
    return _denied("eval_gate", snapshot.agent, EVALS.format(gate.latest, suite, gate.minimum))


def override(snapshot: Snapshot, applicable: Applicable, now: int) -> Decision | None:
    """What an override denies is denied; the brake denies all."""
    found = _in_force(applicable.stopped, now)
    return brake(snapshot, now) or (
        None if found is None else _denied("override", found.id, OVERRIDE.format(_because(found)))
    )


def brake(snapshot: Snapshot, now: int) -> Decision | None:
    """What the emergency brake denies: everything."""
    found = _in_force(snapshot.brake, now)
    if found is None:
        return None
    whom, option = ("Everything", "--all") if found.for_all else ("This agent", f"--agent {snapshot.agent}")
    return _ordered("override", found.id, STOPPED.format(whom, _because(found), option))


def _barred(why: str) -> Decision:
    return _ordered("guard", None, BARRED.format(why))


def grant_deny(applicable: Applicable, now: int, *, needed: bool) -> Decision | None:
    """What a grant denies is denied; and where a grant is `needed`, so is what none allows."""
    found = _in_force(applicable.denied, now)
    if found is not None:
        return _denied("grant", found.id, GRANT_DENIES.format(_because(found)))
    if needed and _in_force(applicable.allowed, now) is None:
        return _denied("grant", None, GRANT_NEEDED)
    return None


def grant_allow(decision: Decision, applicable: Applicable, now: int) -> Decision:
    """What no rule speaks of is allowed where a grant says so."""
    found = _in_force(applicable.allowed, now) if decision.decided_by == "default" else None
    if found is None:
        return decision
    return Decision("allow", "grant", found.id, GRANT_ALLOWS.format(_because(found)))


def _with_approval(decision: Decision, applicable: Applicable, now: int) -> Decision:
    """What policy and grants allow, with a person's approval where an override asks for it."""
    decision = grant_allow(decision, applicable, now)
    found = _in_force(applicable.to_approve, now) if decision.outcome == "allow" else None
    if found is None:
        return decision
    reason = TO_APPROVE.format(_because(found))
    return msgspec.structs.replace(
        decision, outcome="require_approval", decided_by="override", rule=found.id, reason=reason
    )


def approved_ahead(decision: Decision, applicable: Applicable, now: int) -> Decision:
    """What a person has to approve is allowed where one has done so ahead."""
    found = _in_force(applicable.approved, now) if decision.outcome == "require_approval" else None
    if found is None:
        return decision
    return Decision("allow", "approval", found.id, APPROVED_AHEAD.format(_because(found)))


def preview(policy: Policy, visibility: Visibility, call: Call, snapshot: Snapshot, now: int) -> Visibility:
    """How a tool is shown at discovery: as the policy says (`visibility`), less what another layer denies whatever the
    arguments, and with what a grant allows. Budgets and evaluations change too quickly to be shown by.
    """
    if unproven(policy, call.principal):
        return msgspec.structs.replace(visibility, level="denied")
    if snapshot.plain and not policy.settings.require_grant:
        return visibility
    if ordered(snapshot, now) is not None:
        return msgspec.structs.replace(visibility, level="denied")
    if call.kind != "tool":
        return visibility
    applicable = snapshot.about(call.server, call.name)
    if override(snapshot, applicable, now) or grant_deny(applicable, now, needed=policy.settings.require_grant):
        return msgspec.structs.replace(visibility, level="denied")
    if visibility.level != "allowed" and _in_force(applicable.allowed, now) is not None:
        return _granted(visibility)
    if visibility.level == "allowed" and _in_force(applicable.to_approve, now) is not None:
        return msgspec.structs.replace(visibility, level="conditional")
    return visibility


def _granted(visibility: Visibility) -> Visibility:
    """A grant lets through what no rule speaks of: where that can be, the tool may be called with some arguments."""
    return msgspec.structs.replace(visibility, level="conditional") if visibility.falls_through else visibility


_Found = TypeVar("_Found", Grant, Override)


def _in_force(found: tuple[_Found, ...], now: int) -> _Found | None:
    return next((one for one in found if one.expires is None or now < one.expires), None) if found else None


def _because(found: "Grant | Override") -> str:
    return f": {found.reason}" if found.reason else ""


def _denied(layer: DecidedBy, deciding: str | None, reason: str) -> Decision:
    return Decision("deny", layer, deciding, reason)


def _ordered(layer: DecidedBy, deciding: str | None, reason: str) -> Decision:
    """A denial that somebody has ordered of all that an agent does: observing does not outrank that."""
    return Decision("deny", layer, deciding, reason, binding=True)


def _duration(microseconds: int) -> str:
    seconds = max(1, round(microseconds / 1_000_000))
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"

"""The layers of a verdict beside the policy, as a row tells of them: what they decided, no policy can undo; what they
added to one policy's decision, they add to another's.

The registry itself (grants, overrides, budgets) is not asked: a row says what it was at that moment.
"""

from typing import cast

import msgspec

from mcp_guard.gate.calls import NEAR_NAMES, NOTHING_DECLARED
from mcp_guard.gate.messages import near_arguments
from mcp_guard.governance.verdict import UNVERIFIED
from mcp_guard.insight.recorded import OFFERS, principal_of
from mcp_guard.policy import Decision, Policy
from mcp_guard.policy.members import NEAR_MEMBERS
from mcp_guard.policy.policy import DENIED_WITHOUT_POLICY
from mcp_guard.policy.values import DecidedBy, Json
from mcp_guard.store.reader import RecordedEvent

_BEFORE_POLICY: frozenset[str | None] = frozenset(("quarantine", "budget", "eval_gate"))
ITSELF = "the guard itself decided it, whatever the policy: {}"
UNLISTED = "The upstream never listed a tool of this name."
_NEVER_LISTED = "The upstream never listed"  # how the guard's own reason for that begins
_OF_A_POLICY = (DENIED_WITHOUT_POLICY.reason, NEAR_MEMBERS.reason)
_A_PERSON = "A person was asked, and decided."
_APPROVAL = "An override lets this tool be called only with a person's approval."


def outranked(event: RecordedEvent, policy: Policy) -> str | None:
    """Why no policy decides this call, or None where this one does."""
    layer, reason = event.decided_by, event.data.get("reason", "")
    if decided_alone(event) and (why := _for_no_policy(event, policy)):
        return why
    if layer in _BEFORE_POLICY or (layer in ("override", "grant") and event.decision == "deny"):
        return f"another layer decided it ({layer}), whatever the policy: {reason}"
    if policy.settings.require_grant and layer != "grant" and OFFERS.get(event.type) == "tool":
        return "whether a grant allows it was not recorded, and this policy requires one"
    return None


def decided_alone(event: RecordedEvent) -> bool:
    """Whether the guard itself decided, and not only because it had no policy, or for what its policy reads."""
    return event.decided_by == "guard" and event.data.get("reason") not in _OF_A_POLICY


def _for_no_policy(event: RecordedEvent, policy: Policy) -> str | None:
    """Why what the guard denied before it asked a policy is for this one neither; None where it is."""
    reason, settings = str(event.data.get("reason", "")), policy.settings
    unlisted = reason.startswith(_NEVER_LISTED)
    unverified = reason == UNVERIFIED and not settings.require_verified
    if not (settings.unlisted_tools == "policy" if unlisted else unverified):
        return ITSELF.format(reason)
    if (status := principal_of(event, policy).status) != "active":
        return f"another layer decides it (quarantine), whatever the policy: the agent was {status}"
    return _misnamed(event.data.get("arguments")) if unlisted else None


def _misnamed(arguments: object) -> str | None:
    """Why the arguments of a tool that was never listed are denied for their names, which the guard had not looked at;
    None where they are not.
    """
    if not isinstance(arguments, dict):
        return "the names of its arguments were not kept, and could have been read in two ways"
    names = cast("dict[str, Json]", arguments)
    return ITSELF.format(NEAR_NAMES.reason) if near_arguments(names, NOTHING_DECLARED) else None


def refused(event: RecordedEvent, policy: Policy) -> Decision | None:
    """What the guard denies under this policy's settings: a caller whom nobody vouched for, a tool never listed."""
    if event.data.get("unlisted") is True and policy.settings.unlisted_tools == "deny":
        return Decision("deny", "guard", None, UNLISTED)
    if policy.settings.require_verified and not event.agent_verified:
        return Decision("deny", "guard", None, UNVERIFIED)
    return None


def with_layers(event: RecordedEvent, decision: Decision) -> Decision | str:
    """The decision with what the layers added to the recorded one: a grant stands in for a missing rule, an override
    asks for a person's approval, and where that is asked for, a person decided as recorded.
    """
    layer, alone = event.decided_by, event.data.get("policy")
    if layer not in ("grant", "override", "approval"):
        return decision
    if layer == "grant" or alone == "deny":
        if decision.rule is None and decision.decided_by == "policy":
            return "a grant or a rule decides: the arguments that would tell were not kept"
        if decision.decided_by == "default":
            decision = Decision("allow", "grant", _deciding(event, "grant"), "A grant allows this tool.")
    if decision.outcome == "allow" and (layer == "override" or alone in ("allow", "deny")):
        deciding = _deciding(event, "override")
        decision = msgspec.structs.replace(
            decision, outcome="require_approval", decided_by="override", rule=deciding, reason=_APPROVAL
        )
    if layer == "approval" and decision.outcome == "require_approval":
        return Decision("allow" if event.decision == "allow" else "deny", layer, event.rule, _A_PERSON)
    return decision


def _deciding(event: RecordedEvent, layer: DecidedBy) -> str | None:
    """The grant or override of which a row tells: it has the id of the last that had a say."""
    return event.rule if event.decided_by == layer else None

"""A recorded decision, read back as what it was made from: who called. Which values were kept is `holes`'s to say.

Rows may have been edited by anybody who can write the file: whatever cannot be read is said to be so, never guessed.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from mcp_guard.policy import Policy, Principal
from mcp_guard.policy.values import OfferKind
from mcp_guard.store.reader import RecordedEvent

ALTERED = ("\\", "…", "[redacted]")
"""What `safe_text` leaves where it changed a text."""

OFFERS: Mapping[str, OfferKind] = {
    "tool.decided": "tool",
    "prompt.decided": "prompt",
    "resource.decided": "resource",
}
"""What a decision is about, by the type of its event."""


def principal_of(event: RecordedEvent, policy: Policy) -> Principal:
    """Who called. What a client called itself is given its agent by the policy that is asked."""
    data = event.data
    client, groups, instance = data.get("client"), data.get("groups"), data.get("instance")
    registry = _Registry.of(data.get("registry"))
    named = policy.agent_for(client) if isinstance(client, str) and not event.agent_verified else None
    return Principal(
        agent=named or event.agent or "",
        user=event.user or "",
        groups=tuple(map(str, cast("list[object]", groups))) if isinstance(groups, list) else (),
        instance=instance if isinstance(instance, str) else event.connection_id,
        verified=event.agent_verified,
        user_verified=data.get("user_verified") is True,
        tags=registry.tags,
        risk=registry.risk,
        status=registry.status,
    )


class _Registry(NamedTuple):
    """What the registry said of the agent, where a row has it; without it, what holds for an agent without an entry."""

    tags: tuple[str, ...] = ()
    risk: str = "medium"
    status: str = "active"

    @classmethod
    def of(cls, found: object) -> "_Registry":
        if not isinstance(found, dict):
            return _PLAIN
        facts = cast("dict[str, object]", found)
        tags = facts.get("tags")
        return cls(
            tags=tuple(map(str, cast("list[object]", tags))) if isinstance(tags, list) else (),
            risk=str(facts.get("risk", _PLAIN.risk)),
            status=str(facts.get("status", _PLAIN.status)),
        )


_PLAIN = _Registry()


def lost_identity(event: RecordedEvent, policy: Policy) -> str | None:
    """Why it cannot be told which agent of this policy called; None where it can. To be asked where it matters."""
    if event.agent is None:
        return "its row does not say which agent called"
    if event.agent_verified:
        return None
    client = event.data.get("client")
    if not isinstance(client, str):
        named = any(agent.clients for agent in policy.declared.agents.values())
        return "the name that its client gave itself was not recorded" if named else None
    if any(sign in client for sign in ALTERED):
        return "the name that its client gave itself was not recorded as it was"
    return None

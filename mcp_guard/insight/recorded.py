"""A recorded decision, read back as what it was made from: who called, and which values of the call were kept.

Rows may have been edited by anybody who can write the file: whatever cannot be read is said to be so, never guessed.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias, cast

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

Pointer: TypeAlias = tuple[str, ...]


class Hole(NamedTuple):
    """A place in the arguments whose value was not kept, and its bytes. `of_name`: the name of the key was not."""

    pointer: Pointer
    of_name: bool
    bytes: int

    @property
    def unknown(self) -> Pointer:
        """What is unknown because of it: the value, or the object of which it is not known what members it has."""
        return self.pointer[:-1] if self.of_name else self.pointer


def holes(data: Mapping[str, object]) -> list[Hole] | None:
    """Where the arguments were not kept; None where the row does not say it in a way that can be read."""
    try:
        return [_hole(entry) for entry in cast("list[dict[str, object]]", data.get("redacted") or [])]
    except (TypeError, KeyError, AttributeError):
        return None


def _hole(entry: dict[str, object]) -> Hole:
    path, why, size = cast("str", entry["path"]), entry.get("why"), entry.get("bytes")
    of_name = isinstance(why, str) and why.startswith("key ")
    return Hole(_tokens(path), of_name, size if isinstance(size, int) else 0)


def _tokens(pointer: str) -> Pointer:
    """A JSON Pointer (RFC 6901) as the tokens that it names."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


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

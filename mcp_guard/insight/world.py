"""What the log knows of the world that a policy is for: which tools servers listed, and who connected to them.

Reads the store, keeps little: identities are few, however many connections they made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

import msgspec

from mcp_guard.insight.recorded import ALTERED
from mcp_guard.policy import Policy, Principal
from mcp_guard.policy.catalog import Catalog, ToolDefinition, merged
from mcp_guard.policy.values import VisibilityLevel
from mcp_guard.store.catalog import read_catalog
from mcp_guard.store.reader import Entry, Filters, RecordedEvent, read_events, read_registry

_MOST_INSTANCES = 1000  # ids kept of one identity
_LEVELS: dict[str, VisibilityLevel] = {
    "allowed_tools": "allowed",
    "conditionally_allowed_tools": "conditional",
    "denied_tools": "denied",
}


class Identity(NamedTuple):
    """Who connected, as recorded: what stays of a principal from one connection to the next.

    `client` is the name that the client gave itself, or None where the agent was vouched for.
    """

    agent: str
    verified: bool
    user: str
    groups: tuple[str, ...]
    client: str | None
    user_verified: bool = False

    def agent_of(self, policy: Policy) -> str:
        """The agent that this policy takes it for."""
        return self.agent if self.client is None else policy.agent_for(self.client)


@dataclass(slots=True)
class Presence:
    """One identity before one server: how often it connected, and what it was shown last."""

    identity: Identity
    server: str
    connections: int = 0
    instances: list[str] = field(default_factory=list[str])
    shown: Mapping[str, VisibilityLevel] = field(default_factory=dict[str, VisibilityLevel])
    registry: Mapping[str, Entry] = field(default_factory=dict[str, Entry])

    def principal(self, policy: Policy, instance: str | None = None) -> Principal:
        """The principal that this policy makes of a connection, the latest one if none is said."""
        one = self.identity
        instance = (self.instances[-1] if self.instances else "") if instance is None else instance
        principal = Principal(one.agent_of(policy), one.user, one.groups, instance, one.verified, one.user_verified)
        return registered(principal, self.registry)


def registered(principal: Principal, registry: Mapping[str, Entry]) -> Principal:
    """The principal with what the registry says of its agent now."""
    entry = registry.get(principal.agent)
    if entry is None:
        return principal
    return msgspec.structs.replace(principal, tags=entry.tags, risk=entry.risk, status=entry.status)


def known_tools(path: str) -> Catalog:
    """The tools that each server listed last. For a server without a catalog, the names that the log has."""
    kept = read_catalog(path)
    listed: dict[str, dict[str, ToolDefinition]] = {}
    for event in read_events(path, Filters(types=("tools.listed",))):
        tools = event.data.get("tools")
        if event.server not in kept.servers and event.server and isinstance(tools, dict):
            names = [name for name in cast("dict[str, object]", tools) if not any(sign in name for sign in ALTERED)]
            listed[event.server] = {name: ToolDefinition(name=name, last_seen=event.ts) for name in names}
    return merged(Catalog(listed), kept)


def presences(path: str, filters: Filters) -> list[Presence]:
    """Who connected to what, in the order of first connections."""
    found: dict[tuple[Identity, str], Presence] = {}
    registry = read_registry(path)
    for event in read_events(path, replace(filters, types=("agent.connected",))):
        identity = identity_of(event)
        key = (identity, event.server or "")
        presence = found.setdefault(key, Presence(identity, event.server or "", registry=registry))
        presence.connections += 1
        presence.shown = _shown(event.data)
        presence.instances = [*presence.instances[1 - _MOST_INSTANCES :], event.connection_id]
    return list(found.values())


def connection(path: str, instance: str) -> Presence | None:
    """One recorded connection, as its client last introduced itself; None where the log has none of this id."""
    found = presences(path, Filters(connection=instance))
    return found[-1] if found else None


def identity_of(event: RecordedEvent) -> Identity:
    """Who connected, as an `agent.connected` event says."""
    data = event.data
    client, groups = data.get("client"), data.get("groups")
    name = cast("dict[str, object]", client).get("name", "") if isinstance(client, dict) else ""
    return Identity(
        agent=event.agent or "",
        verified=event.agent_verified,
        user=event.user or "",
        groups=tuple(map(str, cast("list[object]", groups))) if isinstance(groups, list) else (),
        client=None if event.agent_verified else str(name),
        user_verified=data.get("user_verified") is True,
    )


def _shown(data: Mapping[str, object]) -> dict[str, VisibilityLevel]:
    shown: dict[str, VisibilityLevel] = {}
    for member, level in _LEVELS.items():
        names = data.get(member)
        if isinstance(names, list):
            shown.update((str(name), level) for name in cast("list[object]", names))
    return shown

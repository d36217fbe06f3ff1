"""Whose access is asked for: the recorded callers that fit what was said, or the caller that was described."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from mcp_guard.insight.access import ServerAccess, access
from mcp_guard.insight.world import Presence, connection, presences, registered
from mcp_guard.policy import Policy, Principal
from mcp_guard.policy.catalog import Catalog
from mcp_guard.store.reader import Filters, read_registry


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was said of the caller. With `groups` or `verified` it is a description, and no recorded caller is meant."""

    agent: str | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()
    verified: bool = False
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """One caller: `servers` are those it was seen at, or None where it may be at any; `seen` counts its connections."""

    principal: Principal
    servers: tuple[str, ...] | None
    seen: int


@dataclass(frozen=True, slots=True)
class SubjectAccess:
    """The access of callers for whom it is the same."""

    subjects: tuple[Subject, ...]
    servers: tuple[ServerAccess, ...]


def subjects(path: str, policy: Policy, wanted: Wanted) -> list[Subject]:
    """The callers that are meant; empty where an instance is named that the log does not have."""
    if wanted.instance is not None:
        found = connection(path, wanted.instance)
        return [] if found is None else [_recorded(policy, found, wanted.instance)]
    recorded = {} if wanted.groups or wanted.verified else _fitting(path, policy, wanted)
    if recorded:
        return list(recorded.values())
    agents = [wanted.agent] if wanted.agent is not None else list(policy.declared.agents) or [policy.agent_for("")]
    described = Principal("", wanted.user or "", wanted.groups, "", wanted.verified, wanted.verified)
    registry = read_registry(path)
    return [Subject(registered(msgspec.structs.replace(described, agent=agent), registry), None, 0) for agent in agents]


def _fitting(path: str, policy: Policy, wanted: Wanted) -> dict[Principal, Subject]:
    found: dict[Principal, Subject] = {}
    for presence in presences(path, Filters(user=None)):
        one = _recorded(policy, presence, "")
        principal = one.principal
        if wanted.agent not in (None, principal.agent) or wanted.user not in (None, principal.user):
            continue
        before = found.get(principal)
        seen = one.seen + (before.seen if before else 0)
        found[principal] = Subject(principal, None, seen)
    return found


def _recorded(policy: Policy, presence: Presence, instance: str) -> Subject:
    servers = (presence.server,) if instance else None
    return Subject(presence.principal(policy, instance), servers, presence.connections)


def access_of(policy: Policy, subjects: Sequence[Subject], catalog: Catalog) -> list[SubjectAccess]:
    """The access of each; those with the same are put together."""
    groups: dict[tuple[ServerAccess, ...], list[Subject]] = {}
    for subject in subjects:
        offered = catalog if subject.servers is None else catalog.only(*subject.servers)
        groups.setdefault(tuple(access(policy, subject.principal, offered)), []).append(subject)
    return [SubjectAccess(tuple(members), servers) for servers, members in groups.items()]

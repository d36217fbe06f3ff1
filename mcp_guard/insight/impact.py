"""What a rule or a policy touches before it does: tools, callers, other rules, and what callers are shown.

Everything is asked for the callers that the log knows, at the tools that servers listed. What it does to recorded calls
is `parallel`'s to replay.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mcp_guard.insight.access import tool_access
from mcp_guard.insight.world import Identity, Presence
from mcp_guard.policy import Call, Policy, Principal
from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.values import VisibilityLevel
from mcp_guard.store.reader import Entry


class At(NamedTuple):
    """One tool of one server."""

    server: str
    tool: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another active rule that is for some of the same calls: whether it stands above, and on which tools."""

    rule: str
    effect: str
    above: bool
    tools: tuple[At, ...]


@dataclass(slots=True)
class RuleImpact:
    """What one rule touches: the tools in its scope for anyone, these callers, and the rules that it meets there."""

    rule: Rule
    tools: list[At] = field(default_factory=list[At])
    callers: list[Presence] = field(default_factory=list[Presence])
    overlaps: list[Overlap] = field(default_factory=list[Overlap])


@dataclass(frozen=True, slots=True)
class Shown:
    """A tool that some callers would be shown in another way."""

    at: At
    was: VisibilityLevel
    now: VisibilityLevel
    callers: tuple[Presence, ...]


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """How the rules of two policies differ, by id."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    moved: tuple[str, ...]


def present(presences: Sequence[Presence], catalog: Catalog, policy: Policy) -> list[Presence]:
    """Who is before which server. For one that nobody has connected to yet: every caller that is known at all, or
    the agents that the policy declares.
    """
    lonely = [server for server in catalog.servers if all(one.server != server for one in presences)]
    known = list(dict.fromkeys(one.identity for one in presences))
    declared = [Identity(slug, False, "", (), None) for slug in policy.declared.agents]
    strangers = known or declared or [Identity(policy.agent_for(""), False, "", (), None)]
    registry: Mapping[str, Entry] = presences[0].registry if presences else {}
    unseen = (Presence(identity, server, registry=registry) for server in lonely for identity in strangers)
    return [*presences, *unseen]


def rule_impacts(
    policy: Policy, wanted: Sequence[str], presences: Sequence[Presence], catalog: Catalog
) -> list[RuleImpact]:
    """What each of the wanted rules touches, in the order of the policy."""
    position = {rule.id: number for number, rule in enumerate(policy.rules)}
    impacts = {rule.id: RuleImpact(rule) for rule in policy.rules if rule.id in wanted}
    meetings: dict[tuple[str, str], dict[At, None]] = {}
    for presence in presences:
        touched: set[str] = set()
        for at, rules in _scopes(policy, presence, catalog):
            for rule in (rule for rule in rules if rule.id in impacts):
                touched.add(rule.id)
                impact = impacts[rule.id]
                if at not in impact.tools:
                    impact.tools.append(at)
                for other in rules:
                    if other.id != rule.id:
                        meetings.setdefault((rule.id, other.id), {})[at] = None
        for rule_id in touched:
            impacts[rule_id].callers.append(presence)
    effects = {rule.id: rule.effect for rule in policy.rules}
    for (rule_id, other), tools in sorted(meetings.items(), key=lambda one: position[one[0][1]]):
        above = position[other] < position[rule_id]
        impacts[rule_id].overlaps.append(Overlap(other, effects[other], above, tuple(tools)))
    return list(impacts.values())


def _scopes(policy: Policy, presence: Presence, catalog: Catalog) -> Iterable[tuple[At, list[Rule]]]:
    """The tools before a caller, each with the active rules whose scope fits."""
    for principal in principals(policy, presence):
        for tool in catalog.tools(presence.server):
            yield At(presence.server, tool), policy.in_scope(Call(principal, presence.server, tool))[0]


def principals(policy: Policy, presence: Presence) -> list[Principal]:
    """The principals that a presence stands for: one, and those of its connections that rules name."""
    named = {entry for rule in policy.rules for entry in rule.scope.agents or () if entry.startswith("instance:")}
    instances = [one for one in presence.instances if f"instance:{one}" in named]
    return [presence.principal(policy, instance) for instance in ("", *instances)]


def shown_otherwise(
    policy: Policy, against: Policy | None, presences: Sequence[Presence], catalog: Catalog
) -> list[Shown]:
    """The tools that callers would be shown in another way than under `against`, or than they were shown last."""
    found: dict[tuple[At, VisibilityLevel, VisibilityLevel], list[Presence]] = {}
    for presence in presences:
        for tool in catalog.tools(presence.server):
            before = _level(against, presence, tool) if against else presence.shown.get(tool)
            now = _level(policy, presence, tool)
            if before is not None and before != now:
                found.setdefault((At(presence.server, tool), before, now), []).append(presence)
    return [
        Shown(at, was, now, tuple(callers)) for (at, was, now), callers in sorted(found.items(), key=lambda one: one[0])
    ]


def _level(policy: Policy, presence: Presence, tool: str) -> VisibilityLevel:
    return policy.preview(presence.principal(policy), presence.server, tool).level


def decided_otherwise(policy: Policy, against: Policy, presences: Sequence[Presence], catalog: Catalog) -> list[At]:
    """The tools that any caller would get by other rules or conditions than before."""
    found: dict[At, None] = {}
    for presence in presences:
        for tool in catalog.tools(presence.server):
            old, new = (tool_access(one, presence.principal(one), presence.server, tool) for one in (against, policy))
            if old != new:
                found[At(presence.server, tool)] = None
    return list(found)


def rule_changes(policy: Policy, against: Policy) -> RuleChanges:
    """How the rules differ. A rule is the same where its effect, status, scope, condition and message are."""
    old, new = _by_id(against), _by_id(policy)
    both = [rule_id for rule_id in new if rule_id in old]
    order = [rule_id for rule_id in old if rule_id in new]
    return RuleChanges(
        added=tuple(rule_id for rule_id in new if rule_id not in old),
        removed=tuple(rule_id for rule_id in old if rule_id not in new),
        changed=tuple(rule_id for rule_id in both if _substance(old[rule_id]) != _substance(new[rule_id])),
        moved=tuple(rule_id for rule_id, other in zip(both, order, strict=True) if rule_id != other),
    )


def _by_id(policy: Policy) -> Mapping[str, Rule]:
    return {rule.id: rule for rule in policy.rules}


def _substance(rule: Rule) -> tuple[object, ...]:
    condition = rule.condition.source if rule.condition else None
    return rule.effect, rule.status, rule.scope, condition, rule.message

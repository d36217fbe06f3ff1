"""Which scopes lie within which: whether one rule is for everything that another is for.

A tag covers the names that the policy gives it; a pattern covers names and narrower patterns. Every doubt is a no.
"""

from collections.abc import Iterator
from itertools import islice, product

import msgspec

from mcp_guard import cel
from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.globs import Glob
from mcp_guard.policy.rules import Rule, Scope
from mcp_guard.policy.selectors import OFFER_FIELDS, ScopeField, selector
from mcp_guard.policy.values import OfferKind

MOST_CELLS = 400

Entries = tuple[str, ...] | None


class Cell(msgspec.Struct, frozen=True):
    """A part of a rule's scope. `offers` are entries of what the rule names there, of the kind `kind`."""

    agents: Entries
    users: Entries
    groups: Entries
    servers: Entries
    offers: Entries
    kind: OfferKind = "tool"


def is_unconditional(rule: Rule) -> bool:
    """Whether a rule decides everything that it is for, whatever the arguments and the principal are."""
    if rule.status != "active":
        return False
    if rule.condition is None:
        return rule.effect != "gated"
    try:
        return rule.condition.partial({}) is True
    except cel.EvaluationError:
        return rule.effect == "deny"


def cells(rule: Rule) -> Iterator[Cell]:
    """A rule's scope in parts of one entry a field, not more than `MOST_CELLS`."""
    return islice(_cells(rule), MOST_CELLS)


def count_cells(rule: Rule) -> int:
    """In how many parts `cells` would cut a rule's scope."""
    scope, number = rule.scope, 0
    for kind in rule.about:
        part = 1
        for entries in (scope.agents, scope.users, scope.groups, scope.servers, getattr(scope, OFFER_FIELDS[kind])):
            part *= len(entries or (None,))
        number += part
    return number


def _cells(rule: Rule) -> Iterator[Cell]:
    scope = rule.scope
    for kind in rule.about:
        fields = (scope.agents, scope.users, scope.groups, scope.servers, getattr(scope, OFFER_FIELDS[kind]))
        singles = ([None] if entries is None else [(entry,) for entry in entries] for entries in fields)
        for parts in product(*singles):
            yield Cell(*parts, kind=kind)


def decides_all_of(rule: Rule, cell: Cell, declared: Declarations) -> bool:
    """Whether an unconditional rule is for all that lies in a part of another's scope."""
    if cell.kind not in rule.about:
        return False
    offers = OFFER_FIELDS[cell.kind]
    return (
        covers("servers", rule.scope.servers, cell.servers, declared)
        and covers(offers, getattr(rule.scope, offers), cell.offers, declared)
        and _for_all_people(rule, cell, declared)
    )


def for_all_people_of(rule: Rule, other: Rule, declared: Declarations) -> bool:
    """Whether a rule is for all agents, users and groups that another is for."""
    return _for_all_people(rule, other.scope, declared)


def _for_all_people(rule: Rule, other: Cell | Scope, declared: Declarations) -> bool:
    scope = rule.scope
    return (
        covers("agents", scope.agents, other.agents, declared)
        and covers("users", scope.users, other.users, declared)
        and covers("groups", scope.groups, other.groups, declared)
    )


def may_meet(rule: Rule, other: Rule) -> bool:
    """Whether there may be anything that both rules are for; quickly, and wrong on one side only."""
    one, two = rule.scope.servers, other.scope.servers
    if one is None or two is None or not set(one).isdisjoint(two):
        return True
    return any(entry.startswith("tag:") for entry in (*one, *two))


def covers(field: ScopeField, wide: Entries, narrow: Entries, declared: Declarations) -> bool:
    """Whether a scope field fits all that another one fits."""
    if wide is None:
        return True
    if narrow is None:
        return field in OFFER_FIELDS.values() and "*" in wide
    return all(any(_entry_covers(field, one, entry, declared) for one in wide) for entry in narrow)


def _entry_covers(field: ScopeField, wide: str, narrow: str, declared: Declarations) -> bool:
    if wide == narrow:
        return True
    (wide_kind, wide_name), (narrow_kind, narrow_name) = selector(field, wide), selector(field, narrow)
    if wide_kind == "pattern" and narrow_kind in ("name", "pattern"):
        return Glob.of(wide_name).matches(narrow_name)  # a star in the narrow one is matched by a star only
    if wide_kind == "tag" and narrow_kind == "name":
        return wide_name in _tags(field, narrow_name, declared)
    return False


def _tags(field: ScopeField, name: str, declared: Declarations) -> tuple[str, ...]:
    if field == "agents":
        return declared.agent(name).tags
    return declared.server(name).tags if field == "servers" else ()

"""Which rules are for a call, found without walking them: for each value of each scope field, the rules that name it.

Sets of rules are whole numbers used as bit sets: bit 0 is the first rule, so that order is kept and a thousand rules
are intersected in a few machine words. A rule without a scope field is in that field's `unscoped` set.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from mcp_guard.policy.globs import Glob
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.selectors import OFFER_FIELDS, ScopeField, Selector, selector
from mcp_guard.policy.situation import Caller, Offer
from mcp_guard.policy.values import OfferKind

RuleSet = int
ANYTHING = Glob.of("*")


class FieldIndex(msgspec.Struct, frozen=True):
    """The rules of one scope field: by the entry, by pattern, and those that leave the field out."""

    unscoped: RuleSet
    exact: Mapping[Selector, RuleSet]
    patterns: tuple[tuple[Glob, RuleSet], ...] = ()

    def rules_for(self, entries: Iterable[Selector], name: str = "", among: RuleSet = -1) -> RuleSet:
        """The rules whose field is left out, holds one of the entries, or has a pattern that the name fits. Only rules
        `among` the given ones are asked for.
        """
        found = self.unscoped
        for entry in entries:
            found |= self.exact.get(entry, 0)
        for glob, rules in self.patterns:
            if rules & among & ~found and glob.matches(name):
                found |= rules
        return found & among


class RuleIndex:
    """The active rules of a policy by their scopes."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        active = [(1 << position, rule) for position, rule in enumerate(rules) if rule.status == "active"]
        self._agents = _field_index(active, "agents")
        self._users = _field_index(active, "users")
        self._groups = _field_index(active, "groups")
        self._servers = _field_index(active, "servers")
        self._about: dict[OfferKind, RuleSet] = {}
        self._offers: dict[OfferKind, FieldIndex] = {}
        for kind, field in OFFER_FIELDS.items():
            rules_about = [(bit, rule) for bit, rule in active if kind in rule.about]
            self._about[kind] = sum(bit for bit, _ in rules_about)
            self._offers[kind] = _field_index(rules_about, field)
        self.named: frozenset[OfferKind] = frozenset(kind for _, rule in active for kind in rule.scope.named)

    def for_caller(self, caller: Caller, kind: OfferKind) -> RuleSet:
        """The active rules about this kind of offer whose scope fits, but for which offer they name."""
        found = self._about[kind] & self._servers.rules_for(caller.servers)
        found &= self._agents.rules_for(caller.agents)
        found &= self._users.rules_for(caller.users)
        return found & self._groups.rules_for(caller.groups)

    def for_offer(self, offer: Offer, among: RuleSet) -> RuleSet:
        """Those among the given rules that are for this offer."""
        return self._offers[offer.kind].rules_for(offer.selectors, offer.name, among)

    def discerning(self, kind: OfferKind, among: RuleSet) -> RuleSet:
        """Those among the given rules that are for some offers of this kind and not for others."""
        field = self._offers[kind]
        for_any = field.unscoped | sum(rules for glob, rules in field.patterns if glob == ANYTHING)
        return among & ~for_any


def positions(rules: RuleSet) -> Iterator[int]:
    """The positions of the rules in a set, first rule first."""
    while rules:
        lowest = rules & -rules
        yield lowest.bit_length() - 1
        rules ^= lowest


def _field_index(rules: Iterable[tuple[RuleSet, Rule]], field: ScopeField) -> FieldIndex:
    unscoped: RuleSet = 0
    exact: dict[Selector, RuleSet] = {}
    patterns: dict[str, RuleSet] = {}
    for bit, rule in rules:
        entries: tuple[str, ...] | None = getattr(rule.scope, field)
        if entries is None:
            unscoped |= bit
            continue
        for kind, value in (selector(field, entry) for entry in entries):
            if kind == "pattern":
                patterns[value] = patterns.get(value, 0) | bit
            else:
                exact[kind, value] = exact.get((kind, value), 0) | bit
    return FieldIndex(unscoped, exact, tuple((Glob.of(pattern), bits) for pattern, bits in patterns.items()))

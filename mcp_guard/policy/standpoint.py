"""One principal before one server's tools, prompts or resources, and what has been worked out for it: the policy as
this agent meets it here.

What does not depend on the single offer is worked out once: which rules are for this principal at all, and how those
stand whose conditions do not look at what is offered. So a plan for the next tool costs little, and a server may have a
thousand. The invariant for resources: no URI gets more than each way in which it may be read would get.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from mcp_guard import cel
from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.index import RuleIndex, RuleSet, positions
from mcp_guard.policy.plan import Course, Plan, make_course
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.selectors import OFFER_FIELDS
from mcp_guard.policy.situation import Offer, caller, offer
from mcp_guard.policy.standing import Standing, stand
from mcp_guard.policy.values import Decision, Json, OfferKind, Outcome, Principal
from mcp_guard.policy.wording import CANNOT_TELL, WORDS

Facts = dict[str, Json]
REMEMBERED_COURSES = 1024
STRICTNESS: Mapping[Outcome, int] = {"allow": 0, "require_approval": 1, "deny": 2}


class Rules:
    """The rules of a policy, with their index and what they refer to. `otherwise` is the decision where none of them
    matches, for each kind of offer; `looking_at` are the rules whose conditions look at the single offer.
    """

    __slots__ = ("all", "declared", "index", "looking_at", "otherwise")

    def __init__(
        self, rules: Sequence[Rule], index: RuleIndex, declared: Declarations, otherwise: Mapping[OfferKind, Decision]
    ) -> None:
        self.all = rules
        self.declared = declared
        self.index = index
        self.otherwise = otherwise
        self.looking_at: Mapping[OfferKind, RuleSet] = {
            kind: sum(1 << at for at, rule in enumerate(rules) if kind in rule.reads.offers) for kind in OFFER_FIELDS
        }


class Standpoint:
    """The plans for one principal before what is of one kind at one server. The memory of them is the only thing that
    ever changes here.
    """

    __slots__ = (
        "_caller",
        "_courses",
        "_discerning",
        "_hangs_on_offer",
        "_kind",
        "_rules",
        "_server",
        "_standings",
        "_within",
        "plans",
    )

    def __init__(self, rules: Rules, principal: Principal, server: str, kind: OfferKind) -> None:
        self._rules = rules
        self._server = server
        self._kind: OfferKind = kind
        self._caller = caller(rules.declared, principal, server)
        self._within = rules.index.for_caller(self._caller, kind)
        self._hangs_on_offer = self._within & rules.looking_at[kind]
        self._discerning = rules.index.discerning(kind, self._within) | self._hangs_on_offer
        self._standings: dict[int, Standing] = {}
        self._courses: dict[RuleSet, Course] = {}
        self.plans: dict[str, Plan] = {}

    @property
    def governed(self) -> bool:
        """Whether the policy has a say here: some rule could match, or what none matches is not allowed."""
        return self._within != 0 or self._rules.otherwise[self._kind].outcome != "allow"

    def plan(self, name: str) -> Plan:
        """The plan for an offer, made anew."""
        here, course = self._strictest(name)
        return Plan(self._facts(here), course)

    def walk(self, name: str) -> Iterator[tuple[int, Standing]]:
        """How each rule in scope stands, by position, up to the first that decides whatever the arguments are."""
        here, _ = self._strictest(name)
        return self._walk(here, self._scope(here), self._facts(here))

    def in_scope(self, name: str) -> tuple[list[Rule], Facts]:
        """All active rules whose scope fits, and the variables of their conditions without `request`."""
        here, _ = self._strictest(name)
        return [self._rules.all[position] for position in positions(self._scope(here))], self._facts(here)

    def may_expand(self, template: str) -> bool:
        """Whether some URI that a template of resources could expand to may be allowed; in doubt it may."""
        from mcp_guard.policy.templates import expansions, fit

        uris, here = expansions(template), offer(self._rules.declared, self._server, self._kind, template)
        for position in positions(self._within):
            rule = self._rules.all[position]
            fits = fit(rule.scope.resources, uris)
            if fits == "none":
                continue
            if self._kind in rule.reads.offers:
                can_allow, ends_here = rule.effect != "deny", False
            else:
                decision = self._stand(position, self._facts(here), cel.Budget()).decision
                can_allow = decision is not None and decision.outcome != "deny"
                ends_here = decision is not None and fits == "all"
            if can_allow or ends_here:
                return can_allow
        return self._rules.otherwise[self._kind].outcome == "allow"

    def _strictest(self, name: str) -> tuple[Offer, Course]:
        """The offer that a name stands for; of several readings of a URI the one that gets the least."""
        courses = [(here, self._course(here)) for here in self._readings(name)]
        return max(courses, key=lambda one: STRICTNESS[one[1].final.outcome]) if len(courses) > 1 else courses[0]

    def _readings(self, name: str) -> list[Offer]:
        here = offer(self._rules.declared, self._server, self._kind, name)
        if self._kind != "resource":
            return [here]
        from mcp_guard.policy.uris import read

        reading = read(name)
        if reading.doubt is not None:
            return [msgspec.structs.replace(here, doubt=reading.doubt)]
        normal = offer(self._rules.declared, self._server, self._kind, reading.normal)
        return [here] if reading.normal == name else [here, normal]

    def _course(self, here: Offer) -> Course:
        scope = self._scope(here)
        course = self._courses.get(scope)
        if course is None or here.doubt is not None:
            walk = (standing for _, standing in self._walk(here, scope, self._facts(here)))
            course = make_course(walk, self._rules.otherwise[self._kind], WORDS[self._kind])
            hangs_on_offer = scope & self._hangs_on_offer or here.doubt is not None
            if not hangs_on_offer and len(self._courses) < REMEMBERED_COURSES:
                self._courses[scope] = course
        return course

    def _scope(self, here: Offer) -> RuleSet:
        """The rules for an offer; for a doubtful one also those that might be for what it really is."""
        found = self._rules.index.for_offer(here, self._within)
        return found if here.doubt is None else found | self._discerning

    def _walk(self, here: Offer, scope: RuleSet, facts: Facts) -> Iterator[tuple[int, Standing]]:
        budget = cel.Budget()
        for position in positions(scope):
            if here.doubt is not None and self._discerning >> position & 1:
                standing = _cannot_tell(here.doubt)
            else:
                standing = self._stand(position, facts, budget)
            yield position, standing
            if standing.decision is not None:
                return

    def _stand(self, position: int, facts: Facts, budget: cel.Budget) -> Standing:
        """How a rule stands. What is the same for every offer is worked out once, with a budget of its own, so that it
        does not hang on what was asked for first.
        """
        known = self._standings.get(position)
        if known is not None:
            return known
        rule = self._rules.all[position]
        if self._kind in rule.reads.offers:
            return stand(position, rule, self._kind, facts, budget)
        standing = self._standings[position] = stand(position, rule, self._kind, facts, cel.Budget())
        return standing

    def _facts(self, here: Offer) -> Facts:
        known = self._caller.facts
        facts = {**known, "mcp": {**known["mcp"], here.kind: here.facts}}
        if here.kind == "resource":
            facts["request"] = {"args": {}}  # a resource has no arguments: everything is known
        return cast(Facts, facts)


def _cannot_tell(doubt: str) -> Standing:
    """The standing of a rule that tells resources apart, to a URI that could be several."""
    return Standing("condition_error", doubt, Decision("deny", "default", None, CANNOT_TELL.format(doubt=doubt)))

"""What the rules come to for one principal and one tool, before any argument is known; and how a call runs it.

The plan is the general answer: `preview` reads it, `decide` runs it on the arguments, so the two cannot disagree. Each
condition is evaluated as far as it goes without `request.args`; what is already false is dropped, and the walk ends at
the first rule that decides whatever the arguments are.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mcp_guard import cel
from mcp_guard.cel.values import Value
from mcp_guard.policy.index import RuleSet, positions
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.values import Decision, Effect, Json, Outcome, RuleOutcome, RuleTrace, VisibilityLevel

NO_RULE = "No policy rule allows this tool."
NO_RULE_FOR_THESE = "No policy rule allows this call with these arguments; with other arguments {} could."
NAMED_IN_REASON = 3
NOT_A_BOOLEAN = "the condition gave something else than true or false"


class Standing(msgspec.Struct, frozen=True):
    """How a rule in scope stands: `outcome`, the text of an error, and the decision that ends the walk, if it does."""

    position: int
    rule: Rule
    outcome: RuleOutcome
    error: str | None = None
    decision: Decision | None = None


Answer = tuple[bool | None, str | None]
"""What a condition came to: whether it holds, or None and the text of why that could not be told."""


class Step(msgspec.Struct, frozen=True):
    """A rule that decides for some arguments and not for others.

    `reads` are the arguments that its condition looks at, None where it may look at any. A call that has none of them
    gets the answer `without`, which is known before any call.
    """

    position: int
    rule: str
    effect: Effect
    condition: cel.Program
    matched: Decision
    unjudged: Decision | None
    reads: frozenset[str] | None
    without: Answer


class Plan(msgspec.Struct, frozen=True):
    """The steps to try on a call's arguments, in order; `final` holds where none decides."""

    facts: Mapping[str, Json]
    steps: tuple[Step, ...]
    final: Decision

    @property
    def level(self) -> VisibilityLevel:
        """What some arguments could reach: only denials, only allows, or both."""
        reachable: set[Outcome] = {self.final.outcome, *(step.matched.outcome for step in self.steps)}
        if reachable == {"deny"}:
            return "denied"
        return "allowed" if reachable == {"allow"} else "conditional"


def standings(rules: Sequence[Rule], in_scope: RuleSet, facts: Mapping[str, Json]) -> Iterator[Standing]:
    """How each rule in scope stands with the arguments unknown, in order, up to the first that decides."""
    for position in positions(in_scope):
        found = _standing(position, rules[position], facts)
        yield found
        if found.decision is not None:
            return


def _standing(position: int, rule: Rule, facts: Mapping[str, Json]) -> Standing:
    if rule.condition is None:
        return Standing(position, rule, "matched", None, rule.verdicts.always)
    try:
        holds = rule.condition.partial(facts)
    except cel.EvaluationError as error:
        return Standing(position, rule, "condition_error", str(error), rule.verdicts.unjudgeable)
    if holds is cel.UNKNOWN:
        return Standing(position, rule, "condition_unknown")
    if holds is True:
        return Standing(position, rule, "matched", None, rule.verdicts.always)
    return Standing(position, rule, "condition_false")


def make_plan(walk: Iterator[Standing], facts: Mapping[str, Json], no_rule: Decision) -> Plan:
    """The plan for a walk. `no_rule` holds where no rule can decide anything."""
    steps: list[Step] = []
    able: list[Rule] = []
    final: Decision | None = None
    for standing in walk:
        final = standing.decision
        rule = standing.rule
        if standing.outcome == "condition_unknown" and rule.condition is not None:
            steps.append(_step(standing.position, rule, rule.condition, facts))
            able.append(rule)
    return Plan(facts, tuple(steps), final or _undecided(able, no_rule))


def _step(position: int, rule: Rule, condition: cel.Program, facts: Mapping[str, Json]) -> Step:
    without = _answer(condition, {**facts, "request": {"args": {}}}, cel.Budget())
    verdicts, reads = rule.verdicts, arguments_read(condition)
    return Step(position, rule.id, rule.effect, condition, verdicts.matched, verdicts.unjudged, reads, without)


def arguments_read(condition: cel.Program) -> frozenset[str] | None:
    """The names of the arguments that a condition looks at; None where that cannot be told, or it may look at any."""
    names: set[str] = set()
    for path in condition.paths:
        match path.segments:
            case ("request", "args", str(name), *_):
                names.add(name)
            case ("request", *_):
                return None
            case _:
                pass
    return frozenset(names)


def _answer(condition: cel.Program, activation: Mapping[str, Value], budget: cel.Budget) -> Answer:
    try:
        holds = condition.evaluate(activation, budget=budget)
    except cel.EvaluationError as failure:
        return None, str(failure)
    return (holds, None) if holds is True or holds is False else (None, NOT_A_BOOLEAN)


def _undecided(able: Sequence[Rule], no_rule: Decision) -> Decision:
    """The denial where no rule matches; it names the first rules that other arguments could match."""
    names = [f'rule "{rule.id}"' for rule in able if rule.effect != "deny"][:NAMED_IN_REASON]
    if not names:
        return no_rule
    return Decision("deny", "default", None, NO_RULE_FOR_THESE.format(" or ".join(names)))


Heard = dict[int, RuleTrace]
"""The part of each rule whose condition was evaluated on a call, by the rule's position."""


def judge(plan: Plan, arguments: Mapping[str, Json], heard: Heard | None = None) -> Decision:
    """The decision of a plan on a call's arguments, under one budget for all its conditions.

    `heard`, where given, is filled with the part of each rule that was tried.
    """
    if not plan.steps:
        return plan.final
    activation = {**plan.facts, "request": {"args": arguments}}
    budget = cel.Budget()
    given = arguments.keys()
    for step in plan.steps:
        if step.reads is not None and given.isdisjoint(step.reads):
            holds, error = step.without
        else:
            holds, error = _answer(step.condition, activation, budget)
        if heard is not None:
            heard[step.position] = _heard(step, holds, error)
        if holds is True:
            return step.matched
        if error is not None and step.unjudged is not None:
            return step.unjudged
    return plan.final


def _heard(step: Step, holds: object, error: str | None) -> RuleTrace:
    if error is not None:
        return RuleTrace(step.rule, step.effect, "condition_error", error)
    return RuleTrace(step.rule, step.effect, "matched" if holds else "condition_false")

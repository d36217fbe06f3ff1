"""How one rule stands in a situation while the arguments are unknown: out, decided whatever they are, or open."""

from collections.abc import Mapping

import msgspec

from mcp_guard import cel
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.values import Decision, Effect, Json, OfferKind, RuleOutcome


class Step(msgspec.Struct, frozen=True):
    """A rule that decides for some arguments and not for others.

    `argument` is the only one that its condition looks at, None where it may look at others. A call that lacks it gets
    the answer `without`, which is known before any call; `condition` is for one that has it.
    """

    position: int
    rule: str
    effect: Effect
    condition: cel.Program
    matched: Decision
    unjudged: Decision | None
    argument: str | None
    without: cel.Truth


class Standing(msgspec.Struct, frozen=True):
    """How a rule stands: `outcome`, with the text of an error; the decision that ends the walk, or the step to try on
    a call's arguments, where it comes to one of these.
    """

    outcome: RuleOutcome
    error: str | None = None
    decision: Decision | None = None
    step: Step | None = None


def stand(position: int, rule: Rule, kind: OfferKind, facts: Mapping[str, Json], budget: cel.Budget) -> Standing:
    """How the rule at this position stands to an offer of this kind, by its condition as far as that goes with these
    facts: wholly, where they have the arguments as well.
    """
    condition, verdicts = rule.condition, rule.about[kind]
    if condition is None:
        return Standing("matched", None, verdicts.always)
    holds = _holds(condition, facts, budget)
    if isinstance(holds, cel.Unknown):
        return Standing("condition_unknown", step=_step(position, rule, kind, condition, facts, budget))
    if isinstance(holds, str):
        return Standing("condition_error", holds, verdicts.unjudgeable)
    return Standing("matched", None, verdicts.always) if holds else Standing("condition_false")


def _holds(condition: cel.Program, facts: Mapping[str, Json], budget: cel.Budget) -> cel.Truth | cel.Unknown:
    if "request" in facts:
        return condition.holds(facts, budget)
    try:
        return condition.partial(facts, budget)
    except cel.EvaluationError as error:
        return str(error)


def _step(
    position: int, rule: Rule, kind: OfferKind, condition: cel.Program, facts: Mapping[str, Json], budget: cel.Budget
) -> Step:
    verdicts, argument = rule.about[kind], rule.reads.only_argument
    if budget.exhausted:
        argument = None  # what has cost that much is not asked once more for the sake of speed
    without = argument is not None and condition.holds({**facts, "request": {"args": {}}}, cel.Budget())
    return Step(
        position,
        rule.id,
        rule.effect,
        condition if argument is None else condition.where_present(f"request.args.{argument}"),
        verdicts.matched,
        verdicts.unjudged,
        argument,
        without,
    )

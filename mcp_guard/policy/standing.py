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


def stand(position: int, rule: Rule, kind: OfferKind, facts: Mapping[str, Json]) -> Standing:
    """How the rule at this position stands to an offer of this kind, by its condition as far as that goes without
    arguments.
    """
    condition, verdicts = rule.condition, rule.about[kind]
    if condition is None:
        return Standing("matched", None, verdicts.always)
    try:
        holds = condition.partial(facts)
    except cel.EvaluationError as error:
        return Standing("condition_error", str(error), verdicts.unjudgeable)
    if holds is True:
        return Standing("matched", None, verdicts.always)
    if holds is False:
        return Standing("condition_false")
    without = condition.holds({**facts, "request": {"args": {}}}, cel.Budget())
    argument = rule.reads.only_argument
    step = Step(
        position,
        rule.id,
        rule.effect,
        condition if argument is None else condition.where_present(f"request.args.{argument}"),
        verdicts.matched,
        verdicts.unjudged,
        argument,
        without,
    )
    return Standing("condition_unknown", step=step)

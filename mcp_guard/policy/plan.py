"""What the rules come to for one principal and one tool, before any argument is known; and how a call is judged by it.

The plan is the general answer: `preview` reads it, `decide` runs it on the arguments, so the two cannot disagree. What
is false whatever the arguments are is not in it, and it ends at the first rule that decides whatever they are.
"""

from collections.abc import Iterable, Mapping

import msgspec

from mcp_guard import cel
from mcp_guard.policy.rules import terms
from mcp_guard.policy.standing import Standing, Step, answer
from mcp_guard.policy.values import Decision, Json, Outcome, RuleTrace, VisibilityLevel

NO_RULE_FOR_THESE = "No policy rule allows this call with these arguments. {}."
WOULD: dict[Outcome, str] = {
    "allow": 'Rule "{}" allows calls where `{}`',
    "require_approval": 'Rule "{}" lets calls through with a person\'s approval where `{}`',
}
NAMED_IN_REASON = 3


class Course(msgspec.Struct, frozen=True):
    """The steps to try on a call's arguments, in order; `final` holds where none decides. `level` is what could be
    reached by some arguments.
    """

    steps: tuple[Step, ...]
    final: Decision
    level: VisibilityLevel


class Plan(msgspec.Struct, frozen=True):
    """The course of a call of one tool, and the variables that its conditions see beside `request`."""

    facts: Mapping[str, Json]
    course: Course


def make_course(walk: Iterable[Standing], no_rule: Decision) -> Course:
    """The course for a walk over the rules in scope, up to the first that decides whatever the arguments are. `no_rule`
    holds where no rule can decide anything.
    """
    steps: list[Step] = []
    final: Decision | None = None
    for standing in walk:
        final = standing.decision
        if standing.step is not None:
            steps.append(standing.step)
    final = final or _undecided(steps, no_rule)
    return Course(tuple(steps), final, _level({final.outcome, *(step.matched.outcome for step in steps)}))


def _level(reachable: set[Outcome]) -> VisibilityLevel:
    if reachable == {"deny"}:
        return "denied"
    return "allowed" if reachable == {"allow"} else "conditional"


def _undecided(steps: Iterable[Step], no_rule: Decision) -> Decision:
    """The denial where no rule matches; it says what would pass: the first rules that other arguments could match."""
    able = [step for step in steps if step.matched.outcome in WOULD][:NAMED_IN_REASON]
    if not able:
        return no_rule
    would = ". ".join(WOULD[step.matched.outcome].format(step.rule, terms(step.condition)) for step in able)
    return Decision("deny", "default", None, NO_RULE_FOR_THESE.format(would))


Heard = dict[int, RuleTrace]
"""The part of each rule whose condition was evaluated on a call, by the rule's position."""


def judge(plan: Plan, arguments: Mapping[str, Json], heard: Heard | None = None) -> Decision:
    """The decision of a plan on a call's arguments, under one budget for all its conditions.

    `heard`, where given, is filled with the part of each rule that was tried.
    """
    steps, final = plan.course.steps, plan.course.final
    if not steps:
        return final
    activation = {**plan.facts, "request": {"args": arguments}}
    budget = cel.Budget()
    given = arguments.keys()
    for step in steps:
        if step.reads is not None and given.isdisjoint(step.reads):
            holds, error = step.without
        else:
            holds, error = answer(step.condition, activation, budget)
        if heard is not None:
            heard[step.position] = _heard(step, holds, error)
        if holds is True:
            return step.matched
        if error is not None and step.unjudged is not None:
            return step.unjudged
    return final


def _heard(step: Step, holds: object, error: str | None) -> RuleTrace:
    if error is not None:
        return RuleTrace(step.rule, step.effect, "condition_error", error)
    return RuleTrace(step.rule, step.effect, "matched" if holds else "condition_false")

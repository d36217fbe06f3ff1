"""What the rules come to for one principal and one tool, prompt or resource, before any argument is known; and how a
call is judged by that.

The plan is the general answer: `preview` reads it, `decide` runs it on the arguments, so the two cannot disagree. What
is false whatever the arguments are is not in it, and it ends at the first rule that decides whatever they are.
"""

from collections.abc import Iterable, Mapping

import msgspec

from mcp_guard import cel
from mcp_guard.policy.rules import terms
from mcp_guard.policy.standing import Standing, Step
from mcp_guard.policy.values import Decision, Json, Outcome, RuleTrace, VisibilityLevel
from mcp_guard.policy.wording import NO_RULE_FOR_THESE, WOULD, Words

NAMED_IN_REASON = 3


class Course(msgspec.Struct, frozen=True):
    """The steps to try on a call's arguments, in order; `final` holds where none decides. `level` is what could be
    reached by some arguments.
    """

    steps: tuple[Step, ...]
    final: Decision
    level: VisibilityLevel


class Plan(msgspec.Struct, frozen=True):
    """The course of what is asked of one tool, prompt or resource, and the variables that conditions see beside
    `request`.
    """

    facts: Mapping[str, Json]
    course: Course


def make_course(walk: Iterable[Standing], no_rule: Decision, words: Words) -> Course:
    """The course for a walk over the rules in scope, up to the first that decides whatever the arguments are. `no_rule`
    holds where no rule can decide anything; `words` are for what is asked for.
    """
    steps: list[Step] = []
    final: Decision | None = None
    for standing in walk:
        final = standing.decision
        if standing.step is not None:
            steps.append(standing.step)
    final = final or _undecided(steps, no_rule, words)
    return Course(tuple(steps), final, _level({final.outcome, *(step.matched.outcome for step in steps)}))


def _level(reachable: set[Outcome]) -> VisibilityLevel:
    if reachable == {"deny"}:
        return "denied"
    return "allowed" if reachable == {"allow"} else "conditional"


def _undecided(steps: Iterable[Step], no_rule: Decision, words: Words) -> Decision:
    """The denial where no rule matches; it says what would pass: the first rules that other arguments could match."""
    if no_rule.outcome == "allow":
        return no_rule
    able = [step for step in steps if step.matched.outcome in WOULD][:NAMED_IN_REASON]
    if not able:
        return no_rule
    would = ". ".join(
        WOULD[step.matched.outcome].format(rule=step.rule, where=terms(step.condition), words=words) for step in able
    )
    return Decision("deny", "default", None, NO_RULE_FOR_THESE.format(words=words, would=would))


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
    for step in steps:
        argument = step.argument
        holds = step.condition.holds(activation, budget) if argument in arguments or argument is None else step.without
        if heard is not None:
            heard[step.position] = _heard(step, holds)
        if holds is False:
            continue
        if holds is True:
            return step.matched
        if step.unjudged is not None:
            return step.unjudged
    return final


def _heard(step: Step, holds: cel.Truth) -> RuleTrace:
    if isinstance(holds, str):
        return RuleTrace(step.rule, step.effect, "condition_error", holds)
    return RuleTrace(step.rule, step.effect, "matched" if holds else "condition_false")

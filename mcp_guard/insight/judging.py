"""A recorded call decided by a policy, as far as the log knows the call.

The invariant: a decision comes out only where every value that was not kept would lead to the same outcome. What
depends on such a value, on a lost name or on the guard's own knowledge is no decision but a sentence that says why.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

import msgspec

from mcp_guard import cel
from mcp_guard.cel.values import Value
from mcp_guard.insight.holes import Hole, Pointer, holes
from mcp_guard.insight.interest import Interest, touches
from mcp_guard.insight.layers import outranked, refused, with_layers
from mcp_guard.insight.recorded import ALTERED, OFFERS, lost_identity, principal_of
from mcp_guard.policy import Call, Decision, Policy, Principal
from mcp_guard.policy.members import NEAR_MEMBERS, are_misread, reads_within
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.values import Json, OfferKind
from mcp_guard.store.reader import RecordedEvent

_REMEMBERED = 2048  # principals with their tools
_LARGE = 100_000  # bytes not kept: the work of judging them could have used up a decision's budget
_SEVERAL = "One of the rules {} decides, or none: the arguments that would tell were not kept. The outcome is the same."
_UNREAD = "names within arguments that were not kept could be read in two ways: {}"

Answer: TypeAlias = "Decision | str"
"""A decision, or why there is none: one sentence, without values."""


class Judge:
    """Decides recorded calls under one policy. The memory of scopes is bounded, and changes speed only."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.interest = Interest(policy)
        self._scopes: dict[tuple[Principal, str, str, OfferKind], tuple[list[Rule], Mapping[str, Json]]] = {}

    def decide(self, event: RecordedEvent) -> Answer:
        """What the policy decides about a recorded call."""
        kind = OFFERS.get(event.type, "tool")
        if any(sign in (event.tool or "") for sign in ALTERED):
            return f"its {kind}'s name was not recorded as it was"
        if why := outranked(event, self.policy):
            return why
        if refusal := refused(event, self.policy):
            return refusal
        if self.interest.agents and (lost := lost_identity(event, self.policy)):
            return lost
        missing, arguments = holes(event.data), event.data.get("arguments")
        if missing is None or not (isinstance(arguments, dict) or any(not hole.pointer for hole in missing)):
            return "its row cannot be read"
        values = cast("dict[str, Json]", arguments or {})
        call = Call(principal_of(event, self.policy), event.server or "", event.tool or "", values, kind)
        answer = self._decide(call, missing, of_completion=event.data.get("method") == "completion/complete")
        return answer if isinstance(answer, str) else self._unless_misread(with_layers(event, answer), call, missing)

    def _decide(self, call: Call, missing: list[Hole], *, of_completion: bool) -> Answer:
        if of_completion:
            return self.policy.decide_completion(call)
        if not missing:
            return self.policy.decide(call)
        level = self.policy.reads_within(call)
        is_misread = level is not None and are_misread(call.arguments, level)
        return NEAR_MEMBERS if is_misread else self._with_holes(call, missing)

    def _unless_misread(self, answer: Answer, call: Call, missing: list[Hole]) -> Answer:
        """What is decided, unless a name that was not kept could have had the call denied."""
        if not missing or isinstance(answer, str) or answer.outcome == "deny":
            return answer
        level = self.policy.reads_within(call)
        lost = None if level is None else next((hole for hole in missing if reads_within(level, hole.unknown)), None)
        return answer if lost is None else _UNREAD.format(_place(lost))

    def _with_holes(self, call: Call, missing: list[Hole]) -> Answer:
        rules, facts = self._scope(call)
        activation = {**facts, "request": {"args": _with_unknowns(call.arguments, missing)}}
        possible: list[Decision] = []
        doubt: str | None = None
        for rule, holds in self._course(rules, activation, missing):
            if holds is cel.UNKNOWN:
                doubt = doubt or self._doubt(rule, call.arguments, missing)
            elif holds is None and rule.about[call.kind].unjudged is None:
                continue
            verdicts = rule.about[call.kind]
            decision = verdicts.unjudged if holds is None else verdicts.matched
            assert decision is not None
            possible.append(verdicts.always if rule.condition is None else decision)
            if holds is not cel.UNKNOWN:
                return _agreed(possible, doubt)
        return _agreed([*possible, self.policy.otherwise(call.kind)], doubt)

    def _course(
        self, rules: list[Rule], activation: Mapping[str, Value], missing: list[Hole]
    ) -> Iterator[tuple[Rule, Value]]:
        """The rules that have a say, with what their conditions come to: True, None for a failure, or `UNKNOWN`.

        Once a condition hangs on something large that was not kept, so do all later ones: they share its budget.
        """
        large = sum(hole.bytes for hole in missing) > _LARGE
        drained = False
        budget = cel.Budget()
        for rule in rules:
            holds = True if rule.condition is None else _holds(rule.condition, activation, budget)
            if drained and self.interest.readings[rule.id]:
                holds = cel.UNKNOWN
            drained = drained or (large and holds is cel.UNKNOWN)
            if holds is not False:
                yield rule, holds

    def _touched(self, rule: Rule, arguments: Mapping[str, Json], missing: list[Hole]) -> Hole | None:
        """The first hole that a rule's condition looks at."""
        for hole in missing:
            unknown = _unknown_place(arguments, hole)
            if any(touches(reading, unknown) for reading in self.interest.readings[rule.id]):
                return hole
        return None

    def _doubt(self, rule: Rule, arguments: Mapping[str, Json], missing: list[Hole]) -> str:
        hole = self._touched(rule, arguments, missing)
        if hole is None:
            return f'rule "{rule.id}" may not have been judged for want of budget: the arguments were too large to keep'
        return f'rule "{rule.id}" reads arguments that were not kept: {_place(hole)}'

    def _scope(self, call: Call) -> tuple[list[Rule], Mapping[str, Json]]:
        key = (call.principal, call.server, call.name, call.kind)
        found = self._scopes.get(key)
        if found is None:
            if len(self._scopes) >= _REMEMBERED:
                self._scopes.clear()
            found = self._scopes[key] = self.policy.in_scope(msgspec.structs.replace(call, arguments={}))
        return found


def _place(hole: Hole) -> str:
    return "/" + "/".join(hole.pointer) if hole.pointer else "none of them was"


def _holds(condition: cel.Program, activation: Mapping[str, Value], budget: cel.Budget) -> Value:
    """What a condition comes to, whatever the unknown values are: None where it fails."""
    try:
        return condition.partial(activation, budget)
    except cel.EvaluationError:
        return None


def _agreed(possible: list[Decision], doubt: str | None) -> Answer:
    """The decision where all possible ones have the same outcome."""
    if doubt is None or len(possible) == 1:
        return possible[0]
    if len({decision.outcome for decision in possible}) > 1:
        return doubt
    deciders = list(dict.fromkeys(decision.rule for decision in possible if decision.rule))
    if len(deciders) == 1 and all(decision.rule for decision in possible):
        return possible[0]
    return Decision(possible[0].outcome, "policy", None, _SEVERAL.format(", ".join(deciders)))


def _with_unknowns(arguments: Mapping[str, Json], missing: list[Hole]) -> Value:
    """The arguments with `UNKNOWN` in the place of what was not kept.

    A list with a hole is unknown as a whole, and so is an object of which the name of a member was not kept.
    """
    if any(not hole.pointer for hole in missing):
        return cel.UNKNOWN
    made: Value = dict(arguments)
    for hole in missing:
        made = _holed(made, _unknown_place(arguments, hole))
    return made


def _unknown_place(arguments: Mapping[str, Json], hole: Hole) -> Pointer:
    """What is unknown because of a hole: its own place, or that of the outermost list around it."""
    value: Json = dict(arguments)
    for depth, token in enumerate(hole.unknown):
        if not isinstance(value, dict):
            return hole.unknown[:depth]
        value = value.get(token)
    return hole.unknown


def _holed(value: Value, pointer: Pointer) -> Value:
    if not pointer or type(value) is not dict:
        return cel.UNKNOWN
    members, (name, *below) = cast("dict[str, Value]", value), pointer
    return {**members, name: _holed(members.get(name), tuple(below))}

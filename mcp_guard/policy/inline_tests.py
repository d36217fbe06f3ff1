"""The tests inside a policy file: a call and what its author expects of it, judged as the gate would judge it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from mcp_guard.policy.diagnostics import Place
from mcp_guard.policy.values import Call, Decision, OfferKind, Outcome, Principal, Visibility, VisibilityLevel


class InlineTest(msgspec.Struct, frozen=True):
    """One test: a call, and what it must get (`outcome`), from which rule, or how its tool, prompt or resource must be
    shown.
    """

    name: str
    call: Call
    outcome: Outcome | None
    visibility: VisibilityLevel | None
    rule: str | None
    place: Place


class Judge(Protocol):
    """What answers the two questions; a `Policy`, here."""

    def decide(self, call: Call, *, trace: bool = False) -> Decision:
        """The decision on a call."""
        ...

    def preview(self, principal: Principal, server: str, name: str, *, kind: OfferKind = "tool") -> Visibility:
        """How a tool, prompt or resource is shown."""
        ...


class TestResult(msgspec.Struct, frozen=True):
    """What a test got. `failures` says, one sentence each, what differs from what was expected; empty: it passed."""

    __test__ = False

    test: InlineTest
    decision: Decision
    visibility: VisibilityLevel
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures


def run_tests(tests: Sequence[InlineTest], judge: Judge) -> list[TestResult]:
    """All tests, in order."""
    return [_run(test, judge) for test in tests]


def _run(test: InlineTest, judge: Judge) -> TestResult:
    """Judge the test's call and what it is of, and compare."""
    call = test.call
    decision = judge.decide(call, trace=True)
    level = judge.preview(call.principal, call.server, call.name, kind=call.kind).level
    return TestResult(test, decision, level, tuple(_failures(test, decision, level)))


def _failures(test: InlineTest, decision: Decision, level: VisibilityLevel) -> list[str]:
    found: list[str] = []
    if test.outcome is not None and decision.outcome != test.outcome:
        found.append(f"expected {test.outcome}, got {decision.outcome}: {decision.reason}")
    elif test.rule is not None and decision.rule != test.rule:
        found.append(f'expected rule "{test.rule}" to decide, but {_decider(decision)} did: {decision.reason}')
    if test.visibility is not None and level != test.visibility:
        found.append(f"expected the {test.call.kind} to be {test.visibility} at discovery, but it is {level}")
    return found


def _decider(decision: Decision) -> str:
    return f'rule "{decision.rule}"' if decision.rule else "no rule"

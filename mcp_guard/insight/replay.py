"""Recorded calls decided again under another policy: what would change, and by which rule. One call at a time.

What they are compared with is what was recorded, or what a second policy decides about the same calls.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from mcp_guard.insight.judging import Judge
from mcp_guard.policy import Decision, Policy
from mcp_guard.store.reader import RecordedEvent


@dataclass(frozen=True, slots=True)
class Replayed:
    """A call and what the policy decides about it. `before` is the other policy's decision, where one was asked."""

    event: RecordedEvent
    now: Decision
    before: Decision | None = None

    @property
    def was(self) -> str | None:
        """The outcome that `now` is compared with."""
        return self.before.outcome if self.before else self.event.decision

    @property
    def rule_was(self) -> str | None:
        """The rule that decided so."""
        return self.before.rule if self.before else self.event.rule

    @property
    def decided_by_was(self) -> str | None:
        """The layer that decided so."""
        return self.before.decided_by if self.before else self.event.decided_by

    @property
    def changed(self) -> bool:
        """Whether the outcome is another one; the same outcome by another rule is no change."""
        return self.now.outcome != self.was


@dataclass(frozen=True, slots=True)
class NotReplayable:
    """A call that cannot be decided again, and why: one sentence, without values."""

    event: RecordedEvent
    why: str


Result: TypeAlias = Replayed | NotReplayable


def replay(events: Iterable[RecordedEvent], policy: Policy, against: Policy | None = None) -> Iterator[Result]:
    """Decide each recorded call again, in order, and by `against` too where it is given.

    Events that are no decisions are passed over.
    """
    judge = Judge(policy)
    other = None if against is None else Judge(against)
    for event in events:
        if event.decision is not None:
            yield _replay(event, judge, other)


def _replay(event: RecordedEvent, judge: Judge, other: Judge | None) -> Result:
    now = judge.decide(event)
    if isinstance(now, str):
        return NotReplayable(event, now)
    before = None if other is None else other.decide(event)
    if isinstance(before, str):
        return NotReplayable(event, f"under the policy compared with, {before}")
    return Replayed(event, now, before)

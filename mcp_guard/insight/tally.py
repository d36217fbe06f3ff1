"""A replay in numbers: how many calls change, by rule and tool, with a few examples of each kind of change.

Tallies of parts of a log are merged in the order of the log, so the whole is the same however it was divided. What one
keeps is bounded, whatever the log holds.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from mcp_guard.insight.brief import brief_arguments
from mcp_guard.insight.replay import NotReplayable, Replayed, Result
from mcp_guard.store.reader import RecordedEvent

MOST_KINDS = 1000  # kinds of change, or of reasons, that are counted one by one
EXAMPLES = 3  # the latest calls of each kind that are kept
_OTHERS = "others"
_LONGEST = 200  # characters of an example's arguments


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of change: the same outcomes, by the same rules, on the same tool."""

    was: str
    now: str
    server: str
    tool: str
    rule_was: str
    rule_now: str


OTHERS = Kind(*[_OTHERS] * 6)


@dataclass(frozen=True, slots=True)
class Example:
    """A call of which a kind has an example. `arguments` is what is shown of them."""

    id: str
    ts: str
    agent: str
    arguments: str


def _examples() -> deque[Example]:
    return deque(maxlen=EXAMPLES)


@dataclass(slots=True)
class Tally:
    """What is counted of results, one by one."""

    replayed: int = 0
    changed: int = 0
    first: str = ""  # when the first and the last call of all were made
    last: str = ""
    deciders: Counter[str] = field(default_factory=Counter[str])  # which rule decided how many calls
    kinds: Counter[Kind] = field(default_factory=Counter[Kind])
    examples: dict[Kind, deque[Example]] = field(default_factory=dict[Kind, deque[Example]])
    reasons: Counter[str] = field(default_factory=Counter[str])

    @property
    def unchanged(self) -> int:
        """The calls whose outcome stays."""
        return self.replayed - self.changed

    def add(self, result: Result) -> None:
        """Count one result."""
        self.first, self.last = self.first or result.event.ts, result.event.ts
        if isinstance(result, NotReplayable):
            self._count_reason(result.why, 1)
            return
        self.replayed += 1
        if result.now.rule is not None:
            self.deciders[result.now.rule] += 1
        if result.changed:
            self.changed += 1
            kind = self._known(kind_of(result))
            self.kinds[kind] += 1
            self.examples.setdefault(kind, _examples()).append(_example(result.event))

    def merge(self, later: "Tally") -> None:
        """Add what was counted of a later part of the log."""
        self.replayed += later.replayed
        self.changed += later.changed
        self.first, self.last = self.first or later.first, later.last or self.last
        self.deciders.update(later.deciders)
        for kind, count in later.kinds.items():
            known = self._known(kind)
            self.kinds[known] += count
            self.examples.setdefault(known, _examples()).extend(later.examples[kind])
        for why, count in later.reasons.items():
            self._count_reason(why, count)

    def _known(self, kind: Kind) -> Kind:
        """The kind, or the one for all others where there are too many."""
        return kind if kind in self.kinds or len(self.kinds) < MOST_KINDS else OTHERS

    def _count_reason(self, why: str, count: int) -> None:
        known = why in self.reasons or len(self.reasons) < MOST_KINDS
        self.reasons[why if known else _OTHERS] += count


def kind_of(result: Replayed) -> Kind:
    """The kind of change that a result is. Where no rule decided, the layer stands for it, in brackets."""
    event, now = result.event, result.now
    return Kind(
        was=result.was or "",
        now=now.outcome,
        server=event.server or "",
        tool=event.tool or "",
        rule_was=result.rule_was or f"({result.decided_by_was})",
        rule_now=now.rule or f"({now.decided_by})",
    )


def _example(event: RecordedEvent) -> Example:
    return Example(event.id, event.ts, event.agent or "", brief_arguments(event, _LONGEST))

"""A log replayed on all processors: cut into ranges, each replayed as a whole, the parts given in the order of the log.

Where the cuts are depends on the log alone, so the parts are the same however many processes there are. A range is
bounded and only a few are under way at a time, so memory does not grow with the log.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from mcp_guard.errors import GuardError
from mcp_guard.insight.candidates import Candidate
from mcp_guard.insight.replay import Result
from mcp_guard.insight.replay import replay as replay_calls
from mcp_guard.policy import Policy
from mcp_guard.store.reader import Filters, RecordedEvent, newest_seq, oldest_seq, read_events

RANGE = 10_000  # rows of the log
WORTH_IT = 60_000  # rows from which on other processes pay for their start
MOST_PROCESSES = 16
_AHEAD = 2  # ranges given to each process at a time

Range = tuple[int, int]  # the seq before the first row, the seq of the last


class Collector(Protocol):
    """What keeps something of each result. It travels between processes as a whole."""

    def add(self, result: Result) -> None:
        """Take in one result."""
        ...


C = TypeVar("C", bound=Collector)


@dataclass(frozen=True, slots=True)
class Question(Generic[C]):
    """A log, the calls in it that are meant, the policies to ask, what makes an empty collector under the first, and
    the types of the events: where nothing is said, decisions about tools alone.
    """

    path: str
    filters: Filters
    policy: Candidate
    against: Candidate | None
    collector: Callable[[Policy], C]
    types: tuple[str, ...] = ("tool.decided",)


class Answerer(Generic[C]):
    """A question with its policies loaded, ready for any range."""

    def __init__(self, question: Question[C]) -> None:
        self._question = question
        self._policy = question.policy.load()
        self._against = None if question.against is None else question.against.load()

    def part(self, of: Range) -> C:
        """One range replayed."""
        question = self._question
        filters = replace(question.filters, after=of[0], upto=of[1], types=question.types)
        collected = question.collector(self._policy)
        for result in replay_calls(read_events(question.path, filters), self._policy, self._against):
            collected.add(result)
        return collected


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay has come, in rows of the log."""

    done: int
    total: int


def parts(question: Question[C], processes: int | None = None) -> Iterator[tuple[Progress, C]]:
    """The log, range by range, in order. Raises PolicyError, StoreError, GuardError."""
    answerer = Answerer(question)  # also where others do the work: what is wrong with a policy is said here
    ranges, total = _ranges(question.path)
    count = min(_processes() if processes is None else processes, MOST_PROCESSES, len(ranges))
    alone = count < 2 or (processes is None and total < WORTH_IT)
    found = map(answerer.part, ranges) if alone else _shared(question, ranges, count)
    for (_, upto), part in zip(ranges, found, strict=True):
        yield Progress(upto - ranges[0][0], total), part


def read_decisions(path: str, filters: Filters) -> Iterator[tuple[Progress, Iterator[RecordedEvent]]]:
    """The decisions of a log that fit, range by range, in order; each range is to be read before the next is asked for.

    Raises StoreError.
    """
    ranges, total = _ranges(path)
    for after, upto in ranges:
        here = replace(filters, after=after, upto=upto, types=("tool.decided",))
        yield Progress(upto - ranges[0][0], total), read_events(path, here)


def _ranges(path: str) -> tuple[list[Range], int]:
    """Where a log is cut, and how many rows it may have."""
    first, last = oldest_seq(path), newest_seq(path)
    if not last:
        return [], 0
    return [(start - 1, min(start + RANGE - 1, last)) for start in range(first, last + 1, RANGE)], last - first + 1


def _processes() -> int:
    """The processors that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _shared(question: Question[C], ranges: Sequence[Range], count: int) -> Iterator[C]:
    """The parts, made by other processes. The range with number n goes to process n modulo their count."""
    from mcp_guard.insight.workers import Worker, start

    workers: list[Worker[Range, C]] = start(question, Answerer[C], count)
    try:
        given = min(len(ranges), _AHEAD * count)
        for number in range(given):
            workers[number % count].give(ranges[number])
        for number in range(len(ranges)):
            yield workers[number % count].take()
            if given < len(ranges):
                workers[given % count].give(ranges[given])
                given += 1
    except (EOFError, OSError):
        hint = "it may have run out of memory: try again, with --since for less of the log"
        raise GuardError("a process of the replay ended before its work was done", hint) from None
    finally:
        for worker in workers:
            worker.end()

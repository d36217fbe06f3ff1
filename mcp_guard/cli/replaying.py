"""A replay as the command line asks for it: what is kept of each part of the log, and what is done with the whole.

A part is what one process sends to another, so it is small: counts with a few examples, or the lines of a document.
"""

from collections.abc import Iterator
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

from mcp_guard.cli.output import say_note
from mcp_guard.cli.progress import with_bar
from mcp_guard.cli.replay_report import Documents, print_json, print_tally
from mcp_guard.errors import GuardError
from mcp_guard.insight.candidates import Candidate
from mcp_guard.insight.export import Specimens, policy_file
from mcp_guard.insight.parallel import Question, parts
from mcp_guard.insight.recorded import OFFERS
from mcp_guard.insight.replay import Result
from mcp_guard.insight.tally import Tally
from mcp_guard.policy import Policy
from mcp_guard.store.reader import Filters


class Asked(NamedTuple):
    """What to replay: a log and the calls in it, a policy with its name for people, what to compare it with.

    `export` is the file for the tests, or None.
    """

    db: str
    filters: Filters
    policy: Candidate
    name: str
    against: Candidate | None = None
    against_name: str | None = None
    export: str | None = None


class _Shown(Protocol):
    def add(self, result: Result) -> None: ...


S = TypeVar("S", bound=_Shown)


class Part(Generic[S]):
    """What one part of the log comes to: what is shown of it, and the tests that its calls make, if they are wanted."""

    def __init__(self, policy: Policy, shown: type[S], with_tests: bool) -> None:
        self.shown = shown()
        self.specimens = Specimens(policy) if with_tests else None

    def add(self, result: Result) -> None:
        """Take in one result."""
        self.shown.add(result)
        if self.specimens is not None:
            self.specimens.add(result)


def as_report(asked: Asked) -> int:
    """Replay, and print a summary; gives the number of calls whose outcome would change."""
    whole = tally_of(asked)
    print_tally(whole, asked.name, asked.against_name)
    if not whole.first:
        say_note("no such calls are recorded")
    return whole.changed


def tally_of(asked: Asked) -> Tally:
    """Replay, and count."""
    whole = Tally()
    for part in _shown(asked, Tally):
        whole.merge(part)
    return whole


def as_document(asked: Asked) -> int:
    """Replay, and print one JSON document; gives the number of calls whose outcome would change."""
    return print_json(_shown(asked, Documents))


def _shown(asked: Asked, kind: type[S]) -> Iterator[S]:
    """What is shown of each part, in order. When all is read, the tests are written."""
    collector: partial[Part[S]] = partial(Part, shown=kind, with_tests=asked.export is not None)
    tests: Specimens | None = None
    question = Question(asked.db, asked.filters, asked.policy, asked.against, collector, tuple(OFFERS))
    for part in with_bar(parts(question), "replaying"):
        if part.specimens is not None:
            tests = part.specimens if tests is None else _merged(tests, part.specimens)
        yield part.shown
    if asked.export is not None:
        write_file(
            asked.export, policy_file(tests, _heading(asked, tests)) if tests else "version: 1\ntests: []\n", "--export"
        )


def _merged(tests: Specimens, later: Specimens) -> Specimens:
    tests.merge(later)
    return tests


def _heading(asked: Asked, tests: Specimens) -> str:
    """What a reader of the file must know."""
    lines = [
        f"Recorded calls as tests: what {asked.name} decides about them. Run them with",
        f"  mcp-guard policy test {' '.join(source.path for source in asked.policy.sources)} {asked.export}",
        "Calls that no rule tells apart are one test; of each kind a few stand here.",
    ]
    return "\n".join([*lines, *(f"Left out: calls that {why}." for why in sorted(tests.left_out))])


def write_file(path: str, text: str, option: str) -> None:
    """Write a file that was asked for with `option`. Raises GuardError."""
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise GuardError(f"{path}: cannot be written: {error.strerror}", f"name another file with {option}") from None

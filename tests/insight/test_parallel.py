"""A log replayed by several processes: the same answer as by one, in order, and a clear end where one dies."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.insight import parallel
from mcp_guard.insight.candidates import Candidate
from mcp_guard.insight.parallel import Progress, Question, parts
from mcp_guard.insight.replay import Result
from mcp_guard.insight.tally import EXAMPLES, MOST_KINDS, Tally
from mcp_guard.policy import Policy, Source
from mcp_guard.store.errors import StoreError
from mcp_guard.store.reader import Filters
from tests.insight.recordings import NOON, Recording, record

OLD = "version: 1\nrules: [{id: all, effect: allow}]\n"
NEW = """\
version: 1
rules:
  - {id: odd, effect: deny, tools: put, when: request.args.n % 2 == 1}
  - {id: secret, effect: deny, tools: put, when: 'has(request.args.password) && request.args.password == "x"'}
  - {id: all, effect: allow}
"""


def empty_tally(policy: Policy) -> Tally:
    return Tally()


def question(path: str, policy: str = NEW) -> Question[Tally]:
    return Question(path, Filters(), Candidate((Source("new.yaml", policy.encode()),)), None, empty_tally)


def whole(found: list[tuple[Progress, Tally]]) -> Tally:
    tally = Tally()
    for _, part in found:
        tally.merge(part)
    return tally


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    talk = Recording(OLD, ["put", "get"], at=NOON)
    for number in range(300):
        talk.call("put", n=number) if number % 3 else talk.call("put", n=2, password="hunter2")
        talk.call("get", n=number)
    return record(tmp_path_factory.mktemp("log") / "audit.db", talk)


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "RANGE", 100)


@pytest.mark.usefixtures("small_ranges")
def test_two_processes_come_to_what_one_comes_to(log: str) -> None:
    alone, shared = list(parts(question(log), 1)), list(parts(question(log), 2))
    assert len(alone) == 13
    assert shared == alone
    tally = whole(shared)
    assert (tally.replayed, tally.changed, tally.unchanged) == (500, 100, 400)
    assert dict(tally.reasons) == {'rule "secret" reads arguments that were not kept: /password': 100}
    assert dict(tally.deciders) == {"odd": 100, "all": 400}
    ((kind, examples),) = tally.examples.items()
    assert (kind.was, kind.now, kind.tool, kind.rule_was, kind.rule_now) == ("allow", "deny", "put", "all", "odd")
    assert [example.arguments for example in examples] == ["n=293", "n=295", "n=299"]


@pytest.mark.usefixtures("small_ranges")
def test_progress_is_in_rows_and_ends_with_all_of_them(log: str) -> None:
    steps = [progress for progress, _ in parts(question(log), 1)]
    assert steps[0] == Progress(100, 1202)
    assert steps[-1] == Progress(1202, 1202)


def test_an_empty_log_has_no_parts(tmp_path: Path) -> None:
    assert list(parts(question(record(tmp_path / "audit.db")), 2)) == []


def test_a_log_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no audit log"):
        list(parts(question(str(tmp_path / "none.db")), 2))


class Fatal:
    """A collector whose process dies."""

    def add(self, result: Result) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Faulty:
    """A collector that fails."""

    def add(self, result: Result) -> None:
        raise StoreError("the audit log is damaged", "mend it")


def made(policy: Policy, kind: type[Fatal] | type[Faulty]) -> Fatal | Faulty:
    return kind()


@pytest.mark.usefixtures("small_ranges")
@pytest.mark.parametrize(
    ("collector", "message"), [(Fatal, "ended before its work was done"), (Faulty, "the audit log is damaged")]
)
def test_what_goes_wrong_in_another_process_is_said_here(
    log: str, collector: type[Fatal] | type[Faulty], message: str
) -> None:
    asked = Question(log, Filters(), Candidate((Source("p", NEW.encode()),)), None, partial(made, kind=collector))
    with pytest.raises(GuardError, match=message):
        list(parts(asked, 2))


def test_what_is_kept_of_a_replay_does_not_grow_with_the_log() -> None:
    from dataclasses import replace

    from mcp_guard.insight.replay import Replayed
    from mcp_guard.policy import Decision
    from tests.insight.test_replay import recorded

    event = recorded(arguments={"path": "x" * 5000})
    tally, other = Tally(), Tally()
    for number in range(3 * MOST_KINDS):
        for one in (tally, other):
            one.add(Replayed(replace(event, tool=f"t{number}"), Decision("deny", "policy", "r", "")))
    tally.merge(other)
    assert (tally.changed, tally.kinds.total()) == (6 * MOST_KINDS, 6 * MOST_KINDS)
    assert len(tally.kinds) == len(tally.examples) == MOST_KINDS + 1
    assert all(len(examples) <= EXAMPLES for examples in tally.examples.values())
    assert all(len(one.arguments) <= 200 for examples in tally.examples.values() for one in examples)

"""Calls that are judged in the very instant in which the registry is changed about their agent: judged again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.store.registry import agents, budgets, grants, overrides
from mcp_guard.store.registry.book import Book
from mcp_guard.transports.unwritten import ATTEMPTS
from tests.gate.playbook import notification, request, result
from tests.transports.interfered import AGENT, SHAPES, Change, Line, texts

POLICY = """
version: 1
rules:
  - {id: mail, effect: require_approval, tools: send_mail}
  - {id: all, effect: allow}
  - {id: offers, effect: allow, prompts: "*", resources: "*"}
"""
RUNS, QUARANTINED = ("allow", "policy"), ("deny", "quarantine")


@pytest.fixture
def line_of(tmp_path: Path) -> Iterator[Callable[..., Line]]:
    lines: list[Line] = []

    def open_line(shape: str = "legacy", policy: str = POLICY, **more: bool) -> Line:
        lines.append(Line(str(tmp_path / "audit.db"), policy, shape, **more))
        return lines[-1]

    yield open_line
    for line in lines:
        line.close()


def quarantine(book: Book) -> None:
    agents.quarantine(book, AGENT)


def restore(book: Book) -> None:
    agents.restore(book, AGENT)


def grant(pattern: str, effect: str = "allow") -> Change:
    return lambda book: grants.add(book, AGENT, pattern, effect)


def stop(book: Book) -> None:
    overrides.stop(book, None)


def ask_first(book: Book) -> None:
    overrides.add(book, AGENT, "read_*", "require_approval")


SHAPED = pytest.mark.parametrize("shape", SHAPES)
CHANGES: list[tuple[str, list[Change], tuple[str, str]]] = [
    ("nothing", [], RUNS),
    ("something that leaves the call as it is", [grant("other_*")], RUNS),
    ("it is quarantined", [quarantine], QUARANTINED),
    ("it is quarantined and restored", [quarantine, restore], QUARANTINED),
    ("its risk is raised", [lambda book: agents.update(book, AGENT, risk="high")], RUNS),
    ("a grant forbids it", [grant("read_*", "deny")], ("deny", "grant")),
    ("everything is stopped", [stop], ("deny", "override")),
    ("one thing after another", [grant(f"tool_{number}") for number in range(8)], RUNS),
]


@SHAPED
@pytest.mark.parametrize(("changes", "expected"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_a_call_is_judged_under_what_is_so_when_its_row_is_written(line_of, shape, changes, expected):
    line = line_of(shape)
    told = line.say(line.call(7), changes=changes)
    assert line.decisions() == [expected]
    assert len(line.ran) == (expected == RUNS)
    (text,) = texts(told)
    assert ("done" in text) == (expected == RUNS)
    assert "changed while" not in text
    assert [one["id"] for one in told if "id" in one] == [7]


@SHAPED
def test_what_follows_is_as_ever(line_of, shape):
    line = line_of(shape)
    line.say(line.call(7), changes=[grant("other_*")])
    line.say(line.call(8), changes=[quarantine])
    line.say(line.call(9), changes=[restore])
    assert texts(line.say(line.call(10))) == ["done"]
    assert line.decisions() == [RUNS, QUARANTINED, QUARANTINED, RUNS]


@SHAPED
def test_calls_that_come_together_keep_their_order_and_their_ids(line_of, shape):
    line = line_of(shape)
    told = line.say(*(line.call(number, path=str(number)) for number in range(1, 6)), changes=[grant("a"), grant("b")])
    assert [one["id"] for one in told if "id" in one] == [1, 2, 3, 4, 5]
    assert [message["params"]["arguments"]["path"] for message in line.ran] == ["1", "2", "3", "4", "5"]
    assert line.decisions() == [RUNS] * 5


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if SHAPES[shape][0] == "legacy"])
def test_the_change_itself_is_told_as_ever(line_of, shape):
    line = line_of(shape)
    told = line.say(line.call(7), changes=[quarantine])
    assert "notifications/tools/list_changed" in [one.get("method") for one in told]


def test_the_same_is_true_of_prompts_and_resources(line_of):
    line = line_of()
    get, read = request(1, "prompts/get", name="report"), request(2, "resources/read", uri="db://users")
    told = line.say(get, read, changes=[grant("a")])
    assert [one["id"] for one in told if "result" in one] == [1, 2]
    assert [(row["type"], row["decision"]) for row in line.rows()] == [
        ("prompt.decided", "allow"),
        ("resource.decided", "allow"),
    ]
    told = line.say({**get, "id": 3}, {**read, "id": 4}, changes=[quarantine])
    why = "This agent is quarantined: every call of it is denied until a person restores it."
    assert sorted(one["error"]["message"] for one in told if "error" in one) == [
        f"Getting the prompt report was denied. {why}",
        f"Reading db://users was denied. {why}",
    ]
    assert len(line.ran) == 2


def test_a_subscription_is_judged_again_as_a_whole(line_of):
    line = line_of("modern")
    uris = ["db://users", "db://orders"]
    asked = request(7, "subscriptions/listen", notifications={"resourceSubscriptions": uris}, **line.meta)
    line.say(asked, changes=[grant("a")])
    assert [message["params"]["notifications"]["resourceSubscriptions"] for message in line.ran] == [uris]
    assert [(row["tool"], row["decision"]) for row in line.rows()] == [
        ("db://users", "allow"),
        ("db://orders", "allow"),
    ]
    line.say({**asked, "id": 8}, changes=[stop])
    assert line.ran[1:] == [] or line.ran[1]["params"]["notifications"]["resourceSubscriptions"] == []
    assert line.decisions()[2:] == [("deny", "override")] * 2


def test_a_batch_is_answered_as_one_array_all_the_same(line_of, monkeypatch):
    monkeypatch.setattr("tests.transports.interfered.VERSION", "2025-03-26")
    line = line_of()
    (answers,) = (one for one in line.say([line.call(1), line.call(2)], changes=[grant("a")]) if isinstance(one, list))
    assert [answer["id"] for answer in answers] == [1, 2]
    told = line.say([line.call(3), line.call(4)], changes=[quarantine])
    (answers,) = (one for one in told if isinstance(one, list))
    assert all("quarantined" in answer["result"]["content"][0]["text"] for answer in answers)
    assert line.decisions() == [RUNS, RUNS, QUARANTINED, QUARANTINED]


def test_a_call_that_was_cancelled_in_the_same_breath_runs_no_more(line_of):
    line = line_of()
    told = line.say(line.call(7), notification("notifications/cancelled", requestId=7), changes=[grant("a")])
    assert (line.ran, [one for one in told if "id" in one]) == ([], [])
    assert line.decisions() == [("deny", "guard")]
    assert texts(line.say(line.call(7))) == ["done"]


def test_another_client_on_the_line_does_not_get_what_one_was_judged_for(line_of):
    line = line_of("modern")
    other = line.call(8)
    other["params"]["_meta"] = {**other["params"]["_meta"], "io.modelcontextprotocol/clientInfo": {"name": "another"}}
    line.say(line.call(7), other, changes=[grant("a")])
    assert line.decisions() == [("deny", "guard"), RUNS]


def test_a_call_costs_once_however_often_it_is_judged(line_of):
    line = line_of()
    budgets.put(line.book, AGENT, "day", "calls", 3)
    for number in range(3):
        line.say(line.call(number), changes=[grant(f"a_{number}"), grant(f"b_{number}")])
    line.say(line.call(9), changes=[grant("c")])
    assert line.decisions() == [RUNS, RUNS, RUNS, ("deny", "budget")]


def test_a_call_that_needs_a_person_by_then_waits_for_one(line_of):
    line = line_of()
    (asked,) = questions(line.say(line.call(7), changes=[ask_first]))
    assert (line.decisions(), line.ran) == ([], [])
    assert texts(line.say(said(asked, "allow once"))) == ["done"]
    assert line.decisions() == [("allow", "approval")]


def questions(told: list) -> list[dict]:
    return [one for one in told if one.get("method") == "elicitation/create"]


def said(asked: dict, decision: str) -> dict:
    return result(asked["id"], action="accept", content={"decision": decision})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [([grant("a"), grant("b")], ("allow", "approval")), ([quarantine], QUARANTINED)],
    ids=["something else", "a quarantine"],
)
def test_what_a_person_has_approved_is_judged_again_and_nobody_is_asked_twice(line_of, changes, expected):
    line = line_of()
    (asked,) = questions(line.say(line.call(7, "send_mail")))
    told = line.say(said(asked, "allow once"), changes=changes)
    assert questions(told) == []
    assert line.decisions() == [expected]
    assert len(line.ran) == (expected[0] == "allow")


def test_an_approval_ahead_that_is_taken_back_in_that_instant_is_none(line_of):
    line = line_of()
    given = grants.add(line.book, AGENT, "send_mail", "approve", expires=line.book.now + 60_000_000)
    told = line.say(line.call(7, "send_mail"), changes=[lambda book: grants.revoke(book, given["id"])])
    assert len(questions(told)) == 1
    assert (line.decisions(), line.ran) == ([], [])


def test_calls_that_wait_in_the_store_are_settled_by_what_changes_meanwhile(line_of):
    line = line_of(forms=False)
    told = line.say(line.call(7, "send_mail"), line.call(8), changes=[quarantine])
    assert sorted(one["id"] for one in told if "id" in one) == [7, 8]
    assert line.decisions() == [QUARANTINED, QUARANTINED]
    assert line.ran == []


@SHAPED
def test_a_registry_that_never_rests_denies_in_the_end_and_says_so(line_of, shape):
    line = line_of(shape)
    told = line.say(line.call(7), changes=[grant(f"tool_{number}") for number in range(5 * ATTEMPTS)])
    assert "the registry of agents was changed while this call was judged" in texts(told)[0]
    assert line.decisions() == [("deny", "guard")]
    assert texts(line.say(line.call(8))) == ["done"]


# Whatever happens

SEQUENCES = st.lists(
    st.tuples(st.integers(1, 3), st.lists(st.sampled_from(["quarantine", "restore", "grant", "others"]), max_size=4)),
    max_size=6,
)


def change_of(kind: str, counter: Iterator[int]) -> Change:
    def change(book: Book) -> None:
        status = agents.get(book, AGENT)["status"]
        if kind == "quarantine" and status == "active":
            agents.quarantine(book, AGENT)
        elif kind == "restore" and status == "quarantined":
            agents.restore(book, AGENT)
        elif kind == "grant":
            grants.add(book, AGENT, f"tool_{next(counter)}", "allow")
        else:
            agents.create(book, f"other-{next(counter)}")

    return change


@settings(max_examples=25)
@given(st.sampled_from([*SHAPES]), SEQUENCES)
def test_every_call_runs_or_is_denied_by_the_quarantine_and_runs_only_outside_of_it(shape, sequence):
    counter, number = iter(range(10_000)), 0
    with TemporaryDirectory() as home:
        line = Line(f"{home}/audit.db", POLICY, shape)
        try:
            for together, kinds in sequence:
                asked = [line.call(number + one) for one in range(together)]
                number += together
                told = line.say(*asked, changes=[change_of(kind, counter) for kind in kinds])
                assert [one["id"] for one in told if "id" in one] == [one["id"] for one in asked]
            assert set(line.decisions()) <= {RUNS, QUARANTINED}
            assert len(line.decisions()) == number
            assert len(line.ran) == line.decisions().count(RUNS)
            assert allowed_while_quarantined(line.book) == []
        finally:
            line.close()


def allowed_while_quarantined(book: Book) -> list[int]:
    """The rows of calls that ran after their agent was quarantined and before it was restored."""
    found, barred = [], False
    for row in book.rows("SELECT seq, type, decision FROM events ORDER BY seq"):
        barred = {"agent.quarantined": True, "agent.restored": False}.get(row["type"], barred)
        if barred and row["type"] == "tool.decided" and row["decision"] == "allow":
            found.append(row["seq"])
    return found

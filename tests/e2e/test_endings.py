"""However a session ends, every open request gets an answer, the status says how, and no process is left.

That nothing is left is looked at after every test in this directory (`no_process_left`).
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.npm import npx
from tests.e2e.wire import Wire, text_of, wire

WRAPPERS: list[Callable[[Sequence[str]], list[str]]] = [
    lambda command: [*command],
    lambda command: ["sh", "-c", '"$0" "$@"; exit $?', *command],  # as npx does: a parent that stays
]


@pytest.fixture(params=WRAPPERS, ids=["the server itself", "a shell around it"])
def session(guard: Guard, request: pytest.FixtureRequest) -> Iterator[Wire]:
    with wire(guard.command(request.param(server("odd")))) as connection:
        connection.open("2025-11-25")
        assert text_of(connection.call("answer")) == "ok"
        yield connection


@pytest.mark.parametrize(
    ("tool", "arguments", "says", "status"),
    [
        ("leave", {"status": 3}, "3", {3}),
        ("leave", {"status": 0}, "", {0, 1}),
        ("crash", {"signal": signal.SIGSEGV}, "SIGSEGV", {128 + signal.SIGSEGV}),
        ("crash", {"signal": signal.SIGKILL}, "SIGKILL", {128 + signal.SIGKILL}),
    ],
)
def test_the_death_of_the_server_answers_every_open_request(
    session: Wire, guard: Guard, tool: str, arguments: dict[str, int], says: str, status: set[int]
) -> None:
    open_requests = {
        session.ask("tools/call", {"name": "hang", "arguments": {}}),
        session.ask("tools/call", {"name": "hang", "arguments": {}}, id="a string"),
        session.ask("tools/call", {"name": tool, "arguments": arguments}),
    }
    answers = [session.receive() for _ in open_requests]
    assert {answer["id"] for answer in answers} == open_requests
    assert all("exited" in answer["error"]["message"] or "killed" in answer["error"]["message"] for answer in answers)
    assert session.rest() == []
    assert session.wait() in status
    assert len(guard.events("upstream.exited")) == len(guard.events("agent.disconnected")) == 1


def test_the_end_of_the_client_ends_all(session: Wire, guard: Guard) -> None:
    session.ask("tools/call", {"name": "hang", "arguments": {}})
    assert session.finish() == 0
    assert len(guard.events("agent.disconnected")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_in_order(session: Wire, guard: Guard, number: signal.Signals) -> None:
    session.process.send_signal(number)
    session.rest()
    assert session.wait() == 128 + number
    [disconnected] = guard.events("agent.disconnected")
    assert number.name in disconnected["data"]["why"]


def test_a_server_that_hears_nothing_is_killed(session: Wire) -> None:
    session.call("block")
    assert session.finish() == 0


def test_the_guard_is_killed_and_the_server_goes_too(session: Wire) -> None:
    session.call("block")
    session.process.kill()
    assert session.wait() == -signal.SIGKILL


def test_calls_that_came_before_the_end_are_answered(guard: Guard) -> None:
    """A client that writes all it has and closes its input, as scripts do, gets every answer."""
    with wire(guard.command(server("odd"))) as session:
        session.open("2025-11-25")
        ids = [session.ask("tools/call", {"name": "answer", "arguments": {}}) for _ in range(50)]
        session.close_input()
        assert [message["id"] for message in session.rest()] == ids
        assert session.wait() == 0


ENDINGS: list[tuple[str, Callable[[Wire], object], int]] = [
    ("the end of its input", lambda session: session.close_input(), 0),
    ("SIGTERM", lambda session: session.process.terminate(), 128 + signal.SIGTERM),
    ("SIGKILL", lambda session: session.process.kill(), -signal.SIGKILL),
]


@pytest.mark.parametrize(("end", "status"), [ending[1:] for ending in ENDINGS], ids=[ending[0] for ending in ENDINGS])
def test_nothing_is_left_of_a_server_that_npx_started(
    guard: Guard, tmp_path: Path, end: Callable[[Wire], object], status: int
) -> None:
    with wire(guard.command([*npx("filesystem"), str(tmp_path)])) as session:
        session.open("2025-11-25")
        session.request("tools/list")
        end(session)
        session.rest()
        assert session.wait() == status

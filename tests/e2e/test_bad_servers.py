"""What a server does wrong harms nobody but itself: it is logged, it is not forwarded, and the session lives on."""

from collections.abc import Iterator

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.wire import Wire, text_of, wire


@pytest.fixture(params=("2025-03-26", "2025-11-25"))  # with batches and without
def session(guard: Guard, request: pytest.FixtureRequest) -> Iterator[Wire]:
    with wire(guard.command(server("odd"), "--max-message", "4")) as connection:
        connection.open(request.param)
        yield connection


def test_garbage_on_its_stdout_is_logged_and_not_forwarded(session: Wire, guard: Guard) -> None:
    before = len(session.seen)
    assert text_of(session.call("garbage")) == "ok"
    assert len(session.seen) == before + 1, "nothing but the answer came through"
    assert text_of(session.call("answer")) == "ok"
    session.finish()
    rejected = guard.events("message.rejected")
    assert len(rejected) >= 12
    assert {row["data"]["from"] for row in rejected} == {"upstream"}


def test_a_second_answer_to_one_call_is_not_forwarded(session: Wire, guard: Guard) -> None:
    assert text_of(session.call("twice")) == "first"
    assert text_of(session.call("answer")) == "ok"
    session.finish()
    [rejected] = guard.events("message.rejected")
    assert rejected["data"]["from"] == "upstream"


def test_a_line_over_the_limit_is_logged_and_not_forwarded(session: Wire, guard: Guard) -> None:
    assert text_of(session.call("flood", {"mebibytes": 6})) == "ok"
    session.finish()
    [rejected] = guard.events("message.rejected")
    assert rejected["data"]["bytes"] == 6 << 20


def test_an_answer_over_the_limit_becomes_an_error(session: Wire, guard: Guard) -> None:
    """What of it went ahead is a broken line at the client, and no more of it than the limit."""
    request = session.ask("tools/call", {"name": "large", "arguments": {"bytes": 6 << 20}})
    assert len(session.line()) <= 4 << 20
    error = session.response(request)["error"]["message"]
    assert "larger than the limit of 4194304 bytes; it is raised with `--max-message` (in MiB)" in error
    assert text_of(session.call("answer")) == "ok"
    session.finish()
    [rejected] = guard.events("message.rejected")
    assert rejected["data"]["bytes"] > 6 << 20


def test_its_stderr_is_passed_on(session: Wire) -> None:
    session.call("chatter")
    assert "this goes to stderr" in session.stderr()

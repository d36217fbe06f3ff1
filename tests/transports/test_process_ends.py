"""How an upstream ends while its guard lives: by itself, by EOF, SIGTERM or SIGKILL, or with others left behind."""

import os
import signal
import sys
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from mcp_guard.transports import keeper, process
from mcp_guard.transports.process import Exit, Upstream, spawn
from tests.transports.process_watch import (
    alive,
    closing,
    exists,
    habit,
    in_background,
    read_line,
    wait_for_exit,
    wait_until,
    wait_until_gone,
)


@pytest.fixture
def mark() -> str:
    return f"mark-{uuid4()}"


LONG, SHORT = 20.0, 0.1  # seconds of grace: so much as even a busy machine does not need, and next to none


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a busy machine needs for what it is told is not what is tested here."""
    monkeypatch.setattr(process, "_KEEPER_PATIENCE", LONG)


def as_tuple(how: Exit) -> tuple[int | None, int | None, bool]:
    return how.code, how.signal, how.asked


BY_ITSELF = [
    ("exit 0", (0, None, False)),
    ("exit 3", (3, None, False)),
    ("kill -KILL $$", (None, signal.SIGKILL, False)),
    ("kill -SEGV $$", (None, signal.SIGSEGV, False)),
]


@pytest.mark.parametrize(("script", "expected"), BY_ITSELF)
def test_an_upstream_that_ends_by_itself_is_reported_as_it_ended(
    script: str, expected: tuple[int | None, int | None, bool]
) -> None:
    with closing(spawn(["sh", "-c", script])) as upstream:
        assert as_tuple(wait_for_exit(upstream)) == expected
        upstream.close()
        upstream.kill()
        again = upstream.read_status()
        assert again is not None
        assert as_tuple(again) == expected


def end(upstream: Upstream) -> None:
    upstream.end()


def terminate(upstream: Upstream) -> None:
    upstream.terminate()


def kill(upstream: Upstream) -> None:
    upstream.kill()


LADDER = [
    # habit, order, grace before SIGTERM, before SIGKILL, how it ends
    ("echo", end, LONG, LONG, (0, None, True)),
    ("echo", terminate, LONG, LONG, (None, signal.SIGTERM, True)),
    ("echo", kill, LONG, LONG, (None, signal.SIGKILL, True)),
    ("polite", end, SHORT, LONG, (5, None, True)),
    ("polite", terminate, LONG, LONG, (5, None, True)),
    ("stubborn", end, SHORT, SHORT, (None, signal.SIGKILL, True)),
    ("stubborn", terminate, LONG, SHORT, (None, signal.SIGKILL, True)),
    ("stubborn", kill, LONG, LONG, (None, signal.SIGKILL, True)),
]


@pytest.mark.parametrize(("name", "order", "before_term", "before_kill", "expected"), LADDER)
def test_an_order_to_end_is_carried_out_as_gently_as_the_upstream_lets_it(
    name: str,
    order: Callable[[Upstream], None],
    before_term: float,
    before_kill: float,
    expected: tuple[int | None, int | None, bool],
    mark: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "GRACE", {keeper.END: before_term, keeper.TERMINATE: before_kill})
    with closing(spawn(habit(name, mark))) as upstream:
        assert read_line(upstream) == "ready"
        order(upstream)
        assert as_tuple(wait_for_exit(upstream)) == expected
        upstream.close()
    assert alive(mark) == {}
    assert not exists(upstream.pid)


def test_the_whole_ladder_is_shorter_than_the_patience_of_clients() -> None:
    assert keeper.END_GRACE + keeper.TERMINATE_GRACE < 2.0


def test_an_order_does_not_wait_and_a_rung_gives_its_time(mark: str) -> None:
    with closing(spawn(habit("stubborn", mark))) as upstream:
        read_line(upstream)
        before = time.monotonic()
        upstream.end()
        wait_for_exit(upstream)
        assert time.monotonic() - before >= keeper.END_GRACE + keeper.TERMINATE_GRACE


WRAPS = [
    "{server}; true",
    "{background} wait",
    "sh -c '{background} wait'; true",
    "sh -c 'sh -c \"{server}; true\"; true'",
    # another session and group, which only Linux lets the keeper follow
    "setsid sh -c '{server}; true'; true" if sys.platform == "linux" else "sh -c '{server}; true'; true",
]


def wrapped(wrap: str, name: str, mark: str) -> list[str]:
    server = habit(name, mark)
    return ["sh", "-c", wrap.format(server=" ".join(server), background=in_background(server))]


@pytest.mark.parametrize("wrap", WRAPS)
def test_sigterm_is_sent_once_to_each_however_often_it_is_ordered(
    wrap: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(keeper.GRACE, keeper.TERMINATE, LONG)
    with closing(spawn(wrapped(wrap, "slow_to_end", mark))) as upstream:
        assert read_line(upstream) == "ready"
        upstream.terminate()
        assert wait_for_exit(upstream).signal == signal.SIGTERM
        upstream.terminate()
        upstream.end()
        assert read_line(upstream) == "told 1 times"


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("name", ["echo", "stubborn"])
def test_a_server_behind_shells_goes_with_them(name: str, wrap: str, mark: str) -> None:
    with closing(spawn(wrapped(wrap, name, mark))) as upstream:
        assert read_line(upstream) == "ready"
        upstream.terminate()
        wait_for_exit(upstream)
        upstream.close()
        assert alive(mark) == {}


@pytest.mark.parametrize("name", ["polite", "stubborn", "daemon"])
def test_what_an_ended_upstream_left_behind_is_ended_by_close(name: str, mark: str) -> None:
    with closing(spawn(["sh", "-c", f"{' '.join(habit(name, mark))} & read line"])) as upstream:
        assert read_line(upstream) == "ready"
        os.write(upstream.stdin, b"go\n")
        assert wait_for_exit(upstream).code == 0
        assert alive(mark)
        upstream.close()
        assert alive(mark) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt what left its children's group")
@pytest.mark.parametrize("name", ["daemon", "runaway"])
@pytest.mark.parametrize("order", [end, terminate, kill])
def test_what_left_the_group_is_ended_too(name: str, order: Callable[[Upstream], None], mark: str) -> None:
    with closing(spawn(habit(name, mark))) as upstream:
        assert read_line(upstream) == "ready"
        order(upstream)
        wait_for_exit(upstream)
        upstream.close()
        assert alive(mark) == {}


@pytest.mark.parametrize("name", ["echo", "polite", "stubborn"])
@pytest.mark.parametrize("wrap", WRAPS[:4])
def test_without_a_subreaper_the_group_is_ended(
    name: str, wrap: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, or under a system call filter that forbids prctl."""
    monkeypatch.setattr(keeper, "adopt_orphans", lambda: None)
    monkeypatch.setattr(keeper, "descendants", lambda _root: [])
    with closing(spawn(wrapped(wrap, name, mark))) as upstream:
        assert read_line(upstream) == "ready"
        upstream.terminate()
        wait_for_exit(upstream)
        upstream.close()
        wait_until_gone(mark)


def test_orphans_that_end_while_the_upstream_serves_are_reaped(mark: str) -> None:
    with closing(spawn(["sh", "-c", "(sleep 0 & echo $!) ; cat"])) as upstream:
        orphan = int(read_line(upstream))
        wait_until("the orphan is reaped", lambda: not exists(orphan))
        assert upstream.read_status() is None


def test_close_twice_and_orders_after_it_do_nothing(mark: str) -> None:
    upstream = spawn(habit("echo", mark))
    upstream.close()
    upstream.close()
    for order in (upstream.close_stdin, upstream.end, upstream.terminate, upstream.kill):
        order()
    assert (upstream.stdin, upstream.stdout, upstream.status) == (-1, -1, -1)

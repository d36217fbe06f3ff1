"""Who dies first: guard, keeper, or both at once, without a word; afterwards nothing of the upstream is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from mcp_guard.transports.process import spawn
from tests.transports.process_watch import (
    DEADLINE,
    HERE,
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

LINUX = sys.platform == "linux"
needs_subreaper = pytest.mark.skipif(not LINUX, reason="only Linux lets a keeper adopt what left the group")


@pytest.fixture
def mark() -> Iterator[str]:
    """A mark whose processes are killed after the test, should it have failed."""
    mark = f"mark-{uuid4()}"
    yield mark
    for pid in alive(mark):
        os.kill(pid, signal.SIGKILL)


class Guard:
    """A guard in a process and a session of its own, with its upstreams, to be killed."""

    def __init__(self, mark: str, verb: str, *commands: list[str]) -> None:
        arguments = [argument for command in commands for argument in ("--", *command)][1:]
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "doomed_guard.py"), mark, verb, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.pid: int = said["guard"]
        self.upstreams: list[int] = said["upstreams"]
        self.keepers: list[int] = said["keepers"]

    def wait(self) -> None:
        """Take its status, and close its pipes; its stdout ends, or something still holds it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.wait(DEADLINE)
        assert self.process.stdout.read() == b""
        self.process.stdin.close()
        self.process.stdout.close()


def kill_guard(guard: Guard) -> None:
    os.kill(guard.pid, signal.SIGKILL)


def kill_group_of_guard(guard: Guard) -> None:
    os.killpg(guard.pid, signal.SIGKILL)


def kill_guard_and_keepers(guard: Guard) -> None:
    for pid in (guard.pid, *guard.keepers):
        os.kill(pid, signal.SIGKILL)


def terminate_all_but_the_upstream(guard: Guard) -> None:
    for pid in (*guard.keepers, guard.pid):
        os.kill(pid, signal.SIGTERM)


def in_shells(name: str, mark: str) -> list[str]:
    return ["sh", "-c", f"sh -c '{in_background(habit(name, mark))} wait'; true"]


DEATHS = [
    (kill_guard, "echo"),
    (kill_guard, "polite"),
    (kill_guard, "stubborn"),
    pytest.param(kill_guard, "daemon", marks=needs_subreaper),
    pytest.param(kill_guard, "runaway", marks=needs_subreaper),
    (kill_group_of_guard, "stubborn"),
    (terminate_all_but_the_upstream, "stubborn"),
]


@pytest.mark.parametrize("wrapped", [False, True], ids=["direct", "in shells"])
@pytest.mark.parametrize(("die", "name"), DEATHS)
def test_nothing_outlives_a_guard_that_died_without_a_word(die, name: str, wrapped: bool, mark: str) -> None:
    command = in_shells(name, mark) if wrapped else habit(name, mark)
    guard = Guard(mark, "start", command)
    members = list(alive(mark))
    assert set(guard.upstreams) < set(members)
    die(guard)
    guard.wait()
    wait_until_gone(mark)
    wait_until("no zombie is left", lambda: not any(exists(pid) for pid in members if pid not in guard.keepers))


def test_one_upstream_does_not_keep_another_from_ending(mark: str) -> None:
    """No keeper, and no upstream, holds an end of a pipe that belongs to another."""
    guard = Guard(mark, "start", *[habit("echo", mark)] * 3)
    assert len(guard.upstreams) == 3
    kill_guard(guard)
    guard.wait()
    wait_until_gone(mark)
    with closing(spawn(habit("echo", mark))) as first, closing(spawn(habit("echo", mark))) as second:
        assert (read_line(first), read_line(second)) == ("ready", "ready")
        first.close_stdin()
        assert wait_for_exit(first).code == 0
        assert second.read_status() is None


def test_a_guard_that_dies_before_it_started_anything_leaves_no_keeper(mark: str) -> None:
    guard = Guard(mark, "prepare", habit("echo", mark), habit("stubborn", mark))
    assert guard.upstreams == []
    kill_guard(guard)
    guard.wait()
    wait_until_gone(mark)


@pytest.mark.parametrize("name", ["echo", "stubborn"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["direct", "in shells"])
def test_a_killed_keeper_takes_the_upstream_with_it_and_the_guard_hears_of_it(
    name: str, wrapped: bool, mark: str
) -> None:
    with closing(spawn(in_shells(name, mark) if wrapped else habit(name, mark))) as upstream:
        assert read_line(upstream) == "ready"
        os.kill(upstream.keeper_pid, signal.SIGKILL)
        how = wait_for_exit(upstream)
        assert (how.code, how.signal) == (None, None)
        wait_until_gone(mark)
        upstream.close()
        assert not exists(upstream.keeper_pid)


def test_what_was_left_behind_goes_also_where_the_keeper_was_killed_after_the_upstream_ended(mark: str) -> None:
    with closing(spawn(["sh", "-c", f"{' '.join(habit('stubborn', mark))} & read line"])) as upstream:
        assert read_line(upstream) == "ready"
        os.write(upstream.stdin, b"go\n")
        assert wait_for_exit(upstream).code == 0
        os.kill(upstream.keeper_pid, signal.SIGKILL)
        upstream.close()
        wait_until_gone(mark)
        how = upstream.read_status()
        assert how is not None
        assert how.code == 0


@pytest.mark.parametrize("order", ["end", "terminate", "kill", "close"])
def test_an_order_to_a_killed_keeper_ends_the_upstream_all_the_same(order: str, mark: str) -> None:
    with closing(spawn(habit("stubborn", mark))) as upstream:
        assert read_line(upstream) == "ready"
        os.kill(upstream.keeper_pid, signal.SIGKILL)
        os.waitid(os.P_PID, upstream.keeper_pid, os.WEXITED | os.WNOWAIT)
        getattr(upstream, order)()
        wait_until_gone(mark)
        how = upstream.read_status()
        assert how is not None
        assert (how.code, how.signal) == (None, None)


@pytest.mark.skipif(not LINUX, reason="needs /proc to look at another process's descriptors")
def test_a_keeper_holds_none_of_the_guards_streams(mark: str) -> None:
    with closing(spawn(habit("echo", mark))) as upstream:
        held = {os.readlink(entry) for entry in Path(f"/proc/{upstream.keeper_pid}/fd").iterdir()}
    assert {name for name in held if not name.startswith("pipe:")} == {os.devnull}


@needs_subreaper
def test_guard_and_keeper_killed_at_once_still_take_the_upstream_along(mark: str) -> None:
    guard = Guard(mark, "start", habit("stubborn", mark))
    kill_guard_and_keepers(guard)
    guard.wait()
    wait_until_gone(mark)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE])
def test_a_keeper_is_not_to_be_talked_out_of_its_duty(number: int, mark: str) -> None:
    with closing(spawn(habit("echo", mark))) as upstream:
        os.kill(upstream.keeper_pid, number)
        assert read_line(upstream) == "ready"
        upstream.close_stdin()
        assert wait_for_exit(upstream).code == 0

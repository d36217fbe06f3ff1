"""Who is connected, as a person sees it: also where a guard is killed, and where one connection is many instances."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.store.registry import instances
from mcp_guard.store.registry.looking import Looking
from tests.e2e.guard import PATIENCE, Guard, server
from tests.e2e.wire import LEGACY, wire

HOUR = 3_600_000_000  # microseconds
QUICK = (  # the guard, saying with each idle moment that its clients are there
    "from mcp_guard.transports import ledger; ledger.BEAT = 0; from mcp_guard.__main__ import main; main()"
)


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(guard: Guard) -> list[Any]:
    with Looking(str(guard.database)) as book:
        return instances.listed(book)


def until(guard: Guard, holds: Callable[[list[Any]], bool]) -> list[Any]:
    """The instances, once this holds of them."""
    deadline = time.monotonic() + PATIENCE
    while not (guard.database.exists() and holds(found := connected(guard))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def quick(command: list[str]) -> list[str]:
    return [sys.executable, "-c", QUICK, *command[command.index("mcp_guard") + 1 :]]


def heard_of(found: list[Any]) -> bool:
    return bool(found) and all(one["last_seen"] > one["first_seen"] for one in found)


def test_a_client_that_says_nothing_is_heard_of_through_a_pipe(guard: Guard, closing: ExitStack) -> None:
    client = closing.enter_context(wire(quick(guard.command(server("patient")))))
    client.open(LEGACY[-1])
    assert len(until(guard, heard_of)) == 1


def test_a_client_that_says_nothing_is_heard_of_behind_many_servers(guard: Guard, closing: ExitStack) -> None:
    command, *arguments = server("patient")
    config = guard.database.parent / "servers.json"
    config.write_text(json.dumps({"mcpServers": {name: {"command": command, "args": arguments} for name in "ab"}}))
    client = closing.enter_context(wire(quick(guard.run(["--config", str(config)]))))
    client.open(LEGACY[-1])
    found = until(guard, lambda found: len(found) == 2 and heard_of(found))
    assert sorted(one["server"] for one in found) == ["a", "b"]


def test_the_instances_of_a_killed_guard_are_lost_and_can_be_ended(guard: Guard, closing: ExitStack) -> None:
    client = closing.enter_context(wire(guard.command(server("patient"))))
    client.open(LEGACY[-1])
    (found,) = until(guard, bool)
    os.kill(client.process.pid, signal.SIGKILL)
    client.process.wait(PATIENCE)
    with Looking(str(guard.database), lambda: time.time_ns() // 1000 + HOUR) as later:
        assert instances.listed(later) == []
        assert instances.get(later, found["id"])["status"] == "lost"

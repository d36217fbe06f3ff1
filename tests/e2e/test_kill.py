"""Kill the guard with SIGKILL at any moment, and no call has reached the server that the log does not hold.

A hundred guards on one log, two at a time, each under load and killed at a moment that chance picks.
"""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.wire import Wire

KILLS = 100
FLIGHT = 16  # calls under way at a time
LIFE = 0.08  # seconds that the longest-lived guard is left under load


@pytest.mark.timeout(600)
def test_no_call_reaches_the_server_without_its_row(guard: Guard, tmp_path: Path) -> None:
    seen_by_server = tmp_path / "seen"
    seen_by_server.touch()
    chance = random.Random(7)
    lives = [chance.uniform(0, LIFE) for _ in range(KILLS)]
    command = guard.command([*server("witness"), str(seen_by_server)])
    numbers = count()

    with ThreadPoolExecutor(2) as pool:
        rounds = list(pool.map(lambda life: kill_under_load(command, life, numbers), lives))

    seen = {int(line) for line in seen_by_server.read_text().split()}
    logged = {row["data"]["arguments"]["n"] for row in guard.events("tool.decided") if row["decision"] == "allow"}
    assert seen - logged == set()
    assert len(seen) > KILLS, "the guards were under load"
    assert all(sent > answered for sent, answered in rounds), "calls were under way when the guards died"


def kill_under_load(command: list[str], life: float, numbers: "count[int]") -> tuple[int, int]:
    """One guard's life: calls until its time is over, then SIGKILL. Gives how many calls were sent and answered."""
    guard = Wire(command)
    try:
        guard.open("2025-11-25")
        guard.request("tools/list")
        return load_until_death(guard, time.monotonic() + life, numbers)
    finally:
        guard.process.kill()
        guard.close(patience=10)


def load_until_death(guard: Wire, death: float, numbers: "count[int]") -> tuple[int, int]:
    sent = answered = 0
    while True:
        while sent - answered < FLIGHT:
            guard.ask("tools/call", {"name": "note", "arguments": {"n": next(numbers)}})
            sent += 1
        left = death - time.monotonic()
        if left <= 0:
            break
        answered += len(guard.lines(left))
    guard.process.send_signal(signal.SIGKILL)
    return sent, answered

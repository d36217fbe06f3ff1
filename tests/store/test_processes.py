"""Several guards on one log, and guards that are killed: no row that was recorded is missing, none is there in part."""

import random
import signal
from pathlib import Path

import pytest

from mcp_guard.store import Store, known_policy
from tests.store.making import ids, python

WRITER = """
import sys
sys.path.insert(0, ".")
from mcp_guard.store import Store
from tests.store.making import decided
path, name, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
store = Store.open(path)
print(store.redaction_key().hex(), flush=True)
for number in range(calls):
    store.record([decided(id=f"{name}-{number}"), decided(id=f"{name}-{number}+")][: 1 + number % 2])
store.close()
"""

KILLED = """
import sys
sys.path.insert(0, ".")
from mcp_guard.store import Store
from tests.store.making import decided
store = Store.open(sys.argv[1])
number = 0
while True:
    store.record([decided(id=f"{sys.argv[2]}-{number}-{part}") for part in range(1 + number % 12)])
    print(number, flush=True)
    number += 1
"""


def test_guards_that_start_and_write_at_once_lose_no_row(path: Path) -> None:
    names, calls = ("a", "b", "c", "d"), 400
    processes = [python(WRITER, path, name, str(calls)) for name in names]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len(keys) == 1
    found = ids(path)
    for name in names:
        expected = [f"{name}-{n}{part}" for n in range(calls) for part in ("", "+")[: 1 + n % 2]]
        assert [one for one in found if one.startswith(f"{name}-")] == expected
    assert len(found) == sum(1 + n % 2 for n in range(calls)) * len(names)


@pytest.mark.parametrize("seed", range(8))
def test_a_guard_that_is_killed_leaves_every_row_that_was_recorded(path: Path, seed: int) -> None:
    calls = random.Random(seed).randrange(1, 800)
    with python(KILLED, path, "k") as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(calls)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    recorded = [int(line) for line in said if line.endswith("\n")]
    found = ids(path)
    last = recorded[-1] + (f"k-{recorded[-1] + 1}-0" in found)  # the row may be there before its number is printed
    assert found == [f"k-{number}-{part}" for number in range(last + 1) for part in range(1 + number % 12)]


def test_a_guard_that_starts_after_another_was_killed_finds_everything(path: Path) -> None:
    with python(KILLED, path, "k") as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        process.kill()
    assert known_policy(str(path), "ab", "0.1.0") is False
    before = len(ids(path))
    store = Store.open(str(path))
    store.close()
    assert len(ids(path)) == before >= 50

"""Eight processes spend one budget: between them never more than it allows, and every dollar is counted once."""

import json
import subprocess
import sys
from pathlib import Path

from mcp_guard.store.registry import budgets, telemetry
from mcp_guard.store.registry.book import Book

PROCESSES, TRIES, LIMIT = 8, 60, 200
NOW = 1_781_524_800_000_000  # in the middle of a day of 2026: no window ends under way

SPEND = """
import json, sys, time
from mcp_guard.events import Judged
from mcp_guard.store import OutdatedError, Store, StoreError

path, who, tries, now = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = Store.open(path)
print("ready", flush=True)
sys.stdin.readline()
taken = refused = number = 0
while number < tries:
    row = Judged(id=f"{who}-{number}", ts=now, type="tool.decided", connection_id=who, agent="cursor",
                 decision="allow", registry=store.registry_version(), charged=True, usd=0.25)
    try:
        overdrawn = store.record([row]).overdrawn
    except (OutdatedError, StoreError):  # many at once: try again
        continue
    number += 1
    taken, refused = (taken, refused + 1) if overdrawn else (taken + 1, refused)
store.close()
print(json.dumps([taken, refused]))
"""
REPORT = """
import json, sys
from mcp_guard.store.registry.book import Book
from mcp_guard.store.registry.telemetry import Cost, take_in

path, who, tries, now = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with Book(path, "test", lambda: now) as book:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(1, tries + 1):
        cost = Cost(who, "opus", 1, number, number * 0.5, True)
        for _ in range(2):  # an exporter that tries again
            take_in(book, "cursor", [cost])
print(json.dumps([tries, 0]))
"""


def at_once(script: str, book: Book) -> list[tuple[int, int]]:
    """The same script in eight processes, which begin together; what each says at its end."""
    made = [
        subprocess.Popen(
            [sys.executable, "-c", script, book.path, f"p{number}", str(TRIES), str(book.now)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        for process in made:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        return [tuple(json.loads(process.communicate(timeout=60)[0])) for process in _gone(made)]
    finally:
        for process in made:
            process.kill()
            process.wait()


def _gone(processes: "list[subprocess.Popen[str]]") -> "list[subprocess.Popen[str]]":
    """The processes, told to go on."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def test_eight_processes_never_overdraw_one_budget_of_calls(tmp_path: Path) -> None:
    with Book(str(tmp_path / "guard.db"), "ann", lambda: NOW) as book:
        budgets.put(book, "cursor", "day", "calls", LIMIT)
        ends = at_once(SPEND, book)
        assert sum(taken for taken, _ in ends) == LIMIT
        assert sum(refused for _, refused in ends) == PROCESSES * TRIES - LIMIT
        assert budgets.listed(book)[0]["spent"] == LIMIT
        assert book.one("SELECT count(*) AS many FROM events WHERE type = 'tool.decided'") == {"many": LIMIT}
        shares = [json.loads(row["data"])["share"] for row in _alerts(book)]
        assert shares == [80, 100]


def test_dollars_of_calls_in_eight_processes_stop_at_the_limit(tmp_path: Path) -> None:
    with Book(str(tmp_path / "guard.db"), "ann", lambda: NOW) as book:
        budgets.put(book, "cursor", "month", "usd", 20)
        assert sum(taken for taken, _ in at_once(SPEND, book)) == 80
        assert budgets.listed(book)[0]["spent"] == 20


def test_costs_reported_to_eight_processes_are_counted_once_each(tmp_path: Path) -> None:
    with Book(str(tmp_path / "guard.db"), "ann", lambda: NOW) as book:
        budgets.put(book, "cursor", "month", "usd", 240)
        at_once(REPORT, book)
        assert sum(one["usd"] for one in telemetry.listed(book, agent="cursor")) == PROCESSES * TRIES * 0.5
        assert budgets.listed(book)[0]["spent"] == PROCESSES * TRIES * 0.5
        assert [json.loads(row["data"])["share"] for row in _alerts(book)] == [80, 100]


def _alerts(book: Book):
    return book.rows("SELECT data FROM events WHERE type = 'budget.alert' ORDER BY seq")

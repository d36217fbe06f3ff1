"""What one committed row costs: the latency of `Store.record`, alone, two guards at once, at a call every 2 ms.

    python benchmarks/store.py [--rows 100000] [--directory DIR]

The directory should be on the disk whose latency you want to know. Bars: median at most 15 µs, 99.9 % at most 1 ms.
"""

import argparse
import multiprocessing
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Sequence

import msgspec

from mcp_guard.events import Event
from mcp_guard.redaction import recorded_arguments
from mcp_guard.store import Store

ARGUMENTS = {"path": "/home/alice/projects/acme/README.md", "content": "lorem ipsum dolor sit amet " * 7, "mode": 420}
ENCODED = msgspec.json.encode(ARGUMENTS)
QUANTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)


def decided(number: int, key: bytes) -> Event:
    data = recorded_arguments(ARGUMENTS, ENCODED, "redacted", key)
    data |= {
        "request_id": number,
        "reason": 'Policy rule "files" allows this call.',
        "mode": "enforce",
        "forwarded": True,
    }
    return Event(
        id=f"01JD8ZK3V5M0Q6W4T2X9Y7B1CE-{number}",
        ts=time.time_ns() // 1000,
        type="tool.decided",
        connection_id="01JD8ZK3V5M0Q6W4T2X9Y7B1CE",
        agent="claude-code",
        user="alice@acme.com",
        server="filesystem",
        tool="write_file",
        decision="allow",
        decided_by="policy",
        rule="files",
        policy_hash="5f" * 32,
        data=data,
    )


def completed(number: int) -> Event:
    return Event(
        id=f"01JD8ZK3V5M0Q6W4T2X9Y7B1CE-c{number}",
        ts=time.time_ns() // 1000,
        type="tool.completed",
        connection_id="01JD8ZK3V5M0Q6W4T2X9Y7B1CE",
        agent="claude-code",
        user="alice@acme.com",
        server="filesystem",
        tool="write_file",
        policy_hash="5f" * 32,
        data={
            "decision": f"01JD8ZK3V5M0Q6W4T2X9Y7B1CE-{number}",
            "duration_us": 1234,
            "is_error": False,
            "bytes": 512,
        },
    )


def measure(path: str, rows: int, pause: float, both: bool) -> list[int]:
    """Nanoseconds of each `record`: of a decision, or of a decision with the completion of the call before."""
    store = Store.open(path)
    key = store.redaction_key()
    taken: list[int] = []
    for number in range(rows):
        events = [completed(number - 1), decided(number, key)] if both else [decided(number, key)]
        start = time.perf_counter_ns()
        store.record(events)
        taken.append(time.perf_counter_ns() - start)
        if pause:
            time.sleep(pause)
    store.close()
    return taken


def measure_into(path: str, rows: int, pause: float, both: bool, results: "multiprocessing.Queue[list[int]]") -> None:
    results.put(measure(path, rows, pause, both))


def at_once(path: str, rows: int, processes: int, pause: float = 0.0, both: bool = False) -> list[int]:
    if processes == 1:
        return measure(path, rows, pause, both)
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[int]] = context.Queue()
    running = [
        context.Process(target=measure_into, args=(path, rows // processes, pause, both, results))
        for _ in range(processes)
    ]
    for process in running:
        process.start()
    taken = [one for _ in running for one in results.get()]
    for process in running:
        process.join()
    return taken


def show(what: str, taken: Sequence[int], path: str) -> None:
    ordered = sorted(taken)
    cells = [f"{ordered[int(len(ordered) * quantile)] / 1000:,.1f}" for quantile in QUANTILES]
    with sqlite3.connect(path) as connection:
        count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    print(f"| {what} | {count:,} | {' | '.join(cells)} | {ordered[-1] / 1e6:.1f} ms |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--directory")
    options = parser.parse_args()
    cases = (
        ("one row, no pause", options.rows, 1, 0.0, False),
        ("two rows (a completion rides along), no pause", options.rows, 1, 0.0, True),
        ("one row, two guards, no pause", options.rows, 2, 0.0, False),
        ("one row, two guards, every 2 ms", options.rows // 20, 2, 0.002, False),
    )
    print(f"{platform.platform()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}\n")
    print("| Store.record | rows | p50 µs | p90 | p99 | p99.9 | p99.99 | longest |\n|---|--:|--:|--:|--:|--:|--:|--:|")
    for what, rows, processes, pause, both in cases:
        with tempfile.TemporaryDirectory(dir=options.directory) as directory:
            path = os.path.join(directory, "audit.db")
            show(what, at_once(path, rows, processes, pause, both), path)


if __name__ == "__main__":
    main()

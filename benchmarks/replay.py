"""What it takes to decide a log again: a million recorded calls under a policy of 20 rules, on all processors.

    python benchmarks/replay.py [--calls 1000000] [--processes 2] [--directory DIR]

The log is made first, as a guard would have written it: several agents and servers, paths, queries, pull requests, some
secrets, a completion for each call. Bars: a million calls in 60 s on two processors; memory that does not grow.
"""

import argparse
import os
import platform
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from mcp_guard.events import Event
from mcp_guard.policy import Call, Policy, Principal, Source, load
from mcp_guard.redaction import recorded_arguments
from mcp_guard.store import Store
from mcp_guard.store.rows import insertion, row

POLICY = Path(__file__).with_name("policy.yaml")
KEY = b"k" * 32
BATCH = 5_000
START = 1_793_000_000_000_000  # microseconds
AGENTS = ("claude-code", "cursor", "codex", "gemini-cli")
WORDS = [
    "add",
    "fix",
    "index",
    "cache",
    "retry",
    "parser",
    "schema",
    "page",
    "user",
    "order",
    "report",
    "build",
    "docs",
]


def path(chance: random.Random) -> str:
    project, folder, name = chance.choice(("app", "web", "data", "etc")), chance.choice(WORDS), chance.choice(WORDS)
    return f"/srv/{project}/{folder}/{name}_{chance.randrange(500)}.py"


def text(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randrange(5, 40)))


TOOLS = {
    "filesystem": {
        "read_file": lambda chance: {"path": path(chance)},
        "write_file": lambda chance: {"path": path(chance), "content": text(chance)},
        "list_directory": lambda chance: {"path": path(chance)},
    },
    "github": {
        "get_issue": lambda chance: {"owner": "acme", "repo": "app", "issue_number": chance.randrange(9000)},
        "create_pull_request": lambda chance: {
            "owner": "acme",
            "repo": "app",
            "base": chance.choice(("main", "dev", "dev", "release")),
            "head": chance.choice(WORDS),
            "title": text(chance),
        },
        "push_files": lambda chance: {"branch": chance.choice(("main", "dev")), "message": text(chance), "files": []},
    },
    "database": {
        "query": lambda chance: {"sql": f"SELECT {chance.choice(WORDS)} FROM t WHERE n = {chance.randrange(99)}"},
        "login": lambda chance: {"name": "reporting", "password": f"hunter{chance.randrange(9)}"},
    },
}
MEANT = [(server, tool) for server, tools in TOOLS.items() for tool in tools]


def events(calls: int, policy: Policy) -> Iterator[Event]:
    chance = random.Random(7)
    for number in range(calls):
        server, tool = chance.choice(MEANT)
        arguments = TOOLS[server][tool](chance)
        agent, connection = chance.choice(AGENTS), f"01JD8ZK3V5M0Q6W4T2X9{number // 2000:06d}"
        principal = Principal(agent, "alice@acme.com", (), connection)
        decision = policy.decide(Call(principal, server, tool, arguments))
        data = recorded_arguments(arguments, msgspec.json.encode(arguments), "redacted", KEY)
        data |= {"request_id": number, "reason": decision.reason, "mode": "enforce", "client": agent}
        common = {
            "connection_id": connection,
            "agent": agent,
            "user": "alice@acme.com",
            "server": server,
            "tool": tool,
            "policy_hash": policy.hash,
        }
        yield Event(
            id=f"{connection}-{2 * number}",
            ts=START + number * 1_000_000,
            type="tool.decided",
            decision=decision.outcome,
            decided_by=decision.decided_by,
            rule=decision.rule,
            data={**data, "forwarded": decision.outcome == "allow"},
            **common,
        )
        if decision.outcome == "allow":
            done = {"decision": f"{connection}-{2 * number}", "duration_us": 1234, "is_error": False, "bytes": 512}
            yield Event(
                id=f"{connection}-{2 * number + 1}",
                ts=START + number * 1_000_000 + 1234,
                type="tool.completed",
                data=done,
                **common,
            )


def counted(path: str) -> tuple[int, int]:
    """The calls and the rows of a log."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT sum(type = 'tool.decided'), count(*) FROM events").fetchone()
    finally:
        connection.close()


def write(path: str, calls: int, policy: Policy) -> None:
    """A log of so many calls, in large transactions."""
    Store.open(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    batch: list[tuple[object, ...]] = []
    for event in events(calls, policy):
        batch.append(row(event))
        if len(batch) == BATCH:
            insert(connection, batch)
    insert(connection, batch)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def insert(connection: sqlite3.Connection, batch: list[tuple[object, ...]]) -> None:
    connection.execute("BEGIN")
    connection.executemany(insertion(1), batch)
    connection.execute("COMMIT")
    batch.clear()


def replay(path: str, policy: str, processes: int, *options: str) -> tuple[float, int]:
    """Seconds, and the most memory that one of its processes took (MiB)."""
    command = [sys.executable, "-m", "mcp_guard", "replay", "--policy", policy, "--db", path, *options]
    pinned = None
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:processes]
        pinned = partial(os.sched_setaffinity, 0, cores)
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, preexec_fn=pinned)
    taken = time.perf_counter() - began
    return taken, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--directory", default=None)
    parser.add_argument("--log", help="a log that is there already")
    options = parser.parse_args()
    written = POLICY.read_bytes()
    policy = load([Source(POLICY.name, written)])
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        path = options.log or os.path.join(directory, "audit.db")
        candidate = os.path.join(directory, "candidate.yaml")
        Path(candidate).write_bytes(written.replace(b'"/etc/"', b'"/srv/etc/"').replace(b'== "main"', b'== "release"'))
        began = time.perf_counter()
        if not options.log:
            write(path, options.calls, policy)
        calls, rows = counted(path)
        size, taken = os.stat(path).st_size / 2**30, time.perf_counter() - began
        print(f"{platform.platform()}, Python {platform.python_version()}, {options.processes} processors")
        print(f"{calls:,} calls in {rows:,} rows, {size:.2f} GiB, made in {taken:.0f} s")
        print(f"\n{'':<28}{'seconds':>8}{'calls a second':>16}{'MiB at most':>13}")
        for name, extra in (
            ("summary", ()),
            ("--json", ("--json",)),
            ("--against another policy", ("--against", str(POLICY))),
            ("--export", ("--export", os.path.join(directory, "tests.yaml"))),
        ):
            seconds, memory = replay(path, candidate, options.processes, *extra)
            print(f"{name:<28}{seconds:>8.1f}{calls / seconds:>16,.0f}{memory:>13}")


if __name__ == "__main__":
    main()

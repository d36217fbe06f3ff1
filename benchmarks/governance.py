"""What governance adds to a call: `python benchmarks/governance.py [--calls 20000]`.

Each call goes the way it goes in a guard: has the registry changed, the gate, the commit of its row. Guards with and
without a registry take turns, call by call, in one process and on files of the same directory, so that whatever else
the machine does meets them alike; a figure is the median of the calls, `added` the median of the pairs' differences.
The registry holds 1,000 agents, 10,000 grants and 100 overrides. `one budget` is the same with a budget of calls, which
is counted with each row.

Bar: at most 5 µs added, without budgets.
"""

import argparse
import gc
import json
import statistics
import tempfile
import time
from pathlib import Path

import msgspec

from mcp_guard.gate import Admitted, Connection, Gate
from mcp_guard.governance import NoRegistry
from mcp_guard.policy import Policy, Source, load
from mcp_guard.store import LiveRegistry, Store
from mcp_guard.store.registry import budgets
from mcp_guard.store.registry.book import Book
from mcp_guard.transports.ledger import Ledger

AGENTS, GRANTS, OVERRIDES = 1_000, 10_000, 100
AGENT, TOOL = "agent-0500", "read_file"
BAR = 5.0  # µs
POLICY = """\
version: 1
rules:
  - {id: read, effect: allow, tools: "read_*", when: 'request.args.path.startsWith("/srv/")'}
  - {id: write, effect: deny, tools: "write_*"}
settings: {unlisted_tools: policy}
"""
ARGUMENTS = {"path": "/srv/project/src/main.py", "text": "select id, name from users where id = 7"}


def fill(path: str) -> None:
    """The registry of a large house; the agent at hand has its share of the grants, and half of the overrides."""
    moment = "2026-01-01T00:00:00.000000Z"
    with Book(path, "bench") as book, book.changing() as change:
        rows = change.cursor()
        agents = [f"agent-{number:04}" for number in range(AGENTS)]
        rows.executemany(
            "INSERT INTO agents (slug, name, tags, reviewed, created_at, updated_at) VALUES (?, ?, ?, 1, ?, ?)",
            [(slug, slug, json.dumps(["bench"]), moment, moment) for slug in agents],
        )
        rows.executemany(
            "INSERT INTO grants (id, agent, pattern, effect, granted_by, granted_at) VALUES (?, ?, ?, ?, 'bench', ?)",
            [
                (f"g{number}", agents[number % AGENTS], f"files:tool_{number}_*", ("allow", "deny")[number % 2], moment)
                for number in range(GRANTS)
            ],
        )
        rows.executemany(
            "INSERT INTO overrides (id, agent, pattern, effect, created_by, created_at) "
            "VALUES (?, ?, ?, ?, 'bench', ?)",
            [
                (f"o{number}", None if number % 2 else agents[number], f"delete_{number}_*", "deny", moment)
                for number in range(OVERRIDES)
            ],
        )


class Guard:
    """One guarded connection on a file of its own; `call` gives how long (ns) one call took."""

    def __init__(self, path: Path, policy: Policy, *, registry: bool = False, budget: bool = False) -> None:
        self.store = Store.open(str(path))
        if registry:
            fill(str(path))
        if budget:
            with Book(str(path), "bench") as book:
                budgets.put(book, AGENT, "day", "calls", 1_000_000_000)
        self.ledger = Ledger(self.store)
        self.registry = LiveRegistry(self.store) if registry else None
        facts = Connection(id="C", server="files", user="kim", agent=AGENT, redaction_key=self.store.redaction_key())
        self.gate = Gate(facts, policy, self.registry or NoRegistry())
        self.changes = -1
        self.number = 100
        info = {"name": "bench", "version": "1"}
        self._client(id=0, method="initialize", protocolVersion="2025-11-25", clientInfo=info, capabilities={})
        self._answer(0, protocolVersion="2025-11-25", serverInfo=info, capabilities={"tools": {}})

    def _client(self, **said: object) -> None:
        request_id, method = said.pop("id"), said.pop("method")
        self.gate.from_client(msgspec.json.encode(_request(request_id, method, **said)), _now())

    def _answer(self, request_id: object, **result: object) -> None:
        self.gate.from_upstream(msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "result": result}), _now())

    def call(self) -> int:
        self.number += 1
        line = msgspec.json.encode(_request(self.number, "tools/call", name=TOOL, arguments=ARGUMENTS))
        before = time.perf_counter_ns()
        now = time.time_ns() // 1000
        if self.registry is not None:
            self.registry.look(now)
            if self.registry.changes != self.changes:
                self.changes = self.registry.changes
                self.gate.registry_changed(now)
        outputs = self.gate.from_client(line, now)
        refused = self.ledger.commit([output.event for output in outputs if isinstance(output, Admitted)])
        took = time.perf_counter_ns() - before
        assert not refused
        assert len(outputs) == 1, outputs
        self._answer(self.number, content=[], isError=False)
        return took

    def close(self) -> None:
        self.store.close()


def _request(request_id: object, method: object, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def _now() -> int:
    return time.time_ns() // 1000


def pairs(bare: Guard, governed: Guard, calls: int) -> tuple[float, float, float]:
    """Medians in µs: without, with, and what is added."""
    taken = [(bare.call(), governed.call()) if turn % 2 else _swapped(bare, governed) for turn in range(calls)]
    without, with_it = zip(*taken, strict=True)
    added = statistics.median(after - before for before, after in taken)
    return statistics.median(without) / 1000, statistics.median(with_it) / 1000, added / 1000


def _swapped(bare: Guard, governed: Guard) -> tuple[int, int]:
    second = governed.call()
    return bare.call(), second


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("--calls", type=int, default=20_000)
    calls = reading.parse_args().calls
    policy = load([Source("bench.yaml", POLICY.encode())])
    with tempfile.TemporaryDirectory() as scratch:
        bare = Guard(Path(scratch, "bare.db"), policy)
        governed = Guard(Path(scratch, "governed.db"), policy, registry=True)
        counted = Guard(Path(scratch, "counted.db"), policy, registry=True, budget=True)
        gc.collect()
        gc.freeze()
        print(f"µs a call, {AGENTS:,} agents, {GRANTS:,} grants, {OVERRIDES} overrides, {calls:,} pairs")
        print(f"{'':22} {'without':>9} {'with':>9} {'added':>9}")
        held = True
        for what, guard in (("a call", governed), ("one budget", counted)):
            pairs(bare, guard, 500)
            without, with_it, added = pairs(bare, guard, calls)
            held = held and (guard is counted or added <= BAR)
            print(f"{what:22} {without:9.2f} {with_it:9.2f} {added:9.2f}")
        for guard in (bare, governed, counted):
            guard.close()
    print(f"bar: at most {BAR} µs added: {'holds' if held else 'does not hold'}")


if __name__ == "__main__":
    main()

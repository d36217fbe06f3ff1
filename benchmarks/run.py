"""What the guard costs, side by side with nothing, with a byte relay and with its peers, in one run.

    python benchmarks/run.py [calls] [start] [sizes] [memory] [decide] [conditions] [store]

Without a word: all of them. Prints markdown tables on stdout, and what it is doing on stderr. Each round measures
every row, and each figure is that of its quietest round: what else the machine does can only add to a time, while what
a row does itself, such as a checkpoint of the log every few thousand calls, is in every round.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from between import Between, Command, Rows
from machinery import HERE, PEERS, Workshop, machine, say

from tests.e2e.npm import node_server

ROUNDS = 5
# Processors. What a call takes is measured on one; on two, most of it is waking an idle one, which is shown beside it.
# All else on two, as in life: the log's checkpoints, for one, are made on a thread beside the calls.
ONE, BOTH = "0", "0,1"
BLOB, TOOLS, FLIGHT, CALLS = 10_000_000, 1_000, 32, 100_000

Figures = dict[str, float]
Measure = Callable[[Between], Figures]
Bars = list[tuple[str, str, str, bool]]  # what, the bar, what was measured, whether it holds


class Bench:
    """One run: the tools, the rows, and the bars that it met or missed."""

    def __init__(self, workshop: Workshop, scratch: Path) -> None:
        self.workshop, self.rows, self.scratch = workshop, Rows(workshop, scratch), scratch
        self.bars: Bars = []

    def load(self, mode: str, *numbers: int, command: Command, cpus: str) -> dict[str, float]:
        return self.workshop.load(mode, *numbers, command=command, cpus=cpus)

    def in_rounds(self, rows: Iterable[Between], measure: Measure, rounds: int = ROUNDS) -> dict[str, Figures]:
        """Every row measured in turn, several times over: of each figure the best."""
        rows = list(rows)
        best: dict[str, Figures] = {}
        for number in range(rounds):
            for row in rows:
                say(f"  round {number + 1} of {rounds}: {row.name}")
                figures = measure(row)
                before = best.get(row.name, figures)
                best[row.name] = {key: _better(key)(before[key], figures[key]) for key in figures}
        return best

    def bar(self, what: str, bar: str, measured: str, holds: bool) -> None:
        self.bars.append((what, bar, measured, holds))


def calls(bench: Bench) -> None:
    """One `tools/call` after another, and 32 under way at a time."""
    say("one call after another")
    rows, echo = bench.rows, [bench.workshop.echo]
    every = [rows.direct, rows.relay, rows.guard, rows.firewall, rows.fastmcp]
    alone = bench.in_rounds(every, lambda row: bench.load("latency", row.calls, command=row.wrap(echo), cpus=ONE))
    two = bench.in_rounds(every, lambda row: bench.load("latency", row.calls, command=row.wrap(echo), cpus=BOTH))
    say(f"{FLIGHT} calls under way at a time")
    many = bench.in_rounds(
        every,
        lambda row: bench.load("throughput", CALLS // row.patience, FLIGHT, command=row.wrap(echo), cpus=BOTH),
        rounds=3,
    )
    direct, guard, fastmcp = alone["nothing"], alone["mcp-guard"], alone["fastmcp"]
    added = guard["p50"] - direct["p50"]
    print("## One `tools/call`\n")
    table(
        [
            "between client and server",
            "p50 µs",
            "added",
            "added, mcp-guard = 1",
            "p99.9 µs",
            "p50 µs, on two",
            "p99.9 µs, on two",
            f"calls/s, {FLIGHT} in flight",
            "of direct",
        ],
        [
            [
                name,
                f"{run['p50']:.1f}",
                f"{run['p50'] - direct['p50']:.1f}" if run is not direct else "–",
                f"{(run['p50'] - direct['p50']) / added:.2f}" if run is not direct else "–",
                f"{run['p999']:.0f}",
                f"{two[name]['p50']:.1f}",
                f"{two[name]['p999']:.0f}",
                f"{many[name]['calls_per_second']:,.0f}",
                f"{many[name]['calls_per_second'] / many['nothing']['calls_per_second']:.3f}",
            ]
            for name, run in alone.items()
        ],
    )
    peer = fastmcp["p50"] - direct["p50"]
    rate = many["mcp-guard"]["calls_per_second"]
    bench.bar("added p50 of a gated, logged call", "≤ 50 µs", f"{added:.1f} µs", added <= 50)
    bench.bar("the same, of what fastmcp's proxy adds", "≤ 1/10", f"1/{peer / added:.0f}", added <= peer / 10)
    for where, tail in (("", guard["p999"]), (" on two processors", two["mcp-guard"]["p999"])):
        bench.bar(f"its p99.9{where}", "≤ 1 ms", f"{tail / 1000:.2f} ms", tail <= 1000)
    bench.bar(f"calls a second, {FLIGHT} in flight", "≥ 30,000", f"{rate:,.0f}", rate >= 30_000)


def start(bench: Bench) -> None:
    """From nothing to the first `tools/list`, in front of the npm filesystem server."""
    say("start to first tools/list")
    server = [*node_server("filesystem"), str(bench.scratch)]
    known = bench.scratch / "known.db"
    bench.load("start", command=bench.rows.guard_at(known, "filesystem").wrap(server), cpus=BOTH)
    later = bench.rows.guard_at(known, "filesystem")._replace(name="mcp-guard, a policy it has seen before")
    first = Between(
        "mcp-guard, the first time with this policy",
        lambda command: bench.rows.guard_at(Path(tempfile.mkdtemp(dir=bench.scratch)) / "new.db", "filesystem").wrap(
            command
        ),
        1,
    )
    every = [bench.rows.direct, bench.rows.relay, later, first, bench.rows.firewall, bench.rows.fastmcp]
    runs = bench.in_rounds(every, lambda row: bench.load("start", command=row.wrap(server), cpus=BOTH), rounds=9)
    direct = runs["nothing"]["ms"]
    print("## Start to the first `tools/list`, in front of the npm filesystem server\n")
    table(
        ["between client and server", "ms", "added"],
        [
            [name, f"{run['ms']:.0f}", f"{run['ms'] - direct:.0f}" if name != "nothing" else "–"]
            for name, run in runs.items()
        ],
    )
    for name in (later.name, first.name):
        added = runs[name]["ms"] - direct
        bench.bar(
            f"start to first tools/list, added: {name.partition(', ')[2]}", "≤ 100 ms", f"{added:.0f} ms", added <= 100
        )


def sizes(bench: Bench) -> None:
    """A large tool result, and a long list of tools."""
    say("large messages")
    rows = bench.rows
    every = [rows.direct, rows.relay, rows.guard, rows.firewall, rows.fastmcp]
    echo, long = [bench.workshop.echo], [bench.workshop.echo, str(TOOLS)]
    result = bench.in_rounds(every, lambda row: bench.load("blob", BLOB, 5, command=row.wrap(echo), cpus=BOTH))
    listed = bench.in_rounds(every, lambda row: bench.load("list", 9, command=row.wrap(long), cpus=BOTH))
    print("## Large messages\n")
    table(
        ["between client and server", "10 MB tool result, ms", "added", "tools/list of 1,000 (1.9 MB), ms", "added"],
        [
            [
                name,
                f"{result[name]['ms']:.1f}",
                f"{result[name]['ms'] - result['nothing']['ms']:.1f}" if name != "nothing" else "–",
                f"{listed[name]['ms']:.1f}",
                f"{listed[name]['ms'] - listed['nothing']['ms']:.1f}" if name != "nothing" else "–",
            ]
            for name in result
        ],
    )
    for what, runs, most in (("10 MB tool result", result, 10), ("1,000-tool list", listed, 6)):
        added = runs["mcp-guard"]["ms"] - runs["nothing"]["ms"]
        bench.bar(f"{what}, added", f"≤ {most} ms", f"{added:.1f} ms", added <= most)


def memory(bench: Bench) -> None:
    """Resident memory of the process that the client started."""
    say("memory")
    rows = bench.rows
    runs = {
        row.name: bench.load(
            "memory", CALLS // row.patience, FLIGHT, command=row.wrap([bench.workshop.echo]), cpus=BOTH
        )
        for row in (rows.relay, rows.guard, rows.firewall, rows.fastmcp)
    }
    marks = ["1000", "10000", "50000", "100000"]
    print("## Resident memory of the process that the client started, MB\n")
    table(
        ["between client and server", *(f"after {int(mark):,} calls" for mark in marks)],
        [[name, *(f"{run[mark] / 1024:.1f}" if mark in run else "–" for mark in marks)] for name, run in runs.items()],
    )
    end, early = runs["mcp-guard"]["100000"] / 1024, runs["mcp-guard"]["10000"] / 1024
    bench.bar("resident memory after 100,000 calls", "≤ 45 MB", f"{end:.1f} MB", end <= 45)
    bench.bar("its growth from 10,000 calls on", "flat (≤ 1 MB)", f"{end - early:+.1f} MB", end - early <= 1)


def script(name: str) -> Callable[[Bench], None]:
    """A benchmark that is a script of its own: no processes between, so nothing of this file's."""

    def run(_bench: Bench) -> None:
        say(name)
        sys.stdout.flush()
        subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=True)
        print()

    return run


def _better(figure: str) -> Callable[[float, float], float]:
    return max if figure == "calls_per_second" else min


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """A markdown table: the first column reads, the others are figures."""
    print("| " + " | ".join(head) + " |")
    print("|---" + "|--:" * (len(head) - 1) + "|")
    for line in lines:
        print("| " + " | ".join(line) + " |")
    print(flush=True)


PARTS: dict[str, Callable[[Bench], None]] = {
    "calls": calls,
    "start": start,
    "sizes": sizes,
    "memory": memory,
    "decide": script("decide"),
    "conditions": script("conditions"),
    "store": script("store"),
    "governance": script("governance"),
}


def main() -> int:
    words = sys.argv[1:] or list(PARTS)
    unknown = [word for word in words if word not in PARTS]
    if unknown:
        print(__doc__)
        return 2
    workshop = Workshop()
    with tempfile.TemporaryDirectory(prefix="mcp-guard-bench-") as scratch:
        bench = Bench(workshop, Path(scratch))
        versions = ", ".join(f"{name} {workshop.peer_version(name)}" for name in (peer.split(">")[0] for peer in PEERS))
        print(f"{machine()}; {versions}.\n")
        for word in words:
            PARTS[word](bench)
        if bench.bars:
            print("## The bars\n")
            table(
                ["what", "bar", "measured", ""],
                [[*bar, "holds" if holds else "**missed**"] for *bar, holds in bench.bars],
            )
    return 0 if all(holds for *_, holds in bench.bars) else 1


if __name__ == "__main__":
    raise SystemExit(main())

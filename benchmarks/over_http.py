"""What the guard costs where a side of it speaks HTTP, or where it stands in front of many servers; side by side.

    python benchmarks/over_http.py [to_http] [from_http] [many] [memory]

Without a word: all of them. Prints markdown tables on stdout, and what it is doing on stderr. As in `run.py`, each
figure is that of the quietest of several rounds, what a call takes is measured on one processor, and the client and the
server are native programs that do next to nothing. "nothing" is the native HTTP client straight to the native server.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from machinery import HERE, NPM_PEERS, PEERS, PYPI_PROXY, Workshop, machine, measured, say
from run import BOTH, CALLS, FLIGHT, ONE, Bars, Figures, table

ROUNDS = 3
UPSTREAMS, TOOLS, LATE = 50, 40, 1000  # servers, tools of each, milliseconds that the slowest takes to start
READ = 1024 * 1024  # bytes that a client takes at a time, as far as they are there
PATIENCE = 60.0  # seconds for a proxy to come up


class Proxy(NamedTuple):
    """Something that stands between: its name, how to start it, and how many calls it is given."""

    name: str
    start: Callable[[Sequence[str]], Sequence[str]]
    calls: int
    path: str = "/mcp"


class Target(NamedTuple):
    """What a client over HTTP is pointed to."""

    port: int
    path: str
    pid: int


class Bench:
    """One run: the tools, the rows, and the bars that it met or missed."""

    def __init__(self, workshop: Workshop, scratch: Path) -> None:
        self.workshop, self.scratch, self._files = workshop, scratch, 0
        self.http_echo, self._http_load = workshop.compiled("http_echo"), workshop.compiled("http_load")
        self.bars: Bars = []

    def new(self, suffix: str) -> Path:
        """A file of its own."""
        self._files += 1
        return self.scratch / f"{self._files}{suffix}"

    def options(self, *, server: str | None = "echo") -> list[str]:
        """What every guard here is started with: the policy of the other benchmarks, a log of its own."""
        given = ["--policy", str(HERE / "policy.yaml"), "--db", str(self.new(".db"))]
        return [*given, "--server", server] if server else given

    def load(self, mode: str, *numbers: int, target: Target, cpus: str) -> Figures:
        """Run the client over HTTP."""
        return measured([self._http_load, mode, *map(str, numbers), str(target.port), target.path], cpus)

    def native(self, cpus: str, tools: int = 2) -> AbstractContextManager[Target]:
        """The native server over HTTP."""
        return self._listening([self.http_echo, str(tools)], cpus, "/mcp")

    @contextmanager
    def _listening(self, command: Sequence[str], cpus: str, path: str) -> Iterator[Target]:
        """A server that prints its port."""
        with subprocess.Popen(["taskset", "-c", cpus, *command], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield Target(int(process.stdout.readline()), path, process.pid)
            finally:
                process.terminate()

    @contextmanager
    def proxied(self, proxy: Proxy, command: Sequence[str], cpus: str) -> Iterator[Target]:
        """A proxy with a server over stdio behind it, once it answers."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        line = [word.replace("{port}", str(port)) for word in proxy.start(command)]
        log = self.new(".log")
        with log.open("w") as said:
            process = subprocess.Popen(
                ["taskset", "-c", cpus, *line], stdin=subprocess.PIPE, stdout=said, stderr=said, cwd=self.scratch
            )
        try:
            _wait_for(port, process, log)
            yield Target(port, proxy.path, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def bar(self, what: str, bar: str, measured: str, holds: bool) -> None:
        self.bars.append((what, bar, measured, holds))


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{process.args} does not listen\n{log.read_text()[-4000:]}")


def best(before: Figures | None, figures: Figures) -> Figures:
    """The better of two rounds, figure by figure."""
    if before is None:
        return figures
    return {
        key: (max if key == "calls_per_second" else min)(before[key], figures[key]) for key in figures if key in before
    }


# a client over stdio, a server over HTTP


def client_proxies(bench: Bench) -> list[Proxy]:
    """What stands between a client over stdio and a server over HTTP; started with its URL."""
    shop = bench.workshop
    guard = [sys.executable, "-m", "mcp_guard", "run"]
    fastmcp = [str(shop.peers() / "fastmcp"), "run"]
    return [
        Proxy("a Python relay", lambda url: [sys.executable, str(HERE / "http_relay.py"), *url], 5_000),
        Proxy("mcp-guard", lambda url: [*guard, *bench.options(), "--url", *url], 5_000),
        Proxy(
            "supergateway (npm)",
            lambda url: [shop.npm_peer("supergateway"), "--logLevel", "none", "--streamableHttp", *url],
            2_000,
        ),
        Proxy("mcp-proxy (PyPI)", lambda url: [shop.pypi_proxy(), "--transport", "streamablehttp", *url], 1_000),
        Proxy("fastmcp", lambda url: [*fastmcp, *url, "--no-banner", "--log-level", "ERROR"], 100),
    ]


def to_http(bench: Bench) -> None:
    """A client over stdio, a server over HTTP."""
    say("stdio client, HTTP server")
    figures: dict[str, Figures] = {}
    with bench.native(ONE) as target:
        url = [f"http://127.0.0.1:{target.port}/mcp"]
        for number in range(ROUNDS):
            say(f"  round {number + 1} of {ROUNDS}")
            figures["nothing"] = best(figures.get("nothing"), bench.load("latency", 10_000, target=target, cpus=ONE))
            for proxy in client_proxies(bench):
                say(f"    {proxy.name}")
                run = bench.workshop.load("latency", proxy.calls, command=proxy.start(url), cpus=ONE)
                figures[proxy.name] = best(figures.get(proxy.name), run)
    print("## One `tools/call` of a client over stdio, to a server over HTTP\n")
    _latencies(figures)
    added = figures["mcp-guard"]["p50"] - figures["nothing"]["p50"]
    bench.bar("added p50, stdio client to HTTP server", "≤ 400 µs", f"{added:.0f} µs", added <= 400)


# a client over HTTP, a server over stdio


def server_proxies(bench: Bench) -> list[Proxy]:
    """What stands between a client over HTTP and a server over stdio; started with its command."""
    shop = bench.workshop
    guard = [sys.executable, "-m", "mcp_guard", "serve", "--port", "{port}"]

    def fastmcp(command: Sequence[str]) -> Sequence[str]:
        config = bench.new(".json")
        servers = {"server": {"command": command[0], "args": list(command[1:])}}
        config.write_text(json.dumps({"mcpServers": servers}))
        quiet = ["--no-banner", "--log-level", "ERROR"]
        return [str(shop.peers() / "fastmcp"), "run", str(config), "-t", "http", "-p", "{port}", *quiet]

    def supergateway(command: Sequence[str]) -> Sequence[str]:
        given = ["--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none", "--port", "{port}"]
        return [shop.npm_peer("supergateway"), *given, "--stdio", " ".join(command)]

    def npm_proxy(command: Sequence[str]) -> Sequence[str]:
        given = ["--host", "127.0.0.1", "--server", "stream", "--port", "{port}"]
        return [shop.npm_peer("mcp-proxy"), *given, "--", *command]

    return [
        Proxy("mcp-guard", lambda command: [*guard, *bench.options(), "--", *command], 5_000),
        Proxy("supergateway (npm)", supergateway, 2_000),
        Proxy("mcp-proxy (npm)", npm_proxy, 2_000),
        Proxy("mcp-proxy (PyPI)", lambda command: [shop.pypi_proxy(), "--port", "{port}", *command], 1_000),
        Proxy("fastmcp", fastmcp, 200, path="/mcp"),
    ]


def from_http(bench: Bench) -> None:
    """A client over HTTP, a server over stdio."""
    say("HTTP client, stdio server")
    figures: dict[str, Figures] = {}
    echo = [bench.workshop.echo]
    for number in range(ROUNDS):
        say(f"  round {number + 1} of {ROUNDS}")
        with bench.native(ONE) as target:
            figures["nothing"] = best(figures.get("nothing"), bench.load("latency", 10_000, target=target, cpus=ONE))
        for proxy in server_proxies(bench):
            say(f"    {proxy.name}")
            with bench.proxied(proxy, echo, ONE) as target:
                run = bench.load("latency", proxy.calls, target=target, cpus=ONE)
            with bench.proxied(proxy, echo, BOTH) as target:
                run |= bench.load("throughput", proxy.calls, FLIGHT, target=target, cpus=BOTH)
            figures[proxy.name] = best(figures.get(proxy.name), run)
    print("## One `tools/call` of a client over HTTP, to a server over stdio\n")
    _latencies(figures)
    added = figures["mcp-guard"]["p50"] - figures["nothing"]["p50"]
    bench.bar("added p50, HTTP client to stdio server", "≤ 350 µs", f"{added:.0f} µs", added <= 350)


def _latencies(figures: dict[str, Figures]) -> None:
    direct = figures["nothing"]["p50"]
    rates = any("calls_per_second" in run for run in figures.values())
    head = ["between client and server", "p50 µs", "added", "p99 µs"]
    lines = [
        [
            name,
            f"{run['p50']:.0f}",
            f"{run['p50'] - direct:.0f}" if name != "nothing" else "–",
            f"{run['p99']:.0f}",
            *([f"{run['calls_per_second']:,.0f}" if "calls_per_second" in run else "–"] if rates else []),
        ]
        for name, run in figures.items()
    ]
    table([*head, f"calls/s, {FLIGHT} in flight"] if rates else head, lines)


# many servers behind one guard


def many(bench: Bench) -> None:
    """Fifty servers as one: how soon the merged list is there, and what a call takes."""
    say(f"{UPSTREAMS} servers of {TOOLS} tools")
    after, listed, called = [], [], []
    for number in range(ROUNDS):
        say(f"  round {number + 1} of {ROUNDS}")
        note = bench.new(".time")
        echo = bench.workshop.echo
        slow = [str(TOOLS), str(LATE), str(note)]
        servers = {
            f"s{n:02}": {"command": echo, "args": slow if n == UPSTREAMS - 1 else [str(TOOLS)]}
            for n in range(UPSTREAMS)
        }
        config = bench.new(".json")
        config.write_text(json.dumps({"mcpServers": servers}))
        guard = [sys.executable, "-m", "mcp_guard", "run", *_for_many(bench), "--config", str(config)]
        after.append(_list_after(guard, note))
        environment = {"TOOL": "s07__echo"}
        listed.append(bench.workshop.load("list", 9, command=guard, cpus=BOTH, env=environment)["ms"])
        called.append(bench.workshop.load("latency", 5_000, command=guard, cpus=ONE, env=environment)["p50"])
    direct = bench.workshop.load("latency", 10_000, command=[bench.workshop.echo], cpus=ONE)["p50"]
    print(f"## {UPSTREAMS} servers of {TOOLS} tools behind one guard\n")
    table(
        ["what", "measured"],
        [
            ["the merged list, after the slowest server has given its own", f"{min(after):.0f} ms"],
            ["the merged list, once all are there", f"{min(listed):.1f} ms"],
            ["one `tools/call`, p50", f"{min(called):.0f} µs"],
            ["added over the server alone", f"{min(called) - direct:.0f} µs"],
        ],
    )
    bench.bar("merged list after the slowest", "≤ 50 ms", f"{min(after):.0f} ms", min(after) <= 50)


def _for_many(bench: Bench) -> list[str]:
    policy = bench.new(".yaml")
    policy.write_text("version: 1\nrules:\n  - {name: everything, effect: allow}\n")
    return ["--policy", str(policy), "--db", str(bench.new(".db"))]


def _list_after(guard: Sequence[str], note: Path) -> float:
    """Milliseconds from the slowest server's own list to the last byte of the client's merged one, with all its tools.

    What the client then makes of that line is not measured, and it reads as much at a time as there is.
    """
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "load", "version": "1"}}
    with subprocess.Popen(guard, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=READ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def say(**message: object) -> None:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            process.stdin.flush()

        say(id=0, method="initialize", params=hello)
        process.stdout.readline()
        say(method="notifications/initialized")
        say(id=1, method="tools/list")
        for number in range(2, 1000):
            line = process.stdout.readline()
            now = time.monotonic() * 1000
            answer = json.loads(line)
            if len(answer.get("result", {}).get("tools", [])) == UPSTREAMS * TOOLS:
                process.stdin.close()
                return now - float(note.read_text())
            if answer.get("method") == "notifications/tools/list_changed":
                say(id=number, method="tools/list")
    raise SystemExit("the guard never listed all tools")


# memory


def memory(bench: Bench) -> None:
    """Resident memory of the guard over many calls, by each transport."""
    say("memory")
    rows: dict[str, Figures] = {}
    with bench.native(BOTH) as target:
        url = f"http://127.0.0.1:{target.port}/mcp"
        guard = [sys.executable, "-m", "mcp_guard", "run", *bench.options(), "--url", url]
        rows["stdio client to HTTP server"] = bench.workshop.load("memory", CALLS, 1, command=guard, cpus=BOTH)
    with bench.proxied(server_proxies(bench)[0], [bench.workshop.echo], BOTH) as target:
        rows["HTTP client to stdio server"] = bench.load("memory", CALLS, target.pid, target=target, cpus=BOTH)
    marks = ["1000", "10000", "50000", "100000"]
    print("## Resident memory of the guard, MB\n")
    table(
        ["transports", *(f"after {int(mark):,} calls" for mark in marks)],
        [[name, *(f"{run[mark] / 1024:.1f}" for mark in marks)] for name, run in rows.items()],
    )
    for name, run in rows.items():
        growth = (run["100000"] - run["10000"]) / 1024
        bench.bar(f"memory from 10,000 to 100,000 calls, {name}", "flat (≤ 1 MB)", f"{growth:+.1f} MB", growth <= 1)


PARTS: dict[str, Callable[[Bench], None]] = {"to_http": to_http, "from_http": from_http, "many": many, "memory": memory}


def main() -> int:
    words = sys.argv[1:] or list(PARTS)
    if any(word not in PARTS for word in words):
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory(prefix="mcp-guard-bench-") as scratch:
        bench = Bench(Workshop(), Path(scratch))
        print(f"{machine()}; peers: {', '.join(NPM_PEERS)}, {PYPI_PROXY}, {PEERS[0]}.\n")
        for word in words:
            PARTS[word](bench)
        print("## The bars\n")
        table(
            ["what", "bar", "measured", ""],
            [[what, bar, got, "holds" if holds else "**missed**"] for what, bar, got, holds in bench.bars],
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

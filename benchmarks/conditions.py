"""What conditions cost: 13 typical ones on one small call, and on one with 1 MB of arguments, by three engines.

    python benchmarks/conditions.py

All engines run in this process, one after the other, on the same values. Each figure is the median of several rounds,
for all 13 conditions together. `start` is a new process: to import the engine and compile the conditions. Nothing here
is a test: the figures are to be read, on a machine that does nothing else.
"""

import gc
import statistics
import subprocess
import sys
import time
import typing
from collections.abc import Callable, Mapping
from importlib import import_module

if typing.TYPE_CHECKING:
    from mcp_guard.cel import Program

CONDITIONS = (
    'request.args.base == "main"',
    'agent.slug == "claude-code" && "trusted" in agent.tags',
    '"admin" in user.groups',
    'mcp.tool.name.startsWith("delete_") || "destructive" in mcp.tool.tags',
    'request.args.path.startsWith("/srv/project/") && !request.args.path.contains("..")',
    'has(request.args.channel) && request.args.channel in ["#builds", "#alerts"]',
    "request.args.amount > 0 && request.args.amount <= 500",
    'request.args.to.all(address, address.endsWith("@acme.com"))',
    r'request.args.sql.matches(r"(?i)^\s*select\b")',
    'size(request.args.title) <= 120 && request.args.title != ""',
    '!has(request.args.force) || request.args.force == false || "admin" in user.groups',
    'request.args.labels.exists(label, label in ["bug", "security"])',
    'agent.slug == "cursor" && request.args.repository.owner == "acme"',
)

SMALL = {
    "base": "develop",
    "path": "/srv/project/src/app.py",
    "channel": "#builds",
    "amount": 120,
    "to": ["alice@acme.com", "bob@acme.com", "carol@acme.com"],
    "sql": "SELECT id, name FROM users WHERE id = 7",
    "title": "Fix the login form",
    "labels": ["ui", "bug"],
    "repository": {"owner": "acme", "name": "shop"},
}
ROWS = [{"id": number, "name": f"row {number}", "tags": ["a", "b"], "score": number / 7} for number in range(15_000)]
LARGE = {**SMALL, "rows": ROWS}

FACTS = {
    "agent": {"id": "a", "name": "Claude Code", "slug": "claude-code", "tags": ["cli", "trusted"], "verified": True},
    "user": {"id": "u", "name": "Alice", "email": "alice@acme.com", "groups": ["eng", "admin"], "verified": True},
    "mcp": {"id": "m", "name": "GitHub", "slug": "github", "tags": [], "tool": {"name": "create_issue", "tags": []}},
}

Judge = Callable[[Mapping[str, object]], list[object]]


def activation(arguments: object) -> dict[str, object]:
    return {**FACTS, "request": {"args": arguments}}


def programs() -> "list[Program]":
    """The conditions as a policy compiles them: checked against the variables that it declares."""
    from mcp_guard import cel
    from mcp_guard.cel.types import BOOL, DYN, STRING, list_of, map_of, record

    named = {"id": STRING, "name": STRING, "slug": STRING, "tags": list_of(STRING), "verified": BOOL}
    user = {"id": STRING, "name": STRING, "email": STRING, "groups": list_of(STRING), "verified": BOOL}
    tool = record("mcp.tool", {"name": STRING, "tags": list_of(STRING)})
    variables = {
        "agent": record("agent", named),
        "user": record("user", user),
        "mcp": record("mcp", {**named, "tool": tool}),
        "request": record("request", {"args": map_of(STRING, DYN)}),
    }
    return [cel.compile(source, variables=variables, expect_bool=True) for source in CONDITIONS]


def ours() -> Judge:
    from mcp_guard import cel

    compiled = programs()

    def judge(variables: Mapping[str, object]) -> list[object]:
        budget = cel.Budget()
        return [program.evaluate(variables, budget) for program in compiled]

    return judge


def ours_partially() -> Judge:
    compiled = programs()
    return lambda variables: [program.partial(variables) for program in compiled]


def cel_python() -> Judge:
    celpy, to_cel = import_module("celpy"), import_module("celpy.adapter").json_to_cel
    environment = celpy.Environment()
    compiled = [environment.program(environment.compile(source)) for source in CONDITIONS]

    def judge(variables: Mapping[str, object]) -> list[object]:
        converted = {name: to_cel(value) for name, value in variables.items()}
        return [bool(program.evaluate(converted)) for program in compiled]

    return judge


def cel_expr_python() -> Judge:
    engine = import_module("cel_expr_python.cel")
    environment = engine.NewEnv(variables=dict.fromkeys(activation({}), engine.Type.DYN))
    compiled = [environment.compile(source) for source in CONDITIONS]
    return lambda variables: [program.eval(data=variables).value() for program in compiled]


ENGINES: dict[str, Callable[[], Judge]] = {
    "mcp_guard.cel": ours,
    "cel-expr-python (C++)": cel_expr_python,
    "cel-python": cel_python,
}


def median(action: Callable[[], object], seconds: float = 1.0) -> float:
    """Microseconds for one run of an action: the median of rounds that fill some time."""
    action()
    started = time.perf_counter()
    action()
    repeats = max(1, int(0.01 / max(time.perf_counter() - started, 1e-9)))
    rounds: list[float] = []
    end = time.perf_counter() + seconds
    while len(rounds) < 5 or time.perf_counter() < end:
        started = time.perf_counter()
        for _ in range(repeats):
            action()
        rounds.append((time.perf_counter() - started) / repeats)
    return statistics.median(rounds) * 1e6


START = """
import sys, time
sys.path.insert(0, {path!r})
import benchmarks.conditions as these
started = time.perf_counter()
these.ENGINES[{name!r}]()
print(time.perf_counter() - started)
"""


def started(name: str) -> float:
    """Milliseconds to make an engine and its 13 conditions in a process that has not seen it yet."""
    path = str(import_module("pathlib").Path(__file__).parent.parent)
    script = START.format(path=path, name=name)
    times = [float(subprocess.check_output([sys.executable, "-c", script])) for _ in range(5)]
    return statistics.median(times) * 1e3


def shown(microseconds: float) -> str:
    return f"{microseconds:,.1f} µs" if microseconds < 1000 else f"{microseconds / 1000:,.1f} ms"


def main() -> None:
    gc.freeze()
    expected = ours()(activation(SMALL))
    print(f"{len(CONDITIONS)} conditions, Python {sys.version.split()[0]}, {sys.platform}\n")
    print(f"| {'engine':22} | {'small call':>10} | {'1 MB call':>10} | {'start':>9} |")
    print(f"|{'-' * 24}|{'-' * 11}:|{'-' * 11}:|{'-' * 10}:|")
    for name, make in ENGINES.items():
        judge = make()
        if judge(activation(SMALL)) != expected:
            raise SystemExit(f"{name} judges otherwise")
        small, large = (median(lambda call=call, judge=judge: judge(activation(call))) for call in (SMALL, LARGE))
        print(f"| {name:22} | {shown(small):>10} | {shown(large):>10} | {started(name):6.1f} ms |")
    judge = ours_partially()
    partial, compiled = median(lambda: judge(FACTS)), median(programs)
    print(f"\nmcp_guard.cel, all 13: partly evaluated without arguments {shown(partial)}, compiled {shown(compiled)}")


if __name__ == "__main__":
    main()

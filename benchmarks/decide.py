"""What one decision costs: `python benchmarks/decide.py`.

Two policies: 20 rules of which 8 have conditions, and 1,000 rules in the same proportion, spread over 20 servers. The
call is the dearest kind: all conditions for its server are evaluated, and the last rule decides. `warm` is a call like
others before it, `cold` the very first of an agent, `new tool` a preview of a tool that this agent has not been shown
yet, `preview` one that it has, `traced` a call that is explained.
"""

import time
from collections.abc import Callable
from itertools import count

from mcp_guard.policy import Call, Policy, Principal, Source, load

CONDITIONS = [
    'request.args.path.startsWith("/etc/")',
    'request.args.branch in ["main", "master"]',
    r'request.args.text.matches(r"(?i)drop\s+table")',
    'request.args.recipients.exists(r, !r.endsWith("@acme.com"))',
    "has(request.args.force) && request.args.force == true",
    'agent.slug == "cursor" && request.args.path.contains("..")',
    "size(request.args.text) > 10000",
    'request.args.owner != "acme" || request.args.count > 100',
]
ARGUMENTS = {
    "path": "/srv/project/src/main.py",
    "branch": "agent/fix",
    "text": "select id, name from users where id = 7",
    "recipients": ["ann@acme.com", "bo@acme.com", "cy@acme.com"],
    "owner": "acme",
    "count": 7,
}
ROUNDS, CALLS = 15, 2_000


def quoted(text: str) -> str:
    """A text in YAML's single quotes, where a backslash is a backslash."""
    return "'" + text.replace("'", "''") + "'"


def policy(rules: int) -> Policy:
    """A policy of this many rules, 8 in 20 with a condition; every fiftieth is for any server."""
    servers = rules // 20
    lines = ["version: 1", "rules:"]
    for server in range(servers):
        for number in range(20):
            condition = CONDITIONS[number] if number < len(CONDITIONS) else None
            effect = "allow" if number == 19 else "deny"
            tools = "[push, 'get_*']" if condition or number == 19 else f"[tool_{number}, 'delete_{number}_*']"
            lines.append(f"  - {{id: r{server}-{number}, effect: {effect}, servers: s{server}, tools: {tools}")
            lines[-1] += f", when: {quoted(condition)}}}" if condition else "}"
    return load([Source("bench.yaml", "\n".join(lines).encode())])


def microseconds(work: Callable[[], object], calls: int = CALLS) -> float:
    """What one call of `work` takes in the best of some rounds: the least disturbed by whatever else runs."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        before = time.perf_counter_ns()
        for _ in range(calls):
            work()
        rounds.append((time.perf_counter_ns() - before) / calls / 1000)
    return min(rounds)


def main() -> None:
    agent = Principal("claude-code", "alice@acme.com", ("developers",))
    print(f"µs a call, best of {ROUNDS} rounds")
    print(f"{'rules':>6} {'warm':>9} {'cold':>9} {'new tool':>9} {'preview':>9} {'traced':>9}")
    for rules in (20, 1_000):
        judge = policy(rules)
        call = Call(agent, "s0", "push", ARGUMENTS)
        decision = judge.decide(call)
        assert (decision.outcome, decision.rule) == ("allow", "r0-19"), decision

        def cold(judge: Policy = judge, call: Call = call) -> object:
            judge.forget()
            return judge.decide(call)

        names = (f"get_{number}" for number in count())
        figures = [
            microseconds(lambda judge=judge, call=call: judge.decide(call)),
            microseconds(cold, CALLS // 10),
            microseconds(lambda judge=judge, names=names: judge.preview(agent, "s0", next(names))),
            microseconds(lambda judge=judge: judge.preview(agent, "s0", "push")),
            microseconds(lambda judge=judge, call=call: judge.decide(call, trace=True), CALLS // 10),
        ]
        print(f"{rules:>6} " + " ".join(f"{figure:>9.1f}" for figure in figures))


if __name__ == "__main__":
    main()

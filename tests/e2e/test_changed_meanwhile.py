"""A registry that another process changes without rest: each call runs, or is denied by what is in force; no more."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.wire import LEGACY, Wire, wire

AGENT = "wire"  # what the client says that it is
CALLS, TOGETHER = 400, 8
LEAST = 40  # changes: with fewer, nothing would have been tried, so there are more calls until there were as many

HAMMER = """
import sys, select
from mcp_guard.store.registry import agents, grants
from mcp_guard.store.registry.book import Book

path, what, agent = sys.argv[1:]
book = Book(path, "hammer")
changes = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    if what == "quarantine":
        agents.quarantine(book, agent)
        agents.restore(book, agent)
    else:
        grants.revoke(book, grants.add(book, agent, "other_*", "allow")["id"])
    changes += 2
    if changes == 2:
        print("begun", flush=True)
book.close()
print(changes)
"""


@contextmanager
def hammered(guard: Guard, what: str, changes: list[int]) -> Iterator[None]:
    """Another process changes the registry about the agent as long as this lasts; `changes` gets how often."""
    command = [sys.executable, "-c", HAMMER, str(guard.database), what, AGENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield
        process.stdin.close()
        changes.append(int(process.stdout.read()))


def alone(guard: Guard, seen: Path) -> list[str]:
    """The guard of one server between two pairs of pipes."""
    return guard.command([*server("witness"), str(seen)])


def beside(guard: Guard, seen: Path) -> list[str]:
    """The guard of several servers on an event loop."""
    commands = {"witness": [*server("witness"), str(seen)], "quiet": server("quiet")}
    servers = {slug: {"command": command[0], "args": command[1:]} for slug, command in commands.items()}
    path = guard.policy.with_name("guard.json")
    path.write_text(json.dumps({"servers": servers, "prefix": "", "wait": 60}))
    return guard.run(["--config", str(path)])


def register(guard: Guard) -> None:
    command = ["agents", "create", AGENT, "--db", str(guard.database)]
    subprocess.run([sys.executable, "-m", "mcp_guard", *command], check=True, capture_output=True, timeout=60)


def answers(client: Wire, ids: Sequence[object]) -> dict[object, str]:
    """What each of these calls gets, in whatever order the answers come."""
    said: dict[object, str] = {}
    while len(said) < len(ids):
        answer = client.until(lambda message: "method" not in message)
        said[answer["id"]] = answer["result"]["content"][0]["text"]
    assert said.keys() == set(ids)
    return said


def changes_so_far(guard: Guard) -> int:
    return sum(event["type"].startswith(("agent.", "grant.")) for event in guard.events())


def ran_while_quarantined(events: Sequence[dict[str, Any]]) -> list[str]:
    """The calls whose row says that they ran after their agent was quarantined and before it was restored."""
    found, barred = [], False
    for event in events:
        barred = {"agent.quarantined": True, "agent.restored": False}.get(event["type"], barred)
        if barred and event["type"] == "tool.decided" and event["decision"] == "allow":
            found.append(event["id"])
    return found


@pytest.mark.parametrize("what", ["quarantine", "grant"])
@pytest.mark.parametrize("guarded", [alone, beside])
def test_no_call_is_denied_because_something_changed(guard: Guard, tmp_path: Path, guarded: Any, what: str) -> None:
    register(guard)
    seen, changes = tmp_path / "seen", list[int]()
    seen.touch()
    with wire(guarded(guard, seen)) as client:
        client.open(LEGACY[-1])
        with hammered(guard, what, changes):
            for first in count(0, TOGETHER):
                if first >= CALLS and changes_so_far(guard) >= LEAST:
                    break
                asked = range(first, first + TOGETHER)
                ids = [client.ask("tools/call", {"name": "note", "arguments": {"n": number}}) for number in asked]
                said = answers(client, ids)
                for number, request in zip(asked, ids, strict=True):
                    assert said[request] == str(number) or "quarantined" in said[request], said[request]
    events = guard.events()
    decided = [event for event in events if event["type"] == "tool.decided"]
    outcomes = {(event["decision"], event["decided_by"]) for event in decided}
    assert outcomes <= {("allow", "policy"), ("deny", "quarantine")}
    assert what == "quarantine" or outcomes == {("allow", "policy")}
    assert len(decided) == first
    assert changes[0] >= LEAST
    assert ran_while_quarantined(events) == []
    allowed = [event["data"]["arguments"]["n"] for event in decided if event["decision"] == "allow"]
    assert [int(line) for line in seen.read_text().splitlines()] == allowed

"""Webhooks of guards that clients start: told of what waits, by one of them, whatever becomes of the others."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import marked_processes
from tests.e2e.guard import Guard, server
from tests.e2e.wire import LEGACY, Wire, text_of, wire
from tests.webhooks.endpoint import Endpoint

POLICY = """\
version: 1
rules:
  - {id: asked, effect: require_approval, tools: echo}
  - {id: rest, effect: allow}
settings: {approvals: store}
"""
SECRET = "a secret of the webhooks that nobody knows"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    opened = Endpoint()
    monkeypatch.setenv("MCP_GUARD_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK", opened.url)
    yield opened
    opened.close()


@pytest.fixture
def guarded(guard: Guard) -> list[str]:
    guard.policy.write_text(POLICY)
    return guard.command(server("patient"), "--webhook", "%{HOOK}")


def mcp_guard(guard: Guard, *words: str) -> None:
    """A person at a command line."""
    command = [sys.executable, "-m", "mcp_guard", *words, "--db", str(guard.database)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def started(client: Wire) -> Wire:
    client.open(LEGACY[-1])
    return client


WAYS = ("one", "many")


@pytest.mark.parametrize("way", WAYS)
def test_a_person_learns_by_webhook_that_a_call_waits(
    way: str, guarded: list[str], guard: Guard, endpoint: Endpoint, tmp_path: Path
) -> None:
    if way == "many":
        config = tmp_path / "servers.json"
        command = {"command": sys.executable, "args": server("patient")[1:]}
        config.write_text(json.dumps({"mcpServers": {"upstream": command, "other": command}}))
        guarded = guard.run(["--config", str(config)], "--webhook", "%{HOOK}")
    prefix = "upstream__" if way == "many" else ""
    with wire(guarded) as client:
        started(client)
        request = client.ask("tools/call", {"name": f"{prefix}echo", "arguments": {"text": "hello"}})
        told = endpoint.next()
        assert told["type"] == "approval.requested"
        mcp_guard(guard, "approvals", "approve", told["data"]["id"])
        assert text_of(client.response(request)) == "hello"
        assert text_of(client.call(f"{prefix}variable", {"name": "MCP_GUARD_WEBHOOK_SECRET"})) == "not set"
        assert SECRET not in client.stderr()


def test_guards_with_the_same_webhook_tell_once_also_when_the_one_that_told_is_killed(
    guarded: list[str], guard: Guard, endpoint: Endpoint
) -> None:
    told = list[str]()
    with wire(guarded) as first, wire(guarded) as second, wire(guarded) as third:
        guards = [started(client) for client in (first, second, third)]
        for agent, dying in zip(("ann", "bob", "eve"), guards, strict=True):
            mcp_guard(guard, "stop", "--agent", agent)
            told.append(endpoint.next()["data"]["agent"])
            if told[-2:-1] == told[-1:]:  # its guard was killed before it knew that this was delivered
                told[-1] = endpoint.next()["data"]["agent"]
            assert told[-1] == agent
            if dying is not third:
                dying.process.kill()
    assert endpoint.got.empty()


def test_what_happened_while_no_guard_ran_is_told_by_the_next(
    guarded: list[str], guard: Guard, endpoint: Endpoint
) -> None:
    with wire(guarded) as client:
        started(client)
    mcp_guard(guard, "stop", "--all")
    with wire(guarded) as client:
        started(client)
        assert endpoint.next()["type"] == "calls.stopped"


@pytest.mark.parametrize(
    ("options", "says"),
    [(["--webhook", "ftp://x/?hidden"], "webhook"), (["--webhook", "%{NOT_THERE}"], "NOT_THERE is not set")],
)
def test_a_webhook_that_cannot_be_one_is_refused_before_the_server_is_started(
    options: list[str], says: str, guard: Guard, endpoint: Endpoint, tmp_path: Path
) -> None:
    proof = tmp_path / "started"
    done = subprocess.run(guard.run(["--", "touch", str(proof)], *options), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert says in done.stderr
    assert "hidden" not in done.stderr
    assert not proof.exists()


FOLLOWING = ("threading", "mcp_guard.webhooks.delivery")
HEAVY = ("ssl", "http.client", "asyncio", "httptools", "anyio", "mcp")


@pytest.mark.parametrize(
    ("webhook", "absent"), [(False, (*FOLLOWING, *HEAVY)), (True, HEAVY)], ids=["without", "with nothing to tell"]
)
def test_a_guard_loads_for_webhooks_only_what_it_needs(
    webhook: bool, absent: tuple[str, ...], guarded: list[str], guard: Guard, endpoint: Endpoint
) -> None:
    command = guarded if webhook else guard.command(server("patient"))
    with wire([command[0], "-X", "importtime", *command[1:]]) as client:
        started(client)
        assert text_of(client.call("pid")) != ""
        client.finish()
        loaded = {line.rpartition("|")[2].strip() for line in client.stderr().splitlines() if "import time:" in line}
    assert "mcp_guard.transports.stdio" in loaded
    assert loaded.isdisjoint(absent)
    assert webhook == loaded.issuperset(FOLLOWING)


def test_the_secret_is_in_no_command_line_and_in_no_file(
    guarded: list[str], guard: Guard, endpoint: Endpoint, tmp_path: Path
) -> None:
    with wire(guarded) as client:
        started(client)
        mcp_guard(guard, "stop", "--all")
        endpoint.next()
        lines = "\n".join(marked_processes(os.environ["MCP_GUARD_E2E_MARK"]))
    assert "%{HOOK}" in lines
    for written in (lines.encode(), *(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())):
        assert SECRET.encode() not in written
        assert endpoint.url.encode() not in written

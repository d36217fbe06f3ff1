"""Three guards on one file, two over stdio and one over HTTP: what is changed bites on each one's next call."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.store.registry import instances
from mcp_guard.store.registry.book import Book
from tests.e2e.guard import Guard, server
from tests.e2e.http_session import HttpSession, Response
from tests.e2e.through import served
from tests.e2e.web import Web
from tests.e2e.wire import LEGACY, GoneError, Message, wire

GRANTED_ONLY = """\
version: 1
rules:
  - {name: everything, effect: allow}
settings: {unlisted_tools: policy, require_verified: true, require_grant: true}
"""
SECURITY = "security-token-of-the-house"


class House:
    """The guards, each with a client that calls through it; the command line and the API of their registry."""

    def __init__(self, guard: Guard, url: str) -> None:
        self.guard = guard
        self.calls: list[Callable[[], bool]] = []
        self._api = Web(url, SECURITY)

    def mcp_guard(self, *arguments: str) -> Any:
        """A command over the registry; what it prints."""
        return command(self.guard, *arguments)

    def api(self, method: str, path: str, body: object = None) -> Any:
        """A request to the API; what it gives."""
        answer = self._api.ask(method, path, body)
        assert answer.status < 300, answer.body
        return answer.json

    def served(self) -> list[bool]:
        """Which guard lets a call through now, one call each."""
        return [call() for call in self.calls]

    def decided_by(self) -> list[str]:
        """Which layer decided the last call of each guard."""
        return [event["decided_by"] for event in self.guard.events("tool.decided")[-len(self.calls) :]]


def command(guard: Guard, *arguments: str) -> Any:
    run = [sys.executable, "-m", "mcp_guard", *arguments, "--db", str(guard.database), "--json"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path, GRANTED_ONLY)


@pytest.fixture
def token(guard: Guard) -> dict[str, str]:
    """The key that all three clients bring."""
    return command(guard, "agents", "token", "bot")


@pytest.fixture
def house(guard: Guard, token: dict[str, str], tmp_path: Path) -> Iterator[House]:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{SECURITY} role=security user=ann\n")
    tokens.chmod(0o600)
    upstream = server("patient")
    with ExitStack() as stack:
        url = stack.enter_context(served(guard, ["--", *upstream], "--server", "patient", "--token-file", str(tokens)))
        made = House(guard, url)
        for _ in range(2):
            environment = {**os.environ, "MCP_GUARD_TOKEN": token["token"]}
            client = stack.enter_context(wire(guard.command(upstream, slug="patient"), environment))
            client.open(LEGACY[-1])
            made.calls.append(lambda client=client: _passed(client.call("echo", {"text": "a"})))
        session = HttpSession(url, Authorization=f"Bearer {token['token']}")
        made.calls.append(lambda: _answered(session.call("echo", text="a")))
        yield made


def _passed(response: Message) -> bool:
    return "result" in response and not response["result"].get("isError", False)


def _answered(answer: Response) -> bool:
    return answer.status == 200 and _passed(answer.json)


def test_what_is_changed_anywhere_bites_on_the_next_call_of_every_guard(house: House, token: dict[str, str]) -> None:
    assert house.served() == [False, False, False]
    assert house.decided_by() == ["grant", "grant", "grant"]

    grant = house.api("POST", "/api/permissions", {"agent": "bot", "pattern": "patient:*", "effect": "allow"})
    assert house.served() == [True, True, True]
    house.mcp_guard("grants", "revoke", grant["id"])
    assert house.served() == [False, False, False]
    house.mcp_guard("grants", "add", "--agent", "bot", "--tool", "patient:*")
    assert house.served() == [True, True, True]

    house.mcp_guard("stop", "--all", "--reason", "incident")
    assert house.served() == [False, False, False]
    assert house.decided_by() == ["override", "override", "override"]
    house.api("POST", "/api/resume", {"agent": None})
    assert house.served() == [True, True, True]
    house.api("POST", "/api/stop", {"agent": "bot"})
    assert house.served() == [False, False, False]
    house.mcp_guard("resume", "--agent", "bot")
    assert house.served() == [True, True, True]

    house.api("DELETE", f"/api/credentials/{token['id']}")
    assert house.served() == [False, False, False]


def test_an_observing_guard_lets_through_what_a_budget_would_deny_and_not_what_is_stopped(tmp_path: Path) -> None:
    guard = Guard(
        tmp_path, "version: 1\nrules: [{name: everything, effect: allow}]\nsettings: {unlisted_tools: policy}\n"
    )
    command(guard, "budgets", "set", "--agent", "cursor", "--calls", "1", "--per", "day")
    with wire(guard.command(server("patient"), "--mode", "observe", "--agent", "cursor", slug="patient")) as client:
        client.open(LEGACY[-1])
        assert [_passed(client.call("echo", {"text": "a"})) for _ in range(3)] == [True, True, True]
        assert [row["decided_by"] for row in guard.events("tool.decided")] == ["policy", "budget", "budget"]
        command(guard, "stop", "--agent", "cursor")
        assert not _passed(client.call("echo", {"text": "a"}))


def test_a_connection_that_somebody_ends_serves_no_further_call(house: House) -> None:
    house.mcp_guard("grants", "add", "--agent", "bot", "--tool", "patient:*")
    assert house.served() == [True, True, True]
    connections = [event["connection_id"] for event in house.guard.events("tool.decided")[-3:]]
    for connection, call in zip(connections, house.calls, strict=True):
        with Book(str(house.guard.database), "kim") as book:
            instances.disconnect(book, connection, "laptop lost")
        with suppress(GoneError, BrokenPipeError):
            assert call() is False
    ran = [event for event in house.guard.events("tool.decided")[3:] if event["decision"] == "allow"]
    assert len(ran) == 0


def test_a_grant_ends_on_time_for_every_guard(house: House) -> None:
    for term in (2, 10, 30):  # seconds: longer on a machine that takes as long for three calls
        ends = datetime.now(UTC) + timedelta(seconds=term)
        asked = {"agent": "bot", "pattern": "*", "effect": "allow", "expires_at": ends.isoformat()}
        house.api("POST", "/api/permissions", asked)
        while_it_stood = house.served()
        in_time = datetime.now(UTC) < ends
        while datetime.now(UTC) <= ends:
            time.sleep(0.01)
        assert house.served() == [False, False, False]
        assert house.decided_by() == ["grant", "grant", "grant"]
        if in_time:
            assert while_it_stood == [True, True, True]
            return
    raise AssertionError("three calls took longer than half a minute")

"""Approvals for real: the SDK's client in both eras, before servers of both eras, over both transports, beside other
servers; and a person at a command line.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e.guard import PATIENCE, Guard
from tests.e2e.through import REFERENCE, served
from tests.e2e.wire import LEGACY, MODERN, text_of, wire

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

POLICY = """\
version: 1
rules:
  - {id: asked, effect: require_approval, tools: [echo, order], message: Read it first.}
  - {id: rest, effect: allow}
  - {id: asked-too, effect: require_approval, prompts: review, resources: "memo://*", message: Read it first.}
  - {id: other-offers, effect: allow, prompts: "*", resources: "*"}
settings: {unlisted_tools: policy, approvals: client}
"""
IN_STORE = POLICY.replace("approvals: client", "approvals: store")
T = TypeVar("T")
ERAS = ("legacy", "modern")
MODES = {"legacy": "legacy", "modern": MODERN}
HELLO = {"text": "hello"}


class Person:
    """Sits at the client, and answers what it is asked: the guard as told, a server that 42 is the size."""

    def __init__(self, *decisions: str) -> None:
        self.decisions = iter(decisions)
        self.asked: list[str] = []

    async def answer(self, context: Any, params: Any) -> types.ElicitResult:
        if "mcp-guard" not in params.message:
            return types.ElicitResult(action="accept", content={"size": 42})
        self.asked.append(params.message)
        return types.ElicitResult(action="accept", content={"decision": next(self.decisions)})


def outcomes(
    transport: Any, era: str, person: Person, *calls: tuple[str, dict[str, Any]]
) -> list[tuple[bool | None, str]]:
    """Whether the SDK's client gets an error for each of these calls, and the text that it gets."""

    async def play(client: Client) -> list[tuple[bool | None, str]]:
        results = [await client.call_tool(tool, arguments) for tool, arguments in calls]
        return [(result.is_error, text_in(result)) for result in results]

    return played(transport, era, person, play)


def played(transport: Any, era: str, person: Person, play: Callable[[Client], Awaitable[T]]) -> T:
    """What comes of a conversation of the SDK's client, at which this person sits."""

    async def converse() -> T:
        answer = {"elicitation_callback": person.answer}
        with anyio.fail_after(60):
            async with Client(transport, mode=MODES[era], read_timeout_seconds=30, **answer) as client:
                return await play(client)

    return anyio.run(converse)


def text_in(result: types.CallToolResult) -> str:
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


def upstream(era: str) -> list[str]:
    return [*REFERENCE, "stdio", "--era", era]


def configured(home: Path) -> list[str]:
    """A server beside another one: the hub."""
    servers = {slug: {"command": command[0], "args": command[1:]} for slug, command in SERVERS.items()}
    path = home / "guard.json"
    path.write_text(json.dumps({"servers": servers, "prefix": "", "wait": 60}))
    return ["--config", str(path)]


SERVERS = {"first": upstream("both"), "witness": [sys.executable, str(Path(__file__).parent / "servers/quiet.py")]}


@contextmanager
def reached(guard: Guard, given: list[str], transport: str) -> Iterator[Any]:
    if transport == "stdio":
        command = guard.run(given)
        yield stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
    else:
        with served(guard, given) as url:
            yield streamable_http_client(f"{url}/mcp")


CELLS = [
    *((client, server, "stdio") for client in ERAS for server in ERAS),
    *((client, server, "http") for client in ERAS for server in ERAS),
    *((client, "beside", transport) for client in ERAS for transport in ("stdio", "http")),
]


@pytest.mark.parametrize(("client", "behind", "transport"), CELLS, ids=["-".join(cell) for cell in CELLS])
def test_a_person_at_the_client_approves_and_denies(
    client: str, behind: str, transport: str, guard: Guard, tmp_path: Path
) -> None:
    guard.policy.write_text(POLICY)
    given = configured(tmp_path) if behind == "beside" else ["--", *upstream(behind)]
    person = Person("allow once", "deny")
    with reached(guard, given, transport) as connection:
        (runs, answer), (denied, reason) = outcomes(connection, client, person, ("echo", HELLO), ("echo", HELLO))
    assert (runs, denied) == (False, True)
    assert "hello" in answer
    assert "a person's approval is needed" in reason
    assert len(person.asked) == 2
    assert '"text": "hello"' in person.asked[0]
    rows = [(row["decision"], row["decided_by"]) for row in guard.events("tool.decided")]
    assert rows == [("allow", "approval"), ("deny", "approval")]
    assert [row["data"]["status"] for row in guard.events("approval.decided")] == ["approved", "denied"]


@pytest.mark.parametrize(("client", "behind", "transport"), CELLS, ids=["-".join(cell) for cell in CELLS])
def test_a_person_at_the_client_approves_and_denies_prompts_and_resources(
    client: str, behind: str, transport: str, guard: Guard, tmp_path: Path
) -> None:
    guard.policy.write_text(POLICY)
    given = configured(tmp_path) if behind == "beside" else ["--", *upstream(behind)]
    person = Person("allow once", "allow for this session", "deny")

    async def play(session: Client) -> str:
        prompt = await session.get_prompt("review", {"code": "1 + 1"})
        read = [await session.read_resource("memo://today") for _ in range(2)]
        with pytest.raises(MCPError, match="needs a person's approval, and none was given") as refused:
            await session.get_prompt("review", {"code": "rm -rf /"})
        assert refused.value.code == -31403
        return f"{prompt.messages} {read}"

    with reached(guard, given, transport) as connection:
        said = played(connection, client, person, play)
    assert "1 + 1" in said
    assert len(person.asked) == 3
    assert '"code": "1 + 1"' in person.asked[0]
    assert '"memo://today"' in person.asked[1]
    assert '"code": "rm -rf /"' in person.asked[2]
    rows = [event for event in guard.events() if event["type"] in ("prompt.decided", "resource.decided")]
    assert [(row["tool"], row["decision"], row["decided_by"]) for row in rows] == [
        ("review", "allow", "approval"),
        ("memo://today", "allow", "approval"),
        ("memo://today", "allow", "approval"),
        ("review", "deny", "approval"),
    ]


@pytest.mark.parametrize("behind", ERAS)
@pytest.mark.parametrize("client", ERAS)
def test_a_server_that_asks_something_itself_is_answered_and_the_person_approves_once(
    client: str, behind: str, guard: Guard
) -> None:
    guard.policy.write_text(POLICY)
    person = Person("allow once")
    with reached(guard, ["--", *upstream(behind)], "stdio") as connection:
        assert outcomes(connection, client, person, ("order", {"item": "shirt"})) == [(False, "shirt in 42")]
    assert len(person.asked) == 1


def command_line(guard: Guard, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mcp_guard", "approvals", *words, "--db", str(guard.database)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, timeout=60)


def pending(guard: Guard) -> dict[str, Any]:
    """The approval that waits, once it does."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = json.loads(command_line(guard, "list", "--json").stdout or "[]")
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("nothing waits")


@pytest.mark.parametrize("revision", [LEGACY[-1], MODERN])
def test_a_person_at_the_command_line_decides_and_an_agents_shell_cannot(guard: Guard, revision: str) -> None:
    guard.policy.write_text(IN_STORE)
    with wire(guard.command(upstream("both"))) as client:
        client.open(revision)
        request = client.ask("tools/call", {"name": "echo", "arguments": HELLO})
        waiting = pending(guard)
        assert "hello" in command_line(guard, "show", waiting["id"]).stdout
        refused = command_line(guard, "approve", waiting["id"], MCP_GUARD_TOKEN="mcpg_x")
        assert refused.returncode == 2
        assert "cannot approve for itself" in refused.stderr
        done = command_line(guard, "approve", waiting["id"], "--scope", "grant", "--expires", "1h")
        assert done.returncode == 0, done.stderr
        assert "hello" in text_of(client.response(request))
        assert "hello" in text_of(client.call("echo", HELLO))
    first, second = guard.events("tool.decided")
    assert (first["decision"], first["decided_by"]) == ("allow", "approval")
    assert (second["decision"], second["decided_by"], second["data"]["reason"][:8]) == ("allow", "approval", "A person")
    assert len(guard.events("approval.requested")) == 1
    (decided,) = guard.events("approval.decided")
    assert decided["data"]["via"] == "store"


def test_a_person_at_the_command_line_decides_about_a_prompt_and_a_resource(guard: Guard) -> None:
    guard.policy.write_text(IN_STORE)
    with wire(guard.command(upstream("legacy"))) as client:
        client.open(LEGACY[-1])
        request = client.ask("prompts/get", {"name": "review", "arguments": {"code": "1 + 1"}})
        waiting = pending(guard)
        assert (waiting["method"], waiting["tool"]) == ("prompts/get", "review")
        assert "1 + 1" in command_line(guard, "show", waiting["id"]).stdout
        refused = command_line(guard, "approve", waiting["id"], "--scope", "grant", "--expires", "1h")
        assert refused.returncode != 0
        assert "grants are for tools" in refused.stderr
        assert command_line(guard, "deny", waiting["id"], "--comment", "ask on Monday").returncode == 0
        assert "ask on Monday" in client.response(request)["error"]["message"]
        request = client.ask("resources/read", {"uri": "memo://today"})
        waiting = pending(guard)
        assert (waiting["method"], waiting["tool"]) == ("resources/read", "memo://today")
        shown = command_line(guard, "show", waiting["id"]).stdout
        assert "arguments" not in shown
        assert '"memo://today"\n' in shown
        assert command_line(guard, "approve", waiting["id"], "--scope", "session").returncode == 0
        assert client.response(request)["result"]["contents"]
        assert client.request("resources/read", {"uri": "memo://today"})["result"]["contents"]


def test_a_person_at_the_command_line_is_told_first_what_of_a_uri_is_left_out(guard: Guard) -> None:
    guard.policy.write_text(IN_STORE)
    with wire(guard.command(upstream("legacy"))) as client:
        client.open(LEGACY[-1])
        request = client.ask("resources/read", {"uri": "memo://today?password=harmless123"})
        waiting = pending(guard)
        shown = command_line(guard, "show", waiting["id"]).stdout
        assert shown.startswith("NOT ALL OF IT IS SHOWN.")
        assert "not shown: the URI: 11 of its 33 bytes (assignment)" in shown
        assert "memo://today?password=[NOT SHOWN: 11 characters]" in shown
        refused = command_line(guard, "approve", waiting["id"], "--scope", "session")
        assert (refused.returncode, "can only be approved once" in refused.stderr) == (2, True)
        assert command_line(guard, "approve", waiting["id"]).returncode == 0
        client.response(request)
    (decided,) = guard.events("resource.decided")
    assert (decided["decision"], decided["decided_by"]) == ("allow", "approval")
    assert "harmless123" not in str(guard.events())


def test_a_person_at_the_command_line_sees_every_other_parameter(guard: Guard) -> None:
    guard.policy.write_text(IN_STORE)
    with wire(guard.command(upstream("legacy"))) as client:
        client.open(LEGACY[-1])
        meta = {"progressToken": 1, "org/evil": "rm -rf /", "password": "hunter2"}
        client.ask("resources/read", {"uri": "memo://today", "range": "all", "_meta": meta})
        waiting = pending(guard)
        seen = {"range": "all", "_meta": {"org/evil": "rm -rf /", "password": None}}
        assert waiting["parameters"] == seen
        shown = command_line(guard, "show", waiting["id"]).stdout
        assert 'not shown: parameter "/_meta/password": all of it, 7 bytes (name)' in shown
        assert json.loads(shown.partition("other parameters:\n")[2]) == seen


def test_a_uri_is_quoted_at_the_command_line_so_that_none_of_it_looks_like_another_line(guard: Guard) -> None:
    guard.policy.write_text(IN_STORE.replace("memo://*", "**"))
    uri = "memo://today" + " " * 80 + 'status  approved\n"'
    with wire(guard.command(upstream("legacy"))) as client:
        client.open(LEGACY[-1])
        client.ask("resources/read", {"uri": uri})
        waiting = pending(guard)
        assert waiting["tool"] == uri
        shown = command_line(guard, "show", waiting["id"]).stdout
        _, title, block, *_ = shown.rstrip("\n").split("\n\n")
        lines = [line.removeprefix("    ") for line in block.split("\n")]
        assert title == "tool (↩ goes on in the next line):"
        assert all(line.endswith("↩") for line in lines[:-1])
        assert json.loads("".join(line.removesuffix("↩") for line in lines)) == uri
        assert len(command_line(guard, "list").stdout.splitlines()) == 2, "the columns' names, and one line"


def test_a_call_that_is_denied_at_the_command_line_says_why(guard: Guard) -> None:
    guard.policy.write_text(IN_STORE)
    with wire(guard.command(upstream("legacy"))) as client:
        client.open(LEGACY[-1])
        request = client.ask("tools/call", {"name": "echo", "arguments": HELLO})
        assert command_line(guard, "deny", pending(guard)["id"], "--comment", "ask on Monday").returncode == 0
        assert "ask on Monday" in text_of(client.response(request))


def test_a_client_that_leaves_withdraws_what_it_waited_for(guard: Guard) -> None:
    guard.policy.write_text(IN_STORE)
    with wire(guard.command(upstream("legacy"))) as client:
        client.open(LEGACY[-1])
        client.ask("tools/call", {"name": "echo", "arguments": HELLO})
        waiting = pending(guard)
    again = command_line(guard, "approve", waiting["id"])
    assert again.returncode != 0
    assert "withdrawn" in again.stderr
    assert [row["decision"] for row in guard.events("tool.decided")] == ["deny"]

"""Many servers behind one guard, for real: every feature beside other servers, in both eras, by every transport."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from mcp_guard.store.registry import instances
from mcp_guard.store.registry.book import Book
from tests.e2e.guard import Guard, server
from tests.e2e.http_session import HttpSession
from tests.e2e.test_instances import until
from tests.e2e.test_matrix import MODES, PAGE, Client, Upstream, carried, named, outcome
from tests.e2e.through import REFERENCE, reference_over_http, served
from tests.e2e.wire import GoneError, text_of, wire

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    with reference_over_http(*PAGE) as url:
        yield url


@pytest.fixture(scope="module")
def direct(reference: str) -> Mapping[str, Any]:
    """What a client of each mode gets from a server of both eras, without a guard."""
    return {mode: outcome(streamable_http_client(f"{reference}/both/mcp"), mode) for mode in MODES}


def local(command: list[str]) -> dict[str, Any]:
    return {"command": command[0], "args": command[1:]}


def configured(home: Path, servers: dict[str, Any], **more: Any) -> list[str]:
    path = home / "guard.json"
    path.write_text(json.dumps({"servers": servers, **more}))
    return ["--config", str(path)]


CELLS = [
    (Client("legacy", "stdio"), Upstream("legacy", "stdio")),
    (Client("modern", "stdio"), Upstream("modern", "http")),
    (Client("legacy", "http"), Upstream("modern", "stdio")),
    (Client("modern", "http"), Upstream("legacy", "http")),
    (Client("auto", "http"), Upstream("both", "stdio")),
]


@pytest.mark.parametrize(("client", "upstream"), CELLS, ids=[f"{named(one)}-{named(other)}" for one, other in CELLS])
def test_every_feature_of_a_server_that_stands_between_others(
    client: Client, upstream: Upstream, reference: str, direct: Mapping[str, Any], tmp_path: Path
) -> None:
    """Without prefixes, so that the session is the one of a client with that server alone."""
    url = {"url": f"{reference}/{upstream.era}/mcp"}
    command = local([*REFERENCE, "stdio", "--era", upstream.era, *PAGE])
    servers = {"first": local(server("quiet")), "reference": command if upstream.transport == "stdio" else url}
    guard, config = Guard(tmp_path), configured(tmp_path, servers, prefix="", wait=60)
    if client.transport == "stdio":
        words = guard.run(config)
        seen = outcome(stdio_client(StdioServerParameters(command=words[0], args=words[1:])), client.mode)
    else:
        with served(guard, config) as base:
            seen = outcome(streamable_http_client(f"{base}/mcp"), client.mode)
    seen, expected = among_others(seen), among_others(carried(client, upstream, direct))
    assert set(seen) == set(expected)
    for feature, value in expected.items():
        assert seen[feature] == value, feature


def among_others(session: Any) -> Any:
    """A session without what several servers have in common: how they are introduced, and what none of them has."""
    unknown = {name: session[name] | {"unknown": ...} for name in ("tools", "prompts", "resources")}
    return {name: value for name, value in {**session, **unknown}.items() if name != "hello"}


def test_the_example_shows_two_servers_as_one_and_starts_the_second_when_it_is_needed(tmp_path: Path) -> None:
    database = tmp_path / "audit.db"
    words = [sys.executable, "-m", "mcp_guard", "run", "--config", "guard.yaml", "--db", str(database)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with wire(words, {"PATH": path, "HOME": str(tmp_path)}, EXAMPLES) as session:
        session.open("2025-11-25")
        listed = [tool["name"] for tool in session.request("tools/list")["result"]["tools"]]
        own = ["list_notes", "read_note", "write_note"]
        assert listed == [f"{slug}__{name}" for slug in ("notes", "archive") for name in own]
        assert text_of(session.call("archive__write_note", {"title": "draft-x", "text": "X"})) == "Wrote draft-x."
        assert text_of(session.call("archive__read_note", {"title": "draft-x"})) == "X"
        assert "draft-x" not in text_of(session.call("notes__list_notes"))
        denied = session.call("notes__read_note", {"title": "salaries"})["result"]
        assert denied["isError"] is True
        assert session.call("notes__delete_note", {"title": "shopping"})["error"]["code"] == -32602
        session.finish()
    guard = Guard.__new__(Guard)
    guard.database = database
    judged = [(row["server"], row["tool"], row["decision"]) for row in guard.events("tool.decided")]
    assert judged == [
        ("archive", "write_note", "allow"),
        ("archive", "read_note", "allow"),
        ("notes", "list_notes", "allow"),
        ("notes", "read_note", "deny"),
        ("notes", "delete_note", "deny"),
    ]


MORTAL = """
import json, os, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    answers = {
        "initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {}},
        "tools/list": {"tools": [{"name": "pid", "inputSchema": {"type": "object"}}]},
        "tools/call": {"content": [{"type": "text", "text": str(os.getpid())}]},
    }
    if message.get("params", {}).get("arguments", {}).get("wait"):
        continue
    known = message["method"] in answers
    answer = {"result": answers[message["method"]]} if known else {"error": {"code": -32601, "message": "unknown"}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"""


def test_a_server_that_is_killed_in_a_call_takes_nobody_along_and_comes_back(tmp_path: Path) -> None:
    mortal = local([sys.executable, "-c", MORTAL])
    guard = Guard(tmp_path)
    with wire(guard.run(configured(tmp_path, {"one": mortal, "two": mortal}))) as session:
        session.open("2025-11-25")
        session.request("tools/list")
        pids = {name: text_of(session.call(f"{name}__pid")) for name in ("one", "two")}
        open_call = session.ask("tools/call", {"name": "one__pid", "arguments": {"wait": True}})
        other = session.ask("tools/call", {"name": "two__pid", "arguments": {"wait": True}})
        os.kill(int(pids["one"]), signal.SIGKILL)
        said = session.response(open_call)["error"]["message"]
        assert said.startswith("the MCP server `one` behind mcp-guard was killed by SIGKILL")
        assert text_of(session.call("two__pid")) == pids["two"]
        again = session.call("one__pid")
        while "error" in again:  # it was not back in time, on a busy machine
            again = session.call("one__pid")
        assert text_of(again) not in pids.values()
        assert other not in [message.get("id") for message in session.seen]
        session.finish()
    assert guard.events("upstream.exited")[0]["server"] == "one"


def test_references_are_read_at_each_start_and_one_that_leads_nowhere_keeps_only_its_own_server_away(
    tmp_path: Path,
) -> None:
    secret, patient = tmp_path / "secret", local(server("patient"))
    secret.write_text("first\n")
    servers = {
        "one": {**patient, "env": {"TURNED": f"${{file:{secret}}}"}},
        "two": patient,
        "lost": {**patient, "env": {"X": "${NOT_SET_ANYWHERE}"}},
        "late": {**patient, "env": {"X": "${NOR_THIS_ONE}"}, "start": "lazy"},
    }
    with wire(Guard(tmp_path).run(configured(tmp_path, servers))) as session:
        session.open("2025-11-25")
        names = listed(session.request("tools/list"))
        assert {name.partition("__")[0] for name in names} == {"one", "two"}
        assert text_of(session.call("one__variable", {"name": "TURNED"})) == "first"
        secret.write_text("second")
        os.kill(int(text_of(session.call("one__pid"))), signal.SIGKILL)
        again = session.call("one__variable", {"name": "TURNED"})
        while "error" in again or text_of(again) == "first":
            again = session.call("one__variable", {"name": "TURNED"})
        assert text_of(again) == "second"
        missing = session.call("lost__pid")["error"]["message"]
        assert "server lost, variable X: the environment variable NOT_SET_ANYWHERE is not set" in missing
        session.finish()
        assert "server late, variable X: the environment variable NOR_THIS_ONE is not set" in session.stderr()


HUNG = local([sys.executable, "-c", "import sys; sys.stdin.read()"])
FINE = local([sys.executable, "-c", MORTAL])
WAIT = 8  # seconds, and so many that no machine is too slow for what is to come without waiting


def listed(response: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in response["result"]["tools"]]


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_a_server_that_hangs_from_its_start_costs_one_wait_and_leaves_the_others_as_they_are(
    revision: str, tmp_path: Path
) -> None:
    begun = time.monotonic()
    with wire(Guard(tmp_path).run(configured(tmp_path, {"hung": HUNG, "fine": FINE}, wait=WAIT))) as session:
        session.open(revision)
        assert time.monotonic() - begun >= WAIT
        begun = time.monotonic()
        assert listed(session.request("tools/list")) == ["fine__pid"]
        for method in ("prompts/list", "resources/list", "tools/list"):
            assert "result" in session.request(method), method
        assert text_of(session.call("fine__pid")).isdigit()
        assert time.monotonic() - begun < WAIT
        session.finish()
        assert "the server hung does not answer; going on without it" in session.stderr()


def test_a_second_client_does_not_wait_for_a_server_that_hung_for_the_first(tmp_path: Path) -> None:
    with served(Guard(tmp_path), configured(tmp_path, {"hung": HUNG, "fine": FINE}, wait=WAIT)) as url:
        begun = time.monotonic()
        first = HttpSession(url)
        assert time.monotonic() - begun >= WAIT
        begun = time.monotonic()
        second = HttpSession(url)
        assert {listed(one.request("tools/list").json)[0] for one in (first, second)} == {"fine__pid"}
        assert second.text("fine__pid").isdigit()
        assert time.monotonic() - begun < WAIT


def test_a_server_that_comes_late_is_announced_and_can_be_used(tmp_path: Path) -> None:
    """It starts when it can open a pipe of which nobody has opened the other end yet."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    late = local([sys.executable, "-c", f"open({str(gate)!r}).read()\n{MORTAL}"])
    with wire(Guard(tmp_path).run(configured(tmp_path, {"late": late, "fine": FINE}, wait=0))) as session:
        declared = session.open("2025-11-25")["result"]["capabilities"]
        assert all(declared[name]["listChanged"] for name in ("tools", "prompts", "resources"))
        assert listed(session.request("tools/list")) == ["fine__pid"]
        gate.write_text("")
        session.until(lambda message: message.get("method") == "notifications/tools/list_changed")
        assert listed(session.request("tools/list")) == ["late__pid", "fine__pid"]
        assert text_of(session.call("late__pid")).isdigit()
        session.finish()


def disconnected_at_one(guard: Guard) -> None:
    """Somebody ends the client's instance at the server `one`."""
    rows = until(guard, lambda rows: {row["server"] for row in rows} == {"one", "two"})
    with Book(str(guard.database), "kim") as book:
        instances.disconnect(book, next(row["id"] for row in rows if row["server"] == "one"), "laptop lost")


def ran(guard: Guard) -> list[tuple[str, str]]:
    return [(row["server"], row["tool"]) for row in guard.events("tool.decided") if row["decision"] == "allow"]


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_client_that_is_disconnected_at_one_server_calls_nothing_at_another(mode: str, tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    config = configured(tmp_path, {name: local(server("patient")) for name in ("one", "two")})
    with wire(guard.run(config, "--mode", mode)) as session:
        session.open("2025-11-25")
        for name in ("one", "two"):
            assert text_of(session.call(f"{name}__echo", {"text": "a"})) == "a"
        disconnected_at_one(guard)
        with suppress(GoneError, BrokenPipeError):
            assert "ended from outside: laptop lost" in text_of(session.call("two__echo", {"text": "b"}))
    assert ran(guard) == [("one", "echo"), ("two", "echo")]


def test_a_session_that_is_disconnected_at_one_server_calls_nothing_at_another_and_others_go_on(
    tmp_path: Path,
) -> None:
    guard = Guard(tmp_path)
    config = configured(tmp_path, {name: local(server("patient")) for name in ("one", "two")})
    with served(guard, config) as url:
        session = HttpSession(url)
        for name in ("one", "two"):
            assert session.text(f"{name}__echo", text="a") == "a"
        disconnected_at_one(guard)
        session.call("two__echo", text="b")
        assert ran(guard) == [("one", "echo"), ("two", "echo")]
        assert HttpSession(url).text("two__echo", text="c") == "c"


def test_a_faulty_configuration_starts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "guard.yaml"
    path.write_text(f"servers:\n  a: {{comand: touch, args: [{tmp_path}/started]}}\n")
    with wire(Guard(tmp_path).run(["--config", str(path)])) as session:
        assert session.wait() == 2
        assert f"{path}:2:7: error[unknown-field]" in session.stderr()
    assert not (tmp_path / "started").exists()

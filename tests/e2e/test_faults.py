"""One upstream or one client goes wrong; the others, on both sides, notice nothing, and the log says what happened.

Two clients over HTTP, each with two servers of its own behind one guard: `good` and `bad` (`servers/odd.py`, which does
wrong when told to). In each test the bad server of the first client does wrong, or a client itself; after it, and where
it lasts during it, everybody else is answered as always.
"""

import http.client
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.guard import PATIENCE, Guard, server
from tests.e2e.http_session import HttpSession, Response
from tests.e2e.through import REFERENCE, running, served
from tests.e2e.wire import LEGACY, MODERN, envelope

HUGE = 100_000_000


class Party(NamedTuple):
    """Everybody at the guard."""

    guard: Guard
    url: str
    first: HttpSession
    second: HttpSession
    threads: ThreadPoolExecutor

    def later(self, tool: str, **arguments: object) -> "Future[Response]":
        """A call of the first client's that is under way when this returns: it was decided."""
        call = self.threads.submit(self.first.call, tool, **arguments)
        wait_until(lambda: any(row["tool"] == tool.split("__")[1] for row in self.guard.events("tool.decided")))
        return call

    def everybody_else_is_well(self) -> None:
        assert self.first.text("good__answer") == "ok"
        assert self.second.text("good__answer") == "ok"
        assert self.second.text("bad__answer") == "ok"


@contextmanager
def party(home: Path, *options: str, **servers: object) -> Iterator[Party]:
    config = home / "servers.json"
    odd = {"command": sys.executable, "args": server("odd")[1:]}
    config.write_text(json.dumps({"mcpServers": {"good": odd, "bad": odd, **servers}}))
    guard = Guard(home)
    with served(guard, ["--config", str(config)], *options) as url, ThreadPoolExecutor(4) as threads:
        everybody = Party(guard, url, HttpSession(url, client="first"), HttpSession(url, client="second"), threads)
        try:
            yield everybody
        finally:
            for client in (everybody.first, everybody.second):
                client.send("DELETE", "/mcp")


def wait_until(met: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_a_server_that_hangs(tmp_path: Path) -> None:
    with party(tmp_path) as there:
        call = there.later("bad__hang")
        there.everybody_else_is_well()
        assert not call.done()
        there.first.send("DELETE", "/mcp")
        call.result(PATIENCE)
        assert there.second.text("bad__answer") == "ok"
    [decided] = [row for row in there.guard.events("tool.decided") if row["tool"] == "hang"]
    assert (decided["server"], decided["decision"]) == ("bad", "allow")
    assert decided["id"] not in {row["data"]["decision"] for row in there.guard.events("tool.completed")}
    assert {row["agent"] for row in there.guard.events("agent.disconnected")} == {"first", "second"}


def test_a_server_that_dies_in_a_call_and_comes_back(tmp_path: Path) -> None:
    with party(tmp_path) as there:
        error = there.first.call("bad__crash", signal=int(signal.SIGKILL)).json["error"]
        assert "bad" in error["message"]
        assert "SIGKILL" in error["message"]
        there.everybody_else_is_well()
        wait_until(lambda: "result" in there.first.call("bad__answer").json)
    [exited] = [row for row in there.guard.events("upstream.exited") if "SIGKILL" in row["data"]["how"]]
    assert (exited["server"], exited["agent"]) == ("bad", "first")


def test_a_server_that_floods(tmp_path: Path) -> None:
    """A line of eight times the limit, and its notices of a mebibyte each."""
    with party(tmp_path, "--max-message", "2") as there:
        assert there.first.text("bad__flood", mebibytes=16) == "ok"
        there.everybody_else_is_well()
        assert there.first.text("bad__torrent", messages=20) == "ok"
        there.everybody_else_is_well()
    [rejected] = there.guard.events("message.rejected")
    assert rejected["server"] == "bad"
    assert "limit" in rejected["data"]["reason"]


def test_a_server_that_sends_100_mb(tmp_path: Path) -> None:
    with party(tmp_path, "--max-message", "128") as there:
        call = there.later("bad__large", bytes=HUGE)
        there.everybody_else_is_well()
        assert len(call.result(PATIENCE).json["result"]["content"][0]["text"]) == HUGE
    [completed] = [row for row in there.guard.events("tool.completed") if row["tool"] == "large"]
    assert completed["data"]["bytes"] > HUGE


def test_a_server_that_sends_100_mb_where_less_is_allowed(tmp_path: Path) -> None:
    with party(tmp_path) as there:
        call = there.later("bad__large", bytes=HUGE)
        there.everybody_else_is_well()
        assert "larger than the limit" in call.result(PATIENCE).json["error"]["message"]
        there.everybody_else_is_well()
    [rejected] = there.guard.events("message.rejected")
    assert (rejected["server"], rejected["data"]["bytes"] > HUGE) == ("bad", True)


@pytest.mark.parametrize(("tool", "answer", "rejected"), [("twice", "first", 1), ("garbage", "ok", 10)])
def test_a_server_that_answers_what_nobody_asked(tool: str, answer: str, rejected: int, tmp_path: Path) -> None:
    with party(tmp_path) as there:
        assert there.first.text(f"bad__{tool}") == answer
        there.everybody_else_is_well()
    rows = there.guard.events("message.rejected")
    assert len(rows) >= rejected
    assert {(row["server"], row["agent"]) for row in rows} == {("bad", "first")}


def test_a_remote_server_that_dies_in_a_call(tmp_path: Path) -> None:
    with (
        running([*REFERENCE, "http"], listens="stdout") as remote,
        party(tmp_path, remote={"url": f"{remote.url()}/legacy/mcp"}) as there,
    ):
        call = there.later("remote__wait_for_ever", name="it")
        remote.process.kill()
        assert "error" in call.result(PATIENCE).json
        there.everybody_else_is_well()
    [decided] = [row for row in there.guard.events("tool.decided") if row["tool"] == "wait_for_ever"]
    assert (decided["server"], decided["agent"]) == ("remote", "first")


# Clients


def post(url: str, message: object, path: str = "/mcp", **headers: str) -> http.client.HTTPConnection:
    """A POST whose response nobody reads yet."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    usual = {"Accept": "text/event-stream, application/json", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(message), {**usual, **headers})
    return connection


def torrent(messages: int) -> dict[str, Any]:
    params = {"name": "bad__torrent", "arguments": {"messages": messages}}
    return {"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": params}


def test_a_client_that_drops_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    with party(tmp_path) as there:
        session = there.first.opened.headers["mcp-session-id"]
        connection = post(there.url, torrent(30), **{"Mcp-Session-Id": session})
        assert len(connection.getresponse().read(2_000_000)) == 2_000_000
        connection.close()
        there.everybody_else_is_well()
        assert there.first.text("bad__answer") == "ok"
    [completed] = [row for row in there.guard.events("tool.completed") if row["tool"] == "torrent"]
    assert completed["agent"] == "first"


def test_a_client_that_never_reads(tmp_path: Path) -> None:
    with party(tmp_path) as there:

        def completed() -> list[str]:
            return [row["agent"] for row in there.guard.events("tool.completed") if row["tool"] == "torrent"]

        session = there.first.opened.headers["mcp-session-id"]
        connection = post(there.url, torrent(40), **{"Mcp-Session-Id": session})
        wait_until(lambda: [row for row in there.guard.events("tool.decided") if row["tool"] == "torrent"])
        assert there.second.text("good__answer") == "ok"
        assert there.second.text("bad__torrent", messages=3) == "ok"
        wait_until(lambda: completed() == ["second"])
        connection.close()
        wait_until(lambda: completed() == ["second", "first"])
        there.everybody_else_is_well()


def test_a_modern_client_that_drops_has_cancelled(tmp_path: Path) -> None:
    with party(tmp_path, both={"command": REFERENCE[0], "args": [*REFERENCE[1:], "stdio"]}) as there:
        connection = post(there.url, **modern_call("both__wait_for_ever"))
        assert b"waiting" in connection.getresponse().read1(10_000)
        connection.close()
        answer = post(there.url, **modern_call("both__was_ended"))
        assert b"it was cancelled" in answer.getresponse().read()
        answer.close()
        there.everybody_else_is_well()
    decided = {row["tool"]: row["id"] for row in there.guard.events("tool.decided")}
    completed = {row["data"]["decision"] for row in there.guard.events("tool.completed")}
    assert (decided["was_ended"] in completed, decided["wait_for_ever"] in completed) == (True, False)


def modern_call(tool: str) -> dict[str, Any]:
    params = {"name": tool, "arguments": {"name": "it"}, "_meta": envelope() | {"progressToken": 1}}
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
    return {"message": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, **headers}


def test_a_client_of_the_old_transport_that_drops_is_gone(tmp_path: Path) -> None:
    with party(tmp_path) as there:
        stream = http.client.HTTPConnection(there.url.removeprefix("http://"), timeout=PATIENCE)
        stream.request("GET", "/sse", headers={"Accept": "text/event-stream"})
        events = stream.getresponse()
        endpoint = next(line for line in iter(events.readline, b"") if line.startswith(b"data: "))[6:].strip().decode()
        hello = {"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": {"name": "third", "version": "1"}}
        for message in ({"id": 1, "method": "initialize", "params": hello}, {"method": "notifications/initialized"}):
            post(there.url, {"jsonrpc": "2.0", **message}, path=endpoint).close()
        wait_until(lambda: [row for row in there.guard.events("agent.connected") if row["agent"] == "third"])
        stream.close()
        events.close()
        wait_until(lambda: [row for row in there.guard.events("agent.disconnected") if row["agent"] == "third"])
        there.everybody_else_is_well()

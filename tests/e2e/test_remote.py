"""`mcp-guard run --url` and `run --config` as processes: what a client gets, what is logged, what a person reads."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.guard import PATIENCE, Guard, server
from tests.e2e.through import reference_over_http
from tests.e2e.wire import Wire
from tests.transports.http_upstream.remote import Got, remote, result

BLOB = 10_000_000


def run(guard: Guard, *options: str) -> list[str]:
    """The command of a guard that takes its servers from `options`."""
    given = ["--policy", str(guard.policy), "--db", str(guard.database)]
    return [sys.executable, "-m", "mcp_guard", "run", *given, *options]


@contextmanager
def opened(command: Sequence[str], revision: str = "2025-11-25") -> Iterator[Wire]:
    wire = Wire(command)
    try:
        assert "result" in wire.open(revision)
        yield wire
    finally:
        wire.close(5.0)


@contextmanager
def scripted(handler: Callable[[Got], Awaitable[None]], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of a scripted server that runs in a thread of its own."""
    loop, ready, url = asyncio.new_event_loop(), threading.Event(), list[str]()
    over = asyncio.Event()

    async def serve() -> None:
        async with remote(handler, tls) as served:
            url.append(served.url)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield url[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    with reference_over_http() as url:
        yield url


PATHS = ["/legacy/mcp", "/legacy/sse"]


@pytest.mark.parametrize("path", PATHS)
def test_a_result_of_ten_megabytes_comes_through(path: str, reference: str, guard: Guard) -> None:
    with opened(run(guard, "--url", reference + path)) as wire:
        answer = wire.call("blob", {"size": BLOB})
        assert len(answer["result"]["content"][0]["text"]) == BLOB
        wire.finish()
    (completed,) = guard.events("tool.completed")
    assert completed["data"]["is_error"] is False


def test_a_list_of_a_thousand_tools_comes_through_in_json_and_in_events(guard: Guard) -> None:
    tools = [{"name": f"tool_{n}", "description": "x" * 1500, "inputSchema": {"type": "object"}} for n in range(1000)]

    async def handle(got: Got) -> None:
        if got.method != "POST":
            return got.reply(status=405)
        message = got.message
        if message.get("method") == "initialize":
            offered = {"capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
            return got.json(result(message["id"], protocolVersion="2025-11-25", **offered))
        if message.get("method") != "tools/list":
            return got.accept()
        if "cursor" in message.get("params", {}):
            return got.json(result(message["id"], tools=tools[500:]))
        got.stream()
        got.event(result(message["id"], tools=tools[:500], nextCursor="2"))
        return got.end()

    with scripted(handle) as url, opened(run(guard, "--url", url)) as wire:
        first = wire.request("tools/list")["result"]
        second = wire.request("tools/list", {"cursor": first["nextCursor"]})["result"]
        assert [*first["tools"], *second["tools"]] == tools
        wire.finish()


def test_calls_are_judged_and_recorded_under_the_slug_of_the_url(reference: str, guard: Guard) -> None:
    slug = f"127-0-0-1-{reference.rpartition(':')[2]}"
    shouting = f"servers: [{slug}], tools: [echo], when: request.args.text == 'HEY'"
    guard.policy.write_text(
        f"version: 1\nrules:\n  - {{name: no shouting, effect: deny, {shouting}}}\n  - {{name: rest, effect: allow}}\n"
    )
    with opened(run(guard, "--url", f"{reference}/legacy/mcp")) as wire:
        assert wire.call("echo", {"text": "hey"})["result"]["content"][0]["text"] == "hey"
        assert wire.call("echo", {"text": "HEY"})["result"]["isError"] is True
        wire.finish()
    decided = [(row["decision"], row["server"]) for row in guard.events("tool.decided")]
    assert decided == [("allow", slug), ("deny", slug)]


def test_the_guard_ends_with_its_client_and_gives_back_the_session(guard: Guard) -> None:
    ended = threading.Event()

    async def handle(got: Got) -> None:
        if got.method == "DELETE":
            ended.set()
            got.reply()
        elif got.method == "GET":
            got.reply(status=405)
        elif got.message.get("method") == "initialize":
            offered = {"capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
            got.json(result(got.message["id"], protocolVersion="2025-11-25", **offered), Mcp_Session_Id="s-1")
        else:
            got.accept()

    with scripted(handle) as url, opened(run(guard, "--url", url)) as wire:
        assert wire.finish() == 0
        assert ended.wait(PATIENCE)
    assert guard.events("agent.disconnected")[0]["data"]["why"] == "the client closed its end"


def test_a_signal_ends_the_guard_in_order(reference: str, guard: Guard) -> None:
    with opened(run(guard, "--url", f"{reference}/legacy/mcp")) as wire:
        wire.process.send_signal(signal.SIGTERM)
        assert wire.wait() == 128 + signal.SIGTERM
    assert "told to end by SIGTERM" in guard.events("agent.disconnected")[0]["data"]["why"]


def test_a_server_that_is_not_there_is_an_error_the_client_can_show(guard: Guard) -> None:
    wire = Wire(run(guard, "--url", "http://127.0.0.1:9/mcp?key=s3cret"))
    message = wire.open("2025-11-25")["error"]["message"]
    assert "the MCP server at http://127.0.0.1:9/mcp cannot be reached: connection refused" in message
    wire.finish()
    assert "s3cret" not in wire.stderr() + json.dumps(guard.events())
    wire.close(5.0)


# Servers that mean harm, through the whole guard


async def twice(got: Got) -> None:
    got.stream()
    got.event(result(got.message["id"], content=[]))
    got.event(result(got.message["id"], content=[{"type": "text", "text": "again"}]))
    got.end()


async def for_nobody(got: Got) -> None:
    got.stream()
    got.event(result("nobody asked", content=[]))
    got.event(result(got.message["id"], content=[]))
    got.end()


async def garbage(got: Got) -> None:
    got.stream()
    got.event(b"{]")
    got.event(result(got.message["id"], content=[]))
    got.end()


async def flood(got: Got) -> None:
    got.stream()
    for number in range(5_000):
        got.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": number}})
    got.event(result(got.message["id"], content=[]))
    got.end()


async def too_much(got: Got) -> None:
    got.stream()
    got.chunk(b"data: ")
    for _ in range(3):
        got.chunk(b"x" * (1 << 20))


HARM = [
    (twice, True, "a response to a request that nobody made"),
    (for_nobody, True, "a response to a request that nobody made"),
    (garbage, True, "not JSON"),
    (flood, True, None),
    (too_much, False, "the message is larger than the limit of 1048576 bytes"),
]


@pytest.mark.parametrize(("harm", "answered", "recorded"), HARM, ids=lambda value: getattr(value, "__name__", None))
def test_a_server_that_means_harm_leaves_its_event_and_the_others_alone(
    harm: Callable[[Got], Awaitable[None]], answered: bool, recorded: str | None, reference: str, guard: Guard
) -> None:
    async def handle(got: Got) -> None:
        message = got.message if got.method == "POST" else {}
        if message.get("method") == "initialize":
            offered = {"capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
            return got.json(result(message["id"], protocolVersion="2025-11-25", **offered))
        if message.get("method") == "tools/list":
            return got.json(result(message["id"], tools=[{"name": "t", "inputSchema": {"type": "object"}}]))
        return await harm(got) if message.get("method") == "tools/call" else got.reply(status=202 if message else 405)

    with scripted(handle) as url:
        path = config(guard, bad={"url": url}, good={"url": f"{reference}/legacy/mcp"})
        with opened(run(guard, "--config", path, "--max-message", "1")) as wire:
            assert ("result" in wire.call("bad__t")) is answered
            assert wire.call("good__echo", {"text": "hey"})["result"]["content"][0]["text"] == "hey"
            wire.finish()
    reasons = [row["data"]["reason"] for row in guard.events("message.rejected")]
    assert reasons == ([] if recorded is None else [recorded])
    assert len(guard.events("tool.completed")) == 2


def test_a_changed_policy_is_in_force_for_the_next_call(reference: str, guard: Guard) -> None:
    with opened(run(guard, "--url", f"{reference}/legacy/mcp")) as wire:
        assert wire.call("echo", {"text": "1"})["result"]["content"][0]["text"] == "1"
        guard.policy.write_text("version: 1\nrules: [{name: none, effect: deny}]\n")
        assert "error" in wire.call("echo", {"text": "2"})
        wire.finish()
    assert [row["decision"] for row in guard.events("tool.decided")] == ["allow", "deny"]


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path) + ".key"]
    command = ["openssl", "req", "-x509", *key, "-out", str(path), "-days", "2", *name]
    subprocess.run(command, check=True, capture_output=True)
    return path


async def refuse_everything(got: Got) -> None:
    got.json({"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "reached"}}, status=400)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_server_is_reached_over_tls_only_where_its_certificate_is_trusted(
    trusted: bool, certificate: Path, guard: Guard
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, str(certificate) + ".key")
    with scripted(refuse_everything, tls) as url:
        wire = Wire(run(guard, "--url", url), env={"SSL_CERT_FILE": str(certificate)} if trusted else None)
        message = wire.open("2025-11-25")["error"]["message"]
        wire.finish()
        wire.close(5.0)
    assert (message == "reached") is trusted
    assert ("its TLS certificate is not to be trusted" in message) is not trusted


def test_a_server_without_tls_where_tls_is_asked_for_says_so(reference: str, guard: Guard) -> None:
    wire = Wire(run(guard, "--url", f"{reference.replace('http:', 'https:')}/legacy/mcp"))
    assert "no TLS connection could be made" in wire.open("2025-11-25")["error"]["message"]
    wire.finish()
    wire.close(5.0)


# Many servers


def config(guard: Guard, **servers: Any) -> str:
    path = guard.policy.parent / "guard.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return str(path)


def test_many_servers_over_every_transport_are_one(reference: str, guard: Guard) -> None:
    command, *arguments = server("reference")
    path = config(
        guard,
        local={"command": command, "args": arguments},
        remote={"url": f"{reference}/legacy/mcp"},
        old={"url": f"{reference}/legacy/sse"},
    )
    with opened(run(guard, "--config", path)) as wire:
        for slug in ("local", "remote", "old"):
            assert wire.call(f"{slug}__echo", {"text": slug})["result"]["content"][0]["text"] == slug
        wire.finish()
    decided = [(row["server"], row["tool"]) for row in guard.events("tool.decided")]
    assert decided == [("local", "echo"), ("remote", "echo"), ("old", "echo")]


def test_a_dead_server_among_many_holds_nobody_up(reference: str, guard: Guard) -> None:
    path = config(
        guard,
        dead={"url": "http://127.0.0.1:9/mcp"},
        missing={"command": "no-such-command-anywhere"},
        alive={"url": f"{reference}/legacy/mcp"},
    )
    with opened(run(guard, "--config", path)) as wire:
        assert wire.call("alive__echo", {"text": "hey"})["result"]["content"][0]["text"] == "hey"
        wire.finish()
        said = wire.stderr()
    assert "the server missing could not be started: command not found: no-such-command-anywhere" in said
    assert "the server dead at http://127.0.0.1:9/mcp cannot be reached: connection refused" in said


def test_a_configuration_with_one_server_needs_no_prefix(reference: str, guard: Guard) -> None:
    with opened(run(guard, "--config", config(guard, only={"url": f"{reference}/legacy/mcp"}))) as wire:
        assert wire.call("echo", {"text": "hey"})["result"]["content"][0]["text"] == "hey"
        wire.finish()


# Mistakes on the command line


MISTAKES = [
    (["--url", "ftp://x/mcp"], "must begin with https:// or http://"),
    (["--url", "https://user:s3cret@x/mcp"], "holds a user name or password"),
    (["--url", "https://x/mcp", "--header", "X-Key=s3cret"], "not of the form 'Name: value'"),
    (["--url", "https://x/mcp", "--header", "X-Key: ${MCP_NOT_SET}"], "variable MCP_NOT_SET is not set"),
    (["--url", "https://x/mcp", "--header", "X-Key: ${file:/no/such}"], "cannot read '/no/such'"),
    (["--url", "https://x/mcp", "--header", "Content-Length: 5"], "is the guard's own to set"),
    (["--url", "https://x/mcp", "--auth", "client-credentials"], "an id and a secret"),
    (["--url", "https://x/mcp", "--auth", "oauth", "--header", "Authorization: s3cret"], "exclude each other"),
    (["--url", "https://x/mcp", "--", "cat"], "exclude each other"),
    (["--config", "/no/such/guard.yaml"], "cannot read the configuration"),
    (["--config", "x", "--header", "X: y"], "is for a remote server"),
    (["--transport", "carrier-pigeon", "--url", "https://x"], "--transport: 'carrier-pigeon' is not one of"),
    ([], "no server to guard"),
]


@pytest.mark.parametrize(("options", "text"), MISTAKES)
def test_a_mistake_is_said_in_a_line_and_ends_with_status_2(options: list[str], text: str, guard: Guard) -> None:
    ended = subprocess.run(run(guard, *options), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert text in ended.stderr
    assert "s3cret" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_what_a_file_asks_for_is_read_from_where_the_file_is(reference: str, guard: Guard, tmp_path: Path) -> None:
    home = tmp_path / "configured"
    home.mkdir()
    (home / "rules.yaml").write_text("version: 1\nrules: [{name: none, effect: deny}]\n")
    (home / "guard.yaml").write_text(
        f"policy: rules.yaml\ndb: audit.db\nservers:\n  only: {{url: '{reference}/legacy/mcp'}}\n"
    )
    command = [sys.executable, "-m", "mcp_guard", "run", "--config", str(home / "guard.yaml")]
    with opened(command) as wire:
        assert wire.request("tools/list")["result"]["tools"] == []
        wire.finish()
    assert (home / "audit.db").exists()


def test_a_server_that_is_killed_is_begun_again_and_the_others_go_on(reference: str, guard: Guard) -> None:
    command, *arguments = server("reference")
    mark = guard.policy.parent / "pid"
    started = ["sh", "-c", f'echo $$$$ >> {mark}; exec "$@"', "sh", command, *arguments]
    path = config(guard, mortal={"command": started[0], "args": started[1:]}, good={"url": f"{reference}/legacy/mcp"})
    with opened(run(guard, "--config", path)) as wire:
        assert "result" in wire.request("tools/list")
        assert "result" in wire.call("mortal__echo", {"text": "1"})
        os.kill(int(mark.read_text().split()[-1]), signal.SIGKILL)
        wire.until(lambda message: message.get("method") == "notifications/tools/list_changed")
        assert "result" in wire.call("good__echo", {"text": "2"})
        assert "result" in wire.call("mortal__echo", {"text": "3"})
        wire.finish()
    assert len(mark.read_text().split()) == 2
    assert guard.events("upstream.exited")[0]["data"]["how"].startswith("was killed by SIGKILL")

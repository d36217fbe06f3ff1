"""`mcp-guard serve`, the real process: several clients at once, what is in the log of each, and how it all ends."""

import asyncio
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e import features
from tests.e2e.guard import ALLOW_ALL, PATIENCE, Guard, server
from tests.e2e.http_session import HttpSession
from tests.e2e.test_pressure import peak_memory
from tests.e2e.through import REFERENCE, Running, running, served
from tests.transports.http_server.certificate import self_signed

PATIENT = ["--", *server("patient")]
TOKENS = "ann-has-a-token-of-her-own user=ann group=admins\nbob-has-a-token-of-his-own user=bob agent=bobs-bot\n"


@pytest.fixture
def serving(guard: Guard) -> Iterator[Running]:
    """A running guard in front of the patient server."""
    given = ["--policy", str(guard.policy), "--db", str(guard.database), "--port", "0", "--server", "patient"]
    with running([sys.executable, "-m", "mcp_guard", "serve", *given, *PATIENT]) as process:
        yield process


# Clients

KINDS: list[Callable[[str], Client]] = [
    lambda url: Client(f"{url}/mcp", mode="legacy"),
    lambda url: Client(f"{url}/mcp", mode="2026-07-28"),
    lambda url: Client(f"{url}/mcp", mode="auto"),
    lambda url: Client(sse_client(f"{url}/sse"), mode="legacy"),
]
NAMES = ["legacy", "modern", "either", "HTTP with SSE"]


@pytest.mark.parametrize("connect", KINDS, ids=NAMES)
def test_the_sdks_client_calls_through_the_guard(guard: Guard, connect: Callable[[str], Client]) -> None:
    async def use(url: str) -> None:
        async with connect(url) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == {"echo", "pid", "variable", "wait"}
            results = await asyncio.gather(*(client.call_tool("echo", {"text": str(number)}) for number in range(20)))
            assert [result.content[0].text for result in results] == [str(number) for number in range(20)]

    with served(guard, PATIENT) as url:
        asyncio.run(use(url))
    assert len(guard.events("tool.decided")) == len(guard.events("tool.completed")) == 20


def test_sessions_with_the_same_ids_have_each_its_own_server_and_its_own_line_in_the_log(
    serving: Running, guard: Guard
) -> None:
    url = serving.url()
    clients = [HttpSession(url, client=f"client-{number}") for number in range(3)]
    with ThreadPoolExecutor(3) as at_once:
        pids = list(at_once.map(lambda client: client.text("pid"), clients))
        texts = list(at_once.map(lambda client: client.text("echo", text=str(id(client))), clients))
    assert len(set(pids)) == 3
    assert texts == [str(id(client)) for client in clients]
    connected = guard.events("agent.connected")
    assert {event["agent"] for event in connected} == {"client-0", "client-1", "client-2"}
    assert len({event["connection_id"] for event in guard.events("tool.decided")}) == 3


def test_a_change_of_policy_reaches_every_open_session(serving: Running, guard: Guard) -> None:
    url = serving.url()
    clients = [HttpSession(url) for _ in range(2)]
    assert [client.text("echo", text="a") for client in clients] == ["a", "a"]
    guard.policy.write_text(ALLOW_ALL.replace("rules:", "rules:\n  - {name: no echo, effect: deny, tools: echo}"))
    for client in clients:
        assert client.call("echo", text="b").json["error"]["message"] == "Unknown tool: echo"
        assert [tool["name"] for tool in client.request("tools/list").json["result"]["tools"]] == [
            "pid",
            "variable",
            "wait",
        ]
    assert len(guard.events("policy.loaded")) == 4


def test_a_token_says_who_calls_and_what_no_token_may(guard: Guard, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKENS)
    tokens.chmod(0o600)
    with served(guard, PATIENT, "--token-file", str(tokens)) as url:
        ann, bob = (HttpSession(url, Authorization=f"Bearer {line.split()[0]}") for line in TOKENS.splitlines())
        assert (ann.text("echo", text="a"), bob.text("echo", text="b")) == ("a", "b")
        stranger = HttpSession(url)
        assert (stranger.opened.status, stranger.opened.headers["www-authenticate"]) == (401, "Bearer")
    decided = guard.events("tool.decided")
    assert [(event["user"], event["agent"], event["agent_verified"]) for event in decided] == [
        ("ann", "test", 0),
        ("bob", "bobs-bot", 1),
    ]
    assert b"has-a-token" not in guard.database.read_bytes()


def test_many_configured_servers_are_one_to_every_client(guard: Guard, tmp_path: Path) -> None:
    config = tmp_path / "guard.yaml"
    command, *arguments = server("patient")
    one = {"command": command, "args": arguments}
    config.write_text(json.dumps({"policy": str(guard.policy), "servers": {"one": one, "two": one}}))

    async def use(url: str) -> set[str]:
        async with Client(f"{url}/mcp", mode="2026-07-28") as client:
            return {(await client.call_tool(f"{slug}__pid", {})).content[0].text for slug in ("one", "two")}

    with served(guard, ["--config", str(config)]) as url:
        legacy = HttpSession(url)
        pids = {legacy.text("one__pid"), legacy.text("two__pid")}
        assert len(pids | asyncio.run(use(url))) == 4
    assert {event["server"] for event in guard.events("tool.decided")} == {"one", "two"}


def test_a_client_that_drops_in_the_middle_leaves_the_others_and_its_events(
    serving: Running, guard: Guard, tmp_path: Path
) -> None:
    url, path = serving.url(), tmp_path / "go"
    dropping, other = HttpSession(url), HttpSession(url)
    with dropping.started("tools/call", name="wait", arguments={"path": str(path)}):
        assert wait_until(lambda: Path(f"{path}.started").exists())
    assert other.text("echo", text="here") == "here"
    path.write_text("done")
    assert dropping.text("echo", text="back") == "back"
    assert wait_until(lambda: len(guard.events("tool.completed")) == 3)
    assert [event["tool"] for event in guard.events("tool.decided")] == ["wait", "echo", "echo"]


def test_https_is_served_with_a_certificate(guard: Guard, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    command = ["--policy", str(guard.policy), "--db", str(guard.database), "--port", "0"]
    command += ["--tls-cert", str(certificate), "--tls-key", str(key), *PATIENT]
    with running([sys.executable, "-m", "mcp_guard", "serve", *command]) as process:
        assert wait_until(lambda: process.said)
        url = process.said[0].split()[2].removesuffix("/mcp")
        assert url.startswith("https://127.0.0.1:")
        client = HttpSession(url, context=ssl.create_default_context(cafile=str(certificate)))
        assert client.text("echo", text="secret") == "secret"
        with pytest.raises(http.client.HTTPException):
            HttpSession(url.replace("https", "http"))


def test_a_token_of_the_environment_is_asked_for_and_no_server_sees_it(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "the-token-of-the-house"
    monkeypatch.setenv("HOUSE", token)
    with served(guard, PATIENT, "--token-env", "HOUSE") as url:
        assert HttpSession(url).opened.status == 401
        assert HttpSession(url, Authorization=f"Bearer {token}").text("variable", name="HOUSE") == "not set"


def test_a_client_that_is_let_go_from_each_call_comes_back_for_all_of_it(guard: Guard) -> None:
    async def use(url: str) -> list[Any]:
        async with features.opened(streamable_http_client(f"{url}/mcp"), "legacy") as session:
            return [await feature(session) for feature in (features.progress, features.sampling, features.elicitation)]

    upstream = ["--", *REFERENCE, "stdio", "--era", "legacy"]
    with served(guard, upstream) as waiting, served(guard, upstream, "--poll-after", "0") as polling:
        assert asyncio.run(use(polling)) == asyncio.run(use(waiting))


# Upstreams that go wrong


def test_the_death_of_one_clients_server_is_told_to_it_and_leaves_the_others(guard: Guard) -> None:
    with served(guard, ["--", *server("odd")]) as url:
        unlucky, other = HttpSession(url), HttpSession(url)
        error = unlucky.call("crash", signal=int(signal.SIGSEGV)).json["error"]
        assert "SIGSEGV" in error["message"]
        assert other.text("answer") == "ok"
        assert wait_until(lambda: unlucky.call("answer").status == 404)
        assert HttpSession(url).text("answer") == "ok"
    assert len([event for event in guard.events("upstream.exited") if "SIGSEGV" in event["data"]["how"]]) == 1


@pytest.mark.parametrize("tool", ["garbage", "twice", "chatter"])
def test_a_server_that_misbehaves_gets_no_byte_of_it_through(guard: Guard, tool: str) -> None:
    with served(guard, ["--", *server("odd")]) as url:
        client = HttpSession(url)
        assert client.text(tool) in ("ok", "first")
        assert client.text("answer") == "ok"


def test_ten_megabytes_and_odd_line_ends_arrive_as_they_were_sent(guard: Guard) -> None:
    with served(guard, ["--", *server("odd")]) as url:
        text = HttpSession(url).text("large", bytes=10_000_000)
    assert text == ("naïve \u2028\u0085 text " * 10_000_000)[:10_000_000]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of the guard's memory from /proc")
def test_a_client_that_does_not_read_costs_no_memory_and_holds_up_nobody(guard: Guard) -> None:
    """Hundreds of mebibytes are on their way to it; what the guard does not take, stays with its server."""
    given = ["--policy", str(guard.policy), "--db", str(guard.database), "--port", "0", "--", *server("odd")]
    with running([sys.executable, "-m", "mcp_guard", "serve", *given]) as process:
        url = process.url()
        deaf, other = HttpSession(url), HttpSession(url)
        with deaf.started("tools/call", name="torrent", arguments={"messages": 400}):
            for _ in range(50):
                assert other.text("large", bytes=100_000)
            assert peak_memory(process.process.pid) < 100 << 20
        assert other.text("answer") == "ok"


def test_a_server_that_cannot_be_started_is_an_answer_and_not_the_end(guard: Guard) -> None:
    with served(guard, ["--", "no-such-command-anywhere"]) as url:
        for _ in range(2):
            opened = HttpSession(url).opened
            assert "could not be started" in opened.json["error"]["message"]
            assert "mcp-session-id" not in opened.headers


# Endings


def test_a_signal_lets_open_calls_end_and_then_ends_all(serving: Running, tmp_path: Path) -> None:
    url = serving.url()
    client, idle = HttpSession(url), HttpSession(url)
    assert idle.text("echo", text="a") == "a"
    path = tmp_path / "go"
    with ThreadPoolExecutor(1) as aside:
        answer = aside.submit(client.text, "wait", path=str(path))
        assert wait_until(lambda: Path(f"{path}.started").exists())
        serving.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: refuses_connections(url))
        assert not answer.done()
        path.write_text("done")
        assert answer.result() == "done"
    assert serving.process.wait(PATIENCE) == 0


def test_a_second_signal_does_not_wait_for_open_calls_and_leaves_every_event(
    serving: Running, guard: Guard, tmp_path: Path
) -> None:
    url = serving.url()
    client = HttpSession(url)
    path = tmp_path / "never"
    with ThreadPoolExecutor(1) as aside:
        answer = aside.submit(client.call, "wait", path=str(path))
        assert wait_until(lambda: Path(f"{path}.started").exists())
        serving.process.send_signal(signal.SIGINT)
        assert wait_until(lambda: refuses_connections(url))
        serving.process.send_signal(signal.SIGINT)
        assert "the guard was told to end" in answer.result().json["error"]["message"]
    assert serving.process.wait(PATIENCE) == 0
    for kind in ("upstream.exited", "agent.disconnected"):
        assert "the guard was told to end" in str(guard.events(kind)[0]["data"]), kind


def test_a_guard_that_is_killed_leaves_no_server_behind(serving: Running) -> None:
    url = serving.url()
    clients = [HttpSession(url) for _ in range(2)]
    pids = [int(client.text("pid")) for client in clients]
    serving.process.kill()
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_a_session_that_is_deleted_ends_its_server(serving: Running) -> None:
    client = HttpSession(serving.url())
    pid = int(client.text("pid"))
    assert client.send("DELETE", "/mcp").status == 204
    assert wait_until(lambda: not is_alive(pid))


# What a person gets wrong

MISTAKES = [
    ("no server", [], "one server, or one file of servers, is needed"),
    ("two servers", ["--url", "http://localhost:1/mcp", "--", "true"], "one server, or one file of servers"),
    ("open to all", ["--host", "0.0.0.0", "--", "true"], "no bearer token is asked for"),
    ("no such tokens", ["--token-file", "/nowhere/tokens", "--", "true"], "cannot read the tokens"),
    ("no such variable", ["--token-env", "NO_SUCH_TOKEN", "--", "true"], "NO_SUCH_TOKEN holds no token"),
    ("half of TLS", ["--tls-key", "key.pem", "--", "true"], "--tls-key without --tls-cert"),
    ("no such certificate", ["--tls-cert", "/nowhere/cert.pem", "--", "true"], "cannot be used"),
    ("no such configuration", ["--config", "/nowhere/guard.yaml"], "/nowhere/guard.yaml"),
    (
        "no such address",
        ["--host", "127.0.0.1.example", "--token-env", "HOME_TOKEN", "--", "true"],
        "give a name or an address",
    ),
    ("an address elsewhere", ["--host", "192.0.2.1", "--token-env", "HOME_TOKEN", "--", "true"], "of this machine"),
    (
        "a page for an origin",
        ["--allow-origin", "https://a.example/", "--", "true"],
        "https://a.example/ lets nobody in",
    ),
    ("a URL for a host", ["--allow-host", "https://a.example", "--", "true"], "https://a.example lets nobody in"),
    ("no such policy", ["--policy", "/nowhere/policy.yaml", "--", "true"], "/nowhere/policy.yaml"),
]


@pytest.mark.parametrize(("what", "options", "says"), MISTAKES, ids=[case[0] for case in MISTAKES])
def test_a_mistake_is_said_in_a_line_and_nothing_is_started(
    guard: Guard, what: str, options: list[str], says: str
) -> None:
    line = [sys.executable, "-m", "mcp_guard", "serve", "--db", str(guard.database), "--port", "0", *options]
    environment = {**os.environ, "HOME_TOKEN": "a-token-that-is-long-enough"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said(guard: Guard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = [sys.executable, "-m", "mcp_guard", "serve", "--db", str(guard.database), "--port", port, *PATIENT]
        done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert f"cannot listen at 127.0.0.1 port {port}: Address already in use\n" in done.stderr


def wait_until(true: Callable[[], Any]) -> bool:
    """Look again until it is so; False where it never is."""
    deadline = time.monotonic() + 20
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def refuses_connections(url: str) -> bool:
    address = urlsplit(url)
    try:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
        connection.connect()
    except OSError:
        return True
    connection.close()
    return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

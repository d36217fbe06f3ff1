"""The matrix with a server that is not the SDK's: npm's everything server, legacy, over each of its transports.

What the SDK's client gets through the guard, in both eras and over every transport, must be what a legacy client gets
without one. Only what a tool says of legacy tasks is nothing to a modern client (docs/eras.md).
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e.features import plain as dumped
from tests.e2e.guard import PATIENCE, Guard
from tests.e2e.npm import node_server
from tests.e2e.test_matrix import MODES, plain
from tests.e2e.test_same_answers import without_clock
from tests.e2e.test_sdk_client import EVERYTHING, elicit, list_roots, sample
from tests.e2e.through import running, served

CLIENTS = [("legacy", "stdio"), ("legacy", "http"), ("legacy", "sse"), ("modern", "stdio"), ("modern", "http")]
TRANSPORTS = {"stdio": "", "http": "streamableHttp", "sse": "sse"}
PATHS = {"http": "/mcp", "sse": "/sse"}


@contextmanager
def everything_over(transport: str) -> Iterator[list[str]]:
    """The server, as `serve` and `run` are told of it."""
    command = node_server("everything")
    if transport == "stdio":
        yield ["--", *command]
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(["env", f"PORT={port}", *command, TRANSPORTS[transport]]):
        wait_for(port)
        yield ["--url", f"http://127.0.0.1:{port}{PATHS[transport]}"]


def wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.05)


@pytest.fixture(scope="module", params=list(TRANSPORTS))
def upstream(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    with everything_over(request.param) as given:
        yield given


@pytest.fixture(scope="module")
def url(upstream: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(Guard(tmp_path_factory.mktemp("serve")), upstream) as url:
        yield url


@pytest.fixture(scope="module")
def direct() -> Any:
    command = node_server("everything")
    transport = stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
    return outcome(transport, "legacy")


@pytest.mark.parametrize(("mode", "transport"), CLIENTS)
def test_everything_is_as_without_a_guard(
    mode: str, transport: str, upstream: list[str], url: str, direct: Any, guard: Guard
) -> None:
    if transport == "stdio":
        command = guard.run(upstream)
        reached: Any = stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
    else:
        reached = {"http": streamable_http_client, "sse": sse_client}[transport](url + PATHS[transport])
    assert outcome(reached, mode) == (direct if mode == "legacy" else without_execution(direct))


def without_execution(value: Any) -> Any:
    if isinstance(value, list):
        return [without_execution(item) for item in value]
    if isinstance(value, dict):
        return {key: without_execution(item) for key, item in value.items() if key != "execution"}
    return value


def outcome(transport: Any, mode: str) -> Any:
    return without_clock(plain(anyio.run(played, transport, MODES[mode])))


async def played(transport: Any, mode: str) -> list[Any]:
    """What each thing done came to, in one session."""
    with anyio.fail_after(90):
        async with Client(
            transport,
            mode=mode,
            read_timeout_seconds=PATIENCE,
            sampling_callback=sample,
            elicitation_callback=elicit,
            list_roots_callback=list_roots,
        ) as client:
            # This server asks for the roots a moment after its handshake. In the modern era that interrupts whichever
            # call is open then: let it be this one.
            await client.call_tool("trigger-long-running-operation", {"duration": 1, "steps": 1})
            results: list[Any] = []
            for doing in EVERYTHING:
                try:
                    results.append(dumped(await doing(client)))
                except MCPError as error:
                    results.append(dumped(error.error))
            return results

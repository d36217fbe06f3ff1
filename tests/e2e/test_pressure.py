"""Large messages arrive whole, and whoever reads slowly slows the others down instead of filling the guard's memory."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.wire import Wire, text_of, wire

MIB = 1 << 20


@pytest.fixture
def session(guard: Guard) -> Iterator[Wire]:
    with wire(guard.command(server("odd"))) as connection:
        connection.open("2025-11-25")
        yield connection


@pytest.mark.parametrize("size", [0, 65_000, 66_000, MIB - 100, 20 * MIB])
def test_a_large_result_arrives_whole_among_small_ones(session: Wire, size: int) -> None:
    ids = [
        session.ask("tools/call", {"name": name, "arguments": {"bytes": size}})
        for name in ("answer", "large", "answer", "large", "answer")
    ]
    texts = [text_of(session.response(id)) for id in ids]
    expected = ("naïve \u2028\u0085 text " * (size // 14 + 1))[:size]
    assert [len(text) for text in texts] == [2, size, 2, size, 2]
    assert texts[1] == texts[3] == expected


def test_large_arguments_reach_the_server_whole(session: Wire, guard: Guard) -> None:
    text = "naïve \u2028 text " * 100_000
    assert text_of(session.call("answer", {"text": text})) == "ok"
    [decided] = guard.events("tool.decided")
    assert decided["decision"] == "allow"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of the guard's memory from /proc")
def test_a_client_that_reads_slowly_costs_no_memory(session: Wire) -> None:
    """Decoding each notice takes this client far longer than passing it on takes the guard."""
    assert text_of(session.call("torrent", {"messages": 45})) == "ok"
    assert peak_memory(session.process.pid) < 90 * MIB


def test_a_server_that_does_not_read_holds_up_the_client(session: Wire) -> None:
    fill_up(session)
    session.process.terminate()
    assert session.wait() == 128 + signal.SIGTERM


def fill_up(session: Wire) -> None:
    """Send to a server that has stopped reading until nothing more is taken; there must be such a point."""
    assert session.process.stdin is not None
    session.call("block")
    client = session.process.stdin.fileno()
    os.set_blocking(client, False)
    line = b'{"jsonrpc":"2.0","method":"notifications/x","params":{"x":"' + b"x" * 60_000 + b'"}}\n'
    taken, left = 0, b""
    while select.select([], [client], [], 1.0)[1]:
        left = left or line
        written = os.write(client, left)
        taken, left = taken + written, left[written:]
        assert taken < 64 * MIB, "the guard takes without end what nobody reads"


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def test_a_server_that_dies_in_the_middle_of_a_large_answer_leaves_a_broken_line_and_no_open_request(
    guard: Guard,
) -> None:
    messages = [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hang"}},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "half"}},
    ]
    command = guard.command(server("odd"))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        process.stdin.flush()
        lines = process.stdout.read().splitlines()
        assert process.wait() == 3
    broken, *answers = [line for line in lines if b'"id":0' not in line]
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    assert [json.loads(answer)["id"] for answer in answers] == [1, 2]
    assert all(b"exited with status 3" in answer for answer in answers)

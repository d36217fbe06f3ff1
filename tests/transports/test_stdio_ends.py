"""Pipes as ends of a switch, against real pipes and real processes."""

import asyncio
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.transports.framing import HIGH_WATER
from mcp_guard.transports.process import LARGE_PIPE_BYTES, PIPE_BYTES, enlarge
from mcp_guard.transports.stdio_ends import StdioClient, StdioUpstream
from tests.transports.http_upstream.remote import Heard, scenario

LIMIT = 1000

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
DEAF = "import time\ntime.sleep(60)"
FLOOD = "import sys\nwhile True: sys.stdout.buffer.write(b'x' * 100 + b'\\n')"
LAST_WORDS = "import sys\nsys.stdin.read()\nprint('last', flush=True)\nsys.exit(3)"


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@asynccontextmanager
async def upstream(command: Sequence[str]) -> AsyncIterator[tuple[StdioUpstream, Heard]]:
    end, heard = StdioUpstream(command, LIMIT), Heard()
    await end.start(heard)
    try:
        yield end, heard
    finally:
        await end.close()


async def line(heard: Heard) -> bytes:
    return (await heard.queue.get())[0]


@scenario
async def test_lines_go_to_a_server_and_come_back() -> None:
    async with upstream(program(ECHO)) as (end, heard):
        end.send(b"1")
        end.send(b"2")
        end.flush()
        assert [await line(heard), await line(heard)] == [b"1", b"2"]


@scenario
async def test_nothing_is_written_before_it_is_flushed() -> None:
    async with upstream(program(ECHO)) as (end, heard):
        end.send(b"1")
        await asyncio.sleep(0)
        assert end.waiting == 0
        assert heard.queue.empty()
        end.flush()
        assert await line(heard) == b"1"


@scenario
async def test_a_line_that_is_too_long_is_told_and_the_next_one_comes() -> None:
    async with upstream(program(ECHO)) as (end, heard):
        end.send(b"x" * (LIMIT + 1))
        end.send(b"2")
        end.flush()
        assert await line(heard) == b"2"
        assert heard.too_large == [LIMIT + 1]


@scenario
async def test_a_server_that_ends_is_told_with_how_it_ended_and_its_last_words() -> None:
    end, heard = StdioUpstream(program(LAST_WORDS), LIMIT), Heard()
    await end.start(heard)
    closing = asyncio.ensure_future(end.close())
    assert await heard.over == "exited with status 3"
    assert await line(heard) == b"last"
    await closing
    assert end.exit is not None
    assert end.exit.code == 3


@scenario
async def test_a_server_that_does_not_end_is_ended() -> None:
    end, heard = StdioUpstream(program(DEAF), LIMIT), Heard()
    await end.start(heard)
    await end.close()
    assert "SIGTERM" in await heard.over


@scenario
async def test_a_server_that_is_killed_has_no_moment_more() -> None:
    end, heard = (
        StdioUpstream(program("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + DEAF), LIMIT),
        Heard(),
    )
    await end.start(heard)
    closing = asyncio.ensure_future(end.close())
    end.kill()
    assert "SIGKILL" in await heard.over
    await closing


@scenario
async def test_a_server_that_does_not_read_is_waited_for_and_what_waits_is_counted() -> None:
    async with upstream(program(DEAF)) as (end, heard):
        for _ in range(40):
            end.send(b"x" * 65536)
            end.flush()
        assert end.waiting > HIGH_WATER
        assert not heard.relief.is_set()


@scenario
async def test_a_server_that_reads_late_is_a_relief(tmp_path: Path) -> None:
    now = tmp_path / "now"
    late = f"import os, sys, time\nwhile not os.path.exists({str(now)!r}): time.sleep(0.01)\nsys.stdin.read()"
    async with upstream(program(late)) as (end, heard):
        for _ in range(40):
            end.send(b"x" * 65536)
            end.flush()
        assert end.waiting > HIGH_WATER
        now.touch()
        await heard.relief.wait()
        assert end.waiting <= HIGH_WATER


@scenario
async def test_a_paused_server_waits() -> None:
    async with upstream(program(FLOOD)) as (end, heard):
        await line(heard)
        end.pause()
        while not heard.queue.empty():
            heard.queue.get_nowait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert heard.queue.empty()
        end.resume()
        assert await line(heard) == b"x" * 100


@pytest.mark.parametrize("command", [["no-such-command-anywhere"], [], ["/etc/passwd"]])
@scenario
async def test_a_server_that_cannot_be_started_says_why(command: list[str]) -> None:
    end = StdioUpstream(command, LIMIT)
    with pytest.raises(GuardError):
        await end.start(Heard())
    await end.close()


@scenario
async def test_a_start_that_is_broken_off_leaves_nothing() -> None:
    end = StdioUpstream(program(DEAF), LIMIT)
    starting = asyncio.ensure_future(end.start(Heard()))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await end.close()


# The client


@asynccontextmanager
async def client(limit: int = LIMIT) -> AsyncIterator[tuple[StdioClient, Heard, int, int]]:
    """The end, what it heard, and the client's own ends of the pipes: where it writes, and where it reads."""
    from_client, write = os.pipe()
    read, to_client = os.pipe()
    end, heard = StdioClient(limit, client_in=from_client, client_out=to_client), Heard()
    await end.start(heard)
    try:
        yield end, heard, write, read
    finally:
        os.set_blocking(read, False)
        await end.close()
        assert os.get_blocking(to_client), "the pipe is as it was"
        for descriptor in (from_client, write, read, to_client):
            try:
                os.close(descriptor)
            except OSError:
                continue


@scenario
async def test_a_client_is_heard_and_answered() -> None:
    async with client() as (end, heard, write, read):
        os.write(write, b"1\n\n2\n")
        assert [await line(heard), await line(heard)] == [b"1", b"2"]
        end.send(b"3", related=1)
        end.flush()
        assert os.read(read, 100) == b"3\n"


@scenario
async def test_a_client_that_leaves_is_told_after_what_it_said_last() -> None:
    async with client() as (_, heard, write, _):
        os.write(write, b"1\n2")
        os.close(write)
        assert [await line(heard), await line(heard)] == [b"1", b"2"]
        assert await heard.over == "the client closed its end"


@scenario
async def test_a_client_that_stops_reading_is_told() -> None:
    async with client() as (end, heard, _, read):
        os.close(read)
        end.send(b"1")
        end.flush()
        assert await heard.over == "the client stopped reading"
        end.send(b"2")
        end.flush()
        assert end.waiting == 0
        os.dup2(os.open(os.devnull, os.O_RDONLY), read)


@scenario
async def test_a_line_of_megabytes_comes_whole_among_short_ones() -> None:
    async with client() as (end, _, _, read):
        lines = [b"1", b"2" * 3_000_000, b"3", b"4" * 300_000, b"5"]
        for number in (0, 2, 4):
            for text in lines[number : number + 2]:
                end.send(text)
            end.flush()
        whole = b"\n".join([*lines, b""])
        found = b""
        while len(found) < len(whole):
            found += await asyncio.to_thread(os.read, read, 1 << 20)
        assert found == whole


@pytest.mark.parametrize(("size", "room"), [(200_000, PIPE_BYTES), (3_000_000, LARGE_PIPE_BYTES)])
@scenario
async def test_the_pipe_to_a_client_becomes_larger_only_for_what_is_large(size: int, room: int) -> None:
    async with client() as (end, _, _, read):
        end.send(b"x" * size)
        end.flush()
        assert held(read) == asked_for(room)


def asked_for(room: int) -> int:
    """The bytes that a pipe holds for which so many were asked for, which the system may refuse."""
    read, write = os.pipe()
    try:
        enlarge(write, room)
        return held(read)
    finally:
        os.close(read)
        os.close(write)


def held(pipe: int) -> int:
    """The bytes that a pipe holds, where the system tells."""
    return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) if sys.platform == "linux" else 0


@scenario
async def test_what_waits_for_a_client_is_given_to_it_before_the_end() -> None:
    async with client() as (end, _, _, read):
        end.send(b"x" * 1_000_000)
        end.flush()
        assert end.waiting
        closing = asyncio.ensure_future(end.close())
        found = 0
        os.set_blocking(read, False)
        while found < 1_000_001:
            try:
                found += len(os.read(read, 1 << 20))
            except BlockingIOError:
                await asyncio.sleep(0)
        await closing
        assert end.waiting == 0

"""Pipes as ends of a switch: the client on the guard's own stdin and stdout, an upstream as a child under its keeper.

For connections of which at least one side is not stdio, or which have many upstreams; one client and one upstream over
pipes go through `stdio.Pump`. The invariant is the keeper's: what an `StdioUpstream` started is gone when its `close`
returns, and also when it is never called.
"""

import asyncio
import os
import warnings
from collections.abc import Mapping, Sequence

from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.ends import Listener
from mcp_guard.transports.framing import Oversized, make_non_blocking
from mcp_guard.transports.line_ends import LineReader, LineWriter
from mcp_guard.transports.process import LARGE_PIPE_BYTES, PIPE_BYTES, Exit, Upstream, enlarge, prepare

_LAST_WORDS = 1.0  # seconds without progress after which what still waits for a client is given up


class StdioClient:
    """The client that started the guard: its lines come on one descriptor and go to the other."""

    def __init__(self, limit: int, *, client_in: int = 0, client_out: int = 1) -> None:
        self._out = client_out
        self._reader = LineReader(client_in, limit, self._closed)
        self._writer = LineWriter(client_out, self._stopped_reading)
        self._listener: Listener | None = None
        self._was_blocking = self._enlarged = False

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._writer.waiting

    async def start(self, listener: Listener) -> None:
        """Read from now on."""
        self._listener = listener
        self._was_blocking = make_non_blocking(self._out)
        enlarge(self._out)
        self._writer.relieved = listener.relieved
        self._reader.start(listener)

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """A line to the client."""
        self._writer.send(line)

    def flush(self) -> None:
        """Write what was sent. The first time that it is more than the pipe holds, the pipe becomes larger for good: to
        wait for the rest of a line costs the client and the guard a turn.
        """
        self._writer.flush()
        if self._writer.waiting > PIPE_BYTES and not self._enlarged:
            self._enlarged = True
            enlarge(self._out, LARGE_PIPE_BYTES)

    def part(self, request_id: RequestId) -> None:
        """Nothing: its connection is for everything."""

    def pause(self) -> None:
        """Do not read for now."""
        self._reader.pause()

    def resume(self) -> None:
        """Read again."""
        self._reader.resume()

    async def close(self) -> None:
        """Give the client what waits for it, if it still reads."""
        self._listener = None
        self._reader.stop()
        await self._writer.last_words(_LAST_WORDS)
        if self._was_blocking:
            os.set_blocking(self._out, True)
            self._was_blocking = False

    def _closed(self) -> None:
        self._tell("the client closed its end")

    def _stopped_reading(self) -> None:
        self._reader.stop()
        self._tell("the client stopped reading")

    def _tell(self, how: str) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.ended(how)


class StdioUpstream:
    """A server that the guard starts: `command`, in `cwd`, with `env` (None: the guard's own)."""

    def __init__(
        self, command: Sequence[str], limit: int, *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._command, self._limit, self._cwd, self._env = command, limit, cwd, env
        self._process: Upstream | None = None
        self._reader: LineReader | None = None
        self._writer: LineWriter | None = None
        self._listener: Listener | None = None
        self._ended = asyncio.Event()
        self._closed: asyncio.Future[None] | None = None

    @property
    def exit(self) -> Exit | None:
        """How the server ended; None while it runs."""
        return self._process.read_status() if self._process is not None else None

    @property
    def waiting(self) -> int:
        """Bytes that the server has not taken yet."""
        return self._writer.waiting if self._writer is not None else 0

    async def start(self, listener: Listener) -> None:
        """Start the server and wait until it runs. Raises UpstreamError."""
        process = _prepare(self._command, self._cwd, self._env)
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(None, process.start)
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.gather(starting, return_exceptions=True)
            await loop.run_in_executor(None, process.close)
            raise
        self._process, self._listener = process, listener
        self._reader = LineReader(process.stdout, self._limit, self._end, self._answer_instead)
        self._writer = LineWriter(process.stdin, lambda: None)  # its status tells how it ended
        self._writer.relieved = listener.relieved
        self._reader.start(listener)
        loop.add_reader(process.status, self._read_status)

    def _answer_instead(self, line: Oversized) -> bytes | None:
        from mcp_guard.gate.lost_answers import answer_instead, too_large

        return answer_instead(line.start, line.end, too_large(self._limit))

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """A line to the server."""
        if self._writer is not None:
            self._writer.send(line)

    def flush(self) -> None:
        """Write what was sent."""
        if self._writer is not None:
            self._writer.flush()

    def pause(self) -> None:
        """Do not read for now."""
        if self._reader is not None:
            self._reader.pause()

    def resume(self) -> None:
        """Read again."""
        if self._reader is not None and self._listener is not None:
            self._reader.resume()

    async def close(self) -> None:
        """Close the server's stdin and wait until it has ended, which its keeper sees to; hear it until then."""
        if self._process is None:
            return
        self._end()
        await self._ended.wait()
        if self._closed is not None:
            await asyncio.shield(self._closed)

    def kill(self) -> None:
        """SIGKILL to the server and all that it started."""
        if self._process is not None:
            self._process.kill()

    def _end(self) -> None:
        """Its stdin is closed; where that does not end it, its keeper does."""
        if self._writer is not None and self._process is not None:
            self._writer.stop()
            self._writer = None
            self._process.end()

    def _read_status(self) -> None:
        """The server is gone: take what it still said, and tell how it ended."""
        assert self._process is not None
        exit = self._process.read_status()
        if exit is None:
            return
        while self._reader is not None and self._reader.read():
            pass
        self._let_go()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.ended(exit.describe())
        self._ended.set()
        self._closed = asyncio.get_running_loop().run_in_executor(None, self._process.close)

    def _let_go(self) -> None:
        """The loop watches none of its descriptors any more."""
        if self._process is not None and self._process.status >= 0:
            asyncio.get_running_loop().remove_reader(self._process.status)
        if self._reader is not None:
            self._reader.stop()
            self._reader = None
        if self._writer is not None:
            self._writer.stop()
            self._writer = None


def _prepare(command: Sequence[str], cwd: str | None, env: Mapping[str, str] | None) -> Upstream:
    """Fork the keeper. It runs nothing that another thread's locks could hold up, which is what Python warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return prepare(command, cwd=cwd, env=env)

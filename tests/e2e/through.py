"""The guard in front of the reference server, by every transport; and the reference server itself, over HTTP.

Processes are started here and ended with the block that started them.
"""

import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from tests.e2e.guard import PATIENCE, SERVERS, Guard

REFERENCE = [sys.executable, str(SERVERS / "reference_server.py")]
URL = re.compile(r"http://[\d.]+:\d+")


class Running:
    """A process that was started, and what it says on one of its pipes, read as it comes."""

    def __init__(self, process: "subprocess.Popen[str]", pipe: IO[str]) -> None:
        self.process, self.said = process, list[str]()
        self._news: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def _read(self, pipe: IO[str]) -> None:
        for line in pipe:
            self.said.append(line)
            self._news.put(line)
        self._news.put(None)

    def url(self) -> str:
        """The base URL at which it says that it listens."""
        while True:
            try:
                line = self._news.get(timeout=PATIENCE)
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"{self.process.args} names no URL: {''.join(self.said)[-4000:]}")
            if found := URL.search(line):
                return found[0]

    def end(self, how: signal.Signals) -> None:
        """Have it end, and insist where it does not."""
        self.process.send_signal(how)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()


@contextmanager
def running(
    command: Sequence[str], *, listens: str = "stderr", how: signal.Signals = signal.SIGTERM
) -> Iterator[Running]:
    """A process with no input. `listens`: the pipe on which it says where it can be reached; `how` it is ended."""
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, listens: subprocess.PIPE}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **pipes) as process:
        pipe = process.stdout if listens == "stdout" else process.stderr
        assert pipe is not None
        started = Running(process, pipe)
        try:
            yield started
        finally:
            started.end(how)


@contextmanager
def reference_over_http(*options: str) -> Iterator[str]:
    """The base URL of the reference server: `/legacy/mcp`, `/legacy/sse`, `/modern/mcp`, `/both/mcp`."""
    with running([*REFERENCE, "http", *options], listens="stdout", how=signal.SIGKILL) as server:
        yield server.url()


@contextmanager
def served(guard: Guard, upstream: Sequence[str], *options: str) -> Iterator[str]:
    """The base URL of the guard as a server of its own: `/mcp`, `/sse`. `upstream`: `--url URL` or `-- CMD ARG…`."""
    given = ["--policy", str(guard.policy), "--db", str(guard.database), "--port", "0", *options]
    with running([sys.executable, "-m", "mcp_guard", "serve", *given, *upstream]) as server:
        yield server.url()

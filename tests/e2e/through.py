"""The guard in front of the reference server, by every transport; and the reference server itself, over HTTP.

Processes are started here and ended with the block that started them.
"""

import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from tests.e2e.guard import SERVERS

REFERENCE = [sys.executable, str(SERVERS / "reference_server.py")]
PATIENCE = 30.0  # seconds for a process to say that it listens


@contextmanager
def running(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A process and its standard error, in a file; asked to end with the block, and made to where it does not."""
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
        assert process.stdout is not None
        try:
            yield process, stderr
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def first_line(process: subprocess.Popen[bytes], stderr: IO[bytes]) -> str:
    """What the process says first."""
    assert process.stdout is not None
    line = b""
    deadline = time.monotonic() + PATIENCE
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        byte = process.stdout.read(1) if ready else b""
        if not byte:
            stderr.seek(0)
            raise AssertionError(f"{process.args} said no line: {stderr.read().decode(errors='replace')[-4000:]}")
        line += byte
    return line.decode().strip()


@contextmanager
def reference_over_http(*options: str) -> Iterator[str]:
    """The base URL of the reference server: `/legacy/mcp`, `/legacy/sse`, `/modern/mcp`, `/both/mcp`."""
    with running([*REFERENCE, "http", *options]) as (process, stderr):
        yield first_line(process, stderr)

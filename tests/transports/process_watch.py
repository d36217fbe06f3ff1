"""Looking at processes from outside: which bear a mark, and waiting, with a deadline, until something is so."""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mcp_guard.transports.process import Exit, Upstream

HERE = Path(__file__).parent
DEADLINE = 30.0  # seconds; what is waited for comes in a fraction of it, but the machine may be busy


def habit(name: str, mark: str) -> list[str]:
    """The command of one of the upstreams in `upstream_zoo`."""
    return [sys.executable, "-I", "-S", str(HERE / "upstream_zoo.py"), name, mark]


def in_background(command: list[str]) -> str:
    """Shell text that runs a command in the background with the shell's stdin, for which shells put /dev/null."""
    return f"exec 3<&0; {' '.join(command)} <&3 3<&- &"


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail with `what` if it does not come."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.005)


def alive(mark: str) -> dict[int, str]:
    """The processes that bear a mark in their arguments, by number: the guard's keepers among them, zombies not."""
    if sys.platform != "linux":
        lines = subprocess.run(
            ["ps", "-Ao", "pid=,args="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return {int(line.split()[0]): line for line in lines if mark in line}
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if mark in arguments:
                    found[int(entry.name)] = arguments
    return found


def wait_until_gone(mark: str) -> None:
    """Wait until no process bears the mark."""
    wait_until(f"nothing is left of {alive(mark)}", lambda: not alive(mark))


def exists(pid: int) -> bool:
    """Whether the process table has this number still, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def open_descriptors() -> set[str]:
    """The numbers of this process's open descriptors."""
    return set(os.listdir("/dev/fd"))


def read_line(upstream: Upstream) -> str:
    """One line of what the upstream says; an empty one at the end of its stdout."""
    line = b""
    waiting = select.poll()
    waiting.register(upstream.stdout, select.POLLIN)
    while not line.endswith(b"\n"):
        assert waiting.poll(DEADLINE * 1000), f"the upstream said only {line!r}"
        byte = os.read(upstream.stdout, 1)
        if not byte:
            break
        line += byte
    return line.decode(errors="backslashreplace").rstrip("\n")


def wait_for_exit(upstream: Upstream) -> Exit:
    """Wait on `status`, as the guard does, until the upstream has ended."""
    waiting = select.poll()
    waiting.register(upstream.status, select.POLLIN)
    assert waiting.poll(DEADLINE * 1000), "the upstream did not end"
    how = upstream.read_status()
    assert how is not None
    return how


@contextlib.contextmanager
def closing(upstream: Upstream) -> Iterator[Upstream]:
    """Close the upstream, whatever the test does."""
    try:
        yield upstream
    finally:
        upstream.kill()
        upstream.close()

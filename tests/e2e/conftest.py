import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.guard import Guard


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """A guard that allows everything; a test that wants another policy writes it to `guard.policy`."""
    return Guard(tmp_path)


@pytest.fixture(autouse=True)
def no_process_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test starts inherits a mark in its environment; when the test is over nothing may bear it (Linux)."""
    mark = uuid4().hex
    monkeypatch.setenv("MCP_GUARD_E2E_MARK", mark)
    yield
    deadline = time.monotonic() + 10
    while (left := marked_processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)  # a process that was killed needs a moment to be gone
    assert left == []


def marked_processes(mark: str) -> list[str]:
    """The command lines of the processes that bear the mark; none where there is no /proc. Not the test's own."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # another user's, or gone by now
            continue
    return found

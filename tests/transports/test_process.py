"""Starting an upstream: what it is given, what the guard gets, and what a person reads where it cannot be started."""

import errno
import json
import os
import signal
import subprocess
import sys
from multiprocessing import resource_tracker
from pathlib import Path
from uuid import uuid4

import pytest

from mcp_guard.transports import keeper
from mcp_guard.transports.process import Exit, Upstream, UpstreamError, prepare, spawn
from mcp_guard.transports.program import Program
from tests.transports.process_watch import (
    HERE,
    alive,
    closing,
    exists,
    habit,
    open_descriptors,
    read_line,
    wait_for_exit,
)


@pytest.fixture
def mark() -> str:
    return f"mark-{uuid4()}"


def test_bytes_go_both_ways_unchanged(mark: str) -> None:
    with closing(spawn(habit("echo", mark))) as upstream:
        assert read_line(upstream) == "ready"
        os.write(upstream.stdin, b"\xff\x00 any bytes\n")
        assert read_line(upstream) == b"\xff\x00 any bytes".decode(errors="backslashreplace")
        upstream.close_stdin()
        assert wait_for_exit(upstream).code == 0


def test_the_guards_ends_do_not_block_and_are_not_inherited(mark: str) -> None:
    with closing(spawn(habit("echo", mark))) as upstream:
        for descriptor in (upstream.stdin, upstream.stdout):
            assert not os.get_blocking(descriptor)
        for descriptor in (upstream.stdin, upstream.stdout, upstream.status):
            assert not os.get_inheritable(descriptor)
        assert upstream.read_status() is None


def test_an_upstream_starts_clean_in_a_session_of_its_own(mark: str, capfd: pytest.CaptureFixture[str]) -> None:
    leaked = os.dup(0)
    os.set_inheritable(leaked, True)
    unusual = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGXCPU)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        with closing(spawn(habit("facts", mark))) as upstream:
            facts = json.loads(read_line(upstream))
            wait_for_exit(upstream)
    finally:
        os.close(leaked)
        for number, handler in unusual.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    environment, cwd = facts.pop("env"), facts.pop("cwd")
    assert facts == {
        "own_group": True,
        "own_session": True,
        "ignored": [],
        "blocked": [],
        "descriptors": [0, 1, 2],
        "stdin_blocks": True,
    }
    assert (
        environment.items() >= {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}.items()
    )
    assert cwd == os.getcwd()
    assert capfd.readouterr().err == "a word on stderr\n"


def test_environment_and_working_directory_can_be_chosen(mark: str, tmp_path: Path) -> None:
    with closing(spawn(habit("facts", mark), cwd=str(tmp_path), env={"ONLY": "this"})) as upstream:
        facts = json.loads(read_line(upstream))
    assert facts["cwd"] == str(tmp_path.resolve())
    assert facts["env"].items() >= {"ONLY": "this"}.items()
    assert "PATH" not in facts["env"]


def test_a_command_is_looked_up_on_the_path_it_is_given(tmp_path: Path) -> None:
    script(tmp_path / "server", "#!/bin/sh\necho found")
    with closing(spawn(["server"], env={"PATH": str(tmp_path)})) as upstream:
        assert read_line(upstream) == "found"


def test_a_command_is_looked_up_beyond_what_cannot_be_run(tmp_path: Path) -> None:
    for name in ("not-executable", "directory/server", "empty", "right"):
        (tmp_path / name).mkdir(parents=True)
    script(tmp_path / "not-executable/server", "#!/bin/sh\necho wrong", mode=0o644)
    script(tmp_path / "right/server", "#!/bin/sh\necho found")
    path = ":".join(str(tmp_path / name) for name in ("not-executable", "directory", "empty", "missing", "right"))
    with closing(spawn(["server"], env={"PATH": path})) as upstream:
        assert read_line(upstream) == "found"


@pytest.mark.parametrize(
    ("mode", "text", "message"),
    [
        (0o755, "#!/no/such/shell", "cannot start server: its interpreter is missing"),
        (0o644, "#!/bin/sh", "cannot start server: Permission denied"),
    ],
)
def test_a_command_that_is_on_the_path_but_cannot_be_run_is_not_called_missing(
    mode: int, text: str, message: str, tmp_path: Path
) -> None:
    script(tmp_path / "server", text, mode)
    with pytest.raises(UpstreamError) as error:
        spawn(["server"], env={"PATH": f"/nowhere:{tmp_path}:/nowhere"})
    assert error.value.message == message


def test_a_relative_command_is_relative_to_its_working_directory(tmp_path: Path) -> None:
    script(tmp_path / "server", "#!/bin/sh\necho found")
    with closing(spawn(["./server"], cwd=str(tmp_path))) as upstream:
        assert read_line(upstream) == "found"


def test_what_was_only_prepared_has_not_run(mark: str) -> None:
    upstream = prepare(habit("echo", mark))
    try:
        assert alive(mark) == {}
        assert upstream.read_status() is None
    finally:
        upstream.close()
    assert upstream.read_status() is None
    assert not exists(upstream.keeper_pid)


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text + "\n")
    path.chmod(mode)
    return str(path)


def test_status_is_readable_also_where_the_upstream_ended_before_its_start_was_told() -> None:
    order, status = os.pipe(), os.pipe()
    os.write(status[1], b"started 12345\nexited 3 0\n")
    os.close(status[1])
    upstream = Upstream(Program(["x"], None, {}), 0, keeper.Wires(order[1], status[0], -1, -1))
    upstream.start()
    assert upstream.pid == 12345
    assert wait_for_exit(upstream).code == 3
    for descriptor in (*order, status[0]):
        os.close(descriptor)


UNSTARTABLE = [
    # files to make, command (relative to them), what the message says, what the hint says
    ({}, ["no-such-command"], "command not found: no-such-command", "on PATH?"),
    ({}, ["./no-such-file"], "cannot start ./no-such-file: No such file or directory", "check the path"),
    ({}, ["./"], "cannot start ./: it is a directory", "name the program in it"),
    ({"s": ("#!/no/such/shell", 0o755)}, ["./s"], "cannot start ./s: its interpreter is missing", "first line"),
    ({"s": ("#!/bin/sh", 0o644)}, ["./s"], "cannot start ./s: Permission denied", "chmod +x"),
    ({"s": ("just text", 0o755)}, ["./s"], "cannot start ./s: Exec format error", "#!/bin/sh"),
    ({}, ["sh", "-c", "x" * 8_000_000], "cannot start sh: Argument list too long", "arguments and environment"),
    ({}, [], "no server command given", "-- COMMAND"),
    ({}, [""], "no server command given", "-- COMMAND"),
    ({}, ["no such\ncommand\x1b[0m"], r"command not found: 'no such\ncommand\x1b[0m'", "on PATH?"),
    ({}, ["sh", "a\0b"], "cannot start sh: no program can be given such arguments or variables", ""),
    ({}, ["sh", "\ud800"], "cannot start sh: no program can be given such arguments or variables", ""),
]


@pytest.mark.parametrize(("files", "command", "message", "hint"), UNSTARTABLE, ids=lambda value: str(value)[:40])
def test_what_cannot_be_started_is_said_in_one_line_and_leaves_nothing(
    files: dict[str, tuple[str, int]], command: list[str], message: str, hint: str, tmp_path: Path
) -> None:
    for name, (text, mode) in files.items():
        script(tmp_path / name, text, mode)
    before = open_descriptors()
    with pytest.raises(UpstreamError) as error:
        spawn(command, cwd=str(tmp_path))
    assert error.value.message == message
    assert hint in error.value.hint
    assert open_descriptors() == before
    assert_no_child()


def test_a_missing_working_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError) as error:
        spawn(["sh"], cwd=str(tmp_path / "gone"))
    assert error.value.message == f"cannot start sh in {tmp_path / 'gone'}: No such file or directory"
    assert "working directory" in error.value.hint


@pytest.mark.parametrize("env", [{"a=b": "c"}, {"a\0": "c"}, {"a": "\0"}, {"a": "\ud800"}], ids=ascii)
def test_an_impossible_environment_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(UpstreamError, match="no program can be given such arguments or variables"):
        spawn(["/bin/sh"], env=env)


def test_an_argument_never_gets_into_an_error() -> None:
    with pytest.raises(UpstreamError) as error:
        spawn(["no-such-command", "--token=hunter2"], env={"TOKEN": "hunter2"})
    assert "hunter2" not in error.value.message + error.value.hint


def test_a_guard_out_of_descriptors_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, made = os.pipe, []

    def third_time_unlucky() -> tuple[int, int]:
        made.append(1)
        if len(made) == 3:
            raise OSError(errno.EMFILE, "Too many open files")
        return pipe()

    before = open_descriptors()
    monkeypatch.setattr(os, "pipe", third_time_unlucky)
    with pytest.raises(UpstreamError, match="cannot start sh: Too many open files"):
        spawn(["sh"])
    assert open_descriptors() == before


def test_fifty_starts_and_stops_leave_no_process_and_no_descriptor(mark: str) -> None:
    before = open_descriptors()
    pids = []
    for _ in range(50):
        with closing(spawn(["sh", "-c", f": {mark}; cat"])) as upstream:
            pids += [upstream.pid, upstream.keeper_pid]
    assert [pid for pid in pids if exists(pid)] == []
    assert alive(mark) == {}
    assert open_descriptors() == before


def test_closed_standard_descriptors_of_the_guard_do_not_mix_up_the_pipes(mark: str) -> None:
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); os.close(0); os.close(2)\n"
        "from process_watch import habit, read_line; from mcp_guard.transports.process import spawn\n"
        "upstream = spawn(habit('facts', sys.argv[2])); print(read_line(upstream), flush=True); upstream.close()"
    )
    command = [sys.executable, "-c", code, str(HERE), mark]
    facts = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout)
    assert facts["descriptors"] == [0, 1, 2]


def test_starting_an_upstream_needs_no_heavy_import() -> None:
    heavy = {"subprocess", "ctypes", "asyncio", "typing", "dataclasses", "msgspec", "pathlib", "json", "threading"}
    code = (
        "import sys; before = set(sys.modules); import mcp_guard.transports.process; print(*set(sys.modules) - before)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "mcp_guard.transports.process" in found
    assert heavy.isdisjoint(found)


EXITS = [
    (Exit(code=0), 0, "exited with status 0"),
    (Exit(code=3), 3, "exited with status 3"),
    (Exit(signal=15), 143, "was killed by SIGTERM"),
    (Exit(signal=11), 139, "was killed by SIGSEGV"),
    (Exit(signal=9), 137, "was killed by SIGKILL (out of memory?)"),
    (Exit(signal=9, asked=True), 137, "was killed by SIGKILL"),
    (Exit(signal=40), 168, "was killed by signal 40"),
    (Exit(), 1, "was killed because the process that watched over it was killed"),
]


@pytest.mark.parametrize(("how", "code", "text"), EXITS, ids=repr)
def test_an_end_has_a_status_and_a_description(how: Exit, code: int, text: str) -> None:
    assert (how.exit_code, how.describe()) == (code, text)


def assert_no_child() -> None:
    """This process has no child, not even a zombie; but for the one that multiprocessing keeps for itself."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    children = {int(pid) for pid, parent in rows if int(parent) == os.getpid() and exists(int(pid))}
    assert children - {resource_tracker._resource_tracker._pid} == set()  # the listing itself is gone by now

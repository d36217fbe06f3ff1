"""An upstream as the guard has it: a child process with two pipes, a way to end it, and how it ended.

The guard's side of the `keeper`: forks it, gives it its orders as single bytes, reads its reports as lines. What is
said through the upstream's pipes is no matter of this module.

Invariant: nothing that an `Upstream` started outlives it. After `close` it is gone; if the guard dies without a word,
its keeper ends it; if the keeper dies, the guard does.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from mcp_guard.transports import keeper
from mcp_guard.transports.program import Program, UpstreamError, shown

if sys.platform != "win32":
    import fcntl

PIPE_BYTES = 256 * 1024  # asked for where the system lets one choose (Linux); its own choice is 64 KiB
LARGE_PIPE_BYTES = 1024 * 1024  # the most that the system lets everybody have
_KEEPER_PATIENCE = 1.0  # seconds that `close` waits for the keeper beyond the ladder's own


class Exit:
    """How an upstream ended: by `code`, or by `signal`, or by neither, where its keeper was lost and it with it.

    `asked`: the guard had told it to end.
    """

    __slots__ = ("asked", "code", "signal")

    def __init__(self, code: int | None = None, signal: int | None = None, asked: bool = False) -> None:
        self.code, self.signal, self.asked = code, signal, asked

    @property
    def exit_code(self) -> int:
        """The status that the guard ends with after this: the upstream's own, or 128 and the signal, as in a shell."""
        if self.code is not None:
            return self.code
        return 128 + self.signal if self.signal is not None else 1

    def describe(self) -> str:
        """What happened, to follow "the server …"."""
        if self.code is not None:
            return f"exited with status {self.code}"
        if self.signal is None:
            return "was killed because the process that watched over it was killed"
        why = " (out of memory?)" if self.signal == 9 and not self.asked else ""
        return f"was killed by {_signal_name(self.signal)}{why}"

    def __repr__(self) -> str:
        return f"Exit(code={self.code}, signal={self.signal}, asked={self.asked})"


class Upstream:
    """One upstream process. `stdin` and `stdout` are the guard's ends of its pipes: non-blocking, closed on exec.

    `status` becomes readable when the upstream has ended, or its keeper has: then `read_status` tells how. An order to
    end (`end`, `terminate`, `kill`) is a rung of one ladder: the keeper climbs on from there by itself.
    """

    __slots__ = ("_control", "_exit", "_program", "_reports", "keeper_pid", "pid", "status", "stdin", "stdout")

    def __init__(self, program: Program, keeper_pid: int, near: keeper.Wires) -> None:
        self._program, self.keeper_pid, self._control = program, keeper_pid, near.control
        self.status, self.stdin, self.stdout = near.status, near.stdin, near.stdout
        self.pid = 0
        self._reports = b""
        self._exit: Exit | None = None

    def start(self) -> None:
        """Start the program and wait until it runs. Raises UpstreamError, with everything cleaned up, if it cannot."""
        self._order(keeper.KEEP)
        while not self._reports.endswith(b"\n") and self._hear(timeout=None, limit=1):
            pass  # no further than this line: `status` has to stay readable where the upstream has ended already
        report, self._reports = self._reports, b""
        match report.split():
            case [b"started", pid]:
                self.pid = int(pid)
            case [b"failed", stage, number]:
                self.close()
                raise self._program.failure(stage.decode(), int(number))
            case _:
                self.close()
                raise UpstreamError(f"cannot start {shown(self._program.argv[0])}: its keeper process was killed")

    def read_status(self) -> Exit | None:
        """How the upstream ended, or None while it runs. Does not wait."""
        if self._exit is None and self.status >= 0:
            keeper_lives = self._hear(timeout=0)
            self._exit = _parse_exit(self._reports)
            if self._exit is None and self.pid and not keeper_lives:
                self._kill_group()
                self._exit = Exit()
        return self._exit

    def close_stdin(self) -> None:
        """Close the upstream's stdin: by the protocol, the wish that it end. No signal follows: see `end`."""
        self.stdin = _close(self.stdin)

    def end(self) -> None:
        """Close its stdin; as `terminate` if it has not ended in `keeper.END_GRACE` seconds."""
        self._order(keeper.END)  # before its stdin closes, so that the keeper knows why it ends
        self.close_stdin()

    def terminate(self) -> None:
        """SIGTERM to the upstream and all that it started; SIGKILL after `keeper.TERMINATE_GRACE` seconds."""
        self._order(keeper.TERMINATE)

    def kill(self) -> None:
        """SIGKILL to the upstream and all that it started."""
        self._order(keeper.KILL)

    def close(self) -> None:
        """See to it that the upstream and all that it started are gone, and give back every descriptor.

        At once if nothing is left; else as `terminate`, and waits for it. May be called again.
        """
        if self._control < 0:
            return
        self.close_stdin()
        self.stdout = _close(self.stdout)
        self._order(keeper.TERMINATE)
        deadline = time.monotonic() + keeper.TERMINATE_GRACE + _KEEPER_PATIENCE
        while (left := deadline - time.monotonic()) > 0 and self._hear(timeout=left):
            pass
        if left > 0:  # the keeper has ended: else it is held up by something that cannot be killed, and goes with it
            self._take_leave_of_keeper()
        self._control, self.status = _close(self._control), _close(self.status)

    def _order(self, rung: int) -> None:
        try:
            if self._control >= 0:
                os.write(self._control, bytes((rung,)))
        except BrokenPipeError:  # the keeper has ended: its last report, or that there is none, says why
            self.read_status()

    def _hear(self, timeout: float | None, limit: int = 512) -> bool:
        """Take in what the keeper reports, waiting for it so many seconds (None: for ever); False once it has ended."""
        waiting = select.poll()
        waiting.register(self.status, select.POLLIN)
        if not waiting.poll(None if timeout is None else timeout * 1000):
            return True
        report = os.read(self.status, limit)
        self._reports += report
        return report != b""

    def _take_leave_of_keeper(self) -> None:
        """Reap it, and do what can be done of its work from here if it did not get to it."""
        self._exit = self._exit or _parse_exit(self._reports) or (Exit() if self.pid else None)
        with suppress(ChildProcessError):  # whoever started the guard had it ignore its children's deaths
            _, how = os.waitpid(self.keeper_pid, 0)
            if how != 0:
                self._kill_group()

    def _kill_group(self) -> None:
        if self.pid:
            with suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)


def prepare(command: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None) -> Upstream:
    """Fork the keeper for a command, which `Upstream.start` will start: in `cwd`, with `env` (None: the guard's own).

    Best called early: what the guard imports and opens later costs the keeper no memory. Raises UpstreamError.
    """
    if sys.platform == "win32":
        raise UpstreamError("stdio servers need Linux or macOS", "on Windows, run mcp-guard inside WSL")
    if not command or not command[0]:
        raise UpstreamError("no server command given", "put it last: mcp-guard run … -- COMMAND ARG…")
    program = Program(list(command), cwd, dict(os.environ if env is None else env))
    if not program.can_be_passed():
        raise UpstreamError(
            f"cannot start {shown(program.argv[0])}: no program can be given such arguments or variables"
        )
    try:
        near, far = _wires()
        return Upstream(program, _fork_keeper(program, near, far), near)
    except OSError as error:
        raise UpstreamError(f"cannot start {shown(program.argv[0])}: {os.strerror(error.errno or 0)}") from error


def spawn(command: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None) -> Upstream:
    """Start a command as an upstream: `prepare` and `start` in one. Raises UpstreamError."""
    upstream = prepare(command, cwd=cwd, env=env)
    upstream.start()
    return upstream


def _fork_keeper(program: Program, near: keeper.Wires, far: keeper.Wires) -> int:
    # Blocked signals wait: none of the guard's handlers may run in the keeper.
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            keeper.keep(far, program)
    except OSError:
        near.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        far.close()
    return pid


def _wires() -> tuple[keeper.Wires, keeper.Wires]:
    """The four pipes: the guard's ends and the keeper's."""
    _fill_standard_descriptors()
    opened: list[int] = []
    try:
        for _ in range(4):
            opened.extend(os.pipe())
    except OSError:
        for descriptor in opened:
            os.close(descriptor)
        raise
    control, order, status, report, far_in, near_in, near_out, far_out = opened
    for descriptor in (near_in, near_out):
        os.set_blocking(descriptor, False)
        enlarge(descriptor)
    return keeper.Wires(order, status, near_in, near_out), keeper.Wires(control, report, far_in, far_out)


def _fill_standard_descriptors() -> None:
    """Open what a careless parent left closed of 0, 1 and 2, so that no pipe of ours gets such a number."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)


def enlarge(pipe: int, size: int = PIPE_BYTES) -> None:
    """Let a pipe hold more, where one may choose: fewer turns between guard and server for a long message."""
    if sys.platform == "linux":
        with suppress(OSError):  # the user's share of pipe memory is used up
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size)


def _close(descriptor: int) -> int:
    """Close a descriptor unless it is closed; gives what to remember it as."""
    if descriptor >= 0:
        os.close(descriptor)
    return -1


def _parse_exit(reports: bytes) -> Exit | None:
    """The keeper's report of the upstream's end: `exited STATUS ASKED` or `killed SIGNAL ASKED`, as a whole line."""
    if not reports.endswith(b"\n"):
        return None
    how, number, asked = reports.split()
    if how == b"exited":
        return Exit(code=int(number), asked=asked == b"1")
    return Exit(signal=int(number), asked=asked == b"1")


def _signal_name(number: int) -> str:
    """`SIGKILL` for 9; `signal 40` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

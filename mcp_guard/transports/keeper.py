"""The keeper: a small process between the guard and one upstream, which sees to it that the upstream ends.

    guard ──fork──▶ keeper ──fork, exec──▶ upstream ──▶ whatever the upstream starts

It lives here because a guard that is killed with SIGKILL can clean up nothing, and because a server may put its
children out of reach of a process group. The keeper holds the reading end of a pipe from the guard: the end of that
pipe means that the guard is gone, however it died. On Linux it is a child subreaper, so that every process which the
upstream orphaned becomes a child of the keeper. It is a session of its own, so that what kills the guard's group does
not kill it.

Invariant: when the keeper has exited, nothing that the upstream started is alive (elsewhere than on Linux: nothing in
its process group). What the guard sees of it is in `process`; nothing here may run in the guard.
"""

import os
import select
import signal
import time
from contextlib import suppress

from mcp_guard.transports.process_tree import Prctl, adopt_orphans, descendants, signal_group
from mcp_guard.transports.program import Program, ignored_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

END_GRACE = 1.0  # seconds from the end of its stdin to SIGTERM
TERMINATE_GRACE = 0.5  # seconds from SIGTERM to SIGKILL; both together stay below the 2 s that clients give the guard

# The rungs of the ladder that ends an upstream: it is only ever climbed. The guard's word for one is that one byte on
# the control pipe. WAIT is the keeper's state before it was told to start the upstream, KEEP while the upstream serves.
WAIT, KEEP, END, TERMINATE, KILL = range(5)
GRACE = {END: END_GRACE, TERMINATE: TERMINATE_GRACE}

_KILL_AGAIN = (0.01, 5.0)  # how soon, and at the slowest how often, SIGKILL is sent to what is still there
_LOOK_AGAIN = 0.02  # how often to see whether a group is empty where nobody tells


class Wires:
    """One side's ends of four pipes: `control` (guard to keeper), `status` (back), the upstream's `stdin`, `stdout`."""

    __slots__ = ("control", "status", "stdin", "stdout")

    def __init__(self, control: int, status: int, stdin: int, stdout: int) -> None:
        self.control, self.status, self.stdin, self.stdout = control, status, stdin, stdout

    def all(self) -> tuple[int, int, int, int]:
        """Every descriptor of them."""
        return self.control, self.status, self.stdin, self.stdout

    def close(self) -> None:
        """Close them."""
        for descriptor in self.all():
            os.close(descriptor)


def keep(wires: Wires, program: Program) -> "NoReturn":
    """Be the keeper: called in the child of the guard's fork, with all signals blocked. Does not return.

    Exits with 0 if its work is done; else the guard, if there still is one, does what it can of it.
    """
    status = 1
    try:
        _leave_the_guard(wires)
        prctl = adopt_orphans()
        _Keeper(wires, program, prctl).run()
        status = 0
    finally:
        os._exit(status)


def _leave_the_guard(wires: Wires) -> None:
    """Let go of what belongs to the guard: its session, its descriptors (but stderr, for the upstream), its signals."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    kept = {0, 1, 2, *wires.all()}
    for descriptor in map(int, os.listdir("/dev/fd")):
        if descriptor not in kept:
            with suppress(OSError):  # the listing's own descriptor is in the list, and closed by now
                os.close(descriptor)
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    for number in ignored_signals():
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with suppress(OSError), open("/proc/self/comm", "wb") as name:  # what `ps` shows, so that nobody has to wonder
        name.write(b"mcp-guard-keep")


class _Keeper:
    """One upstream from its start to its end. `_rung` says how far up the ladder it is."""

    def __init__(self, wires: Wires, program: Program, prctl: Prctl | None) -> None:
        self._wires, self._program, self._prctl = wires, program, prctl
        self._rung = WAIT
        self._deadline = 0.0
        self._kill_again = _KILL_AGAIN[0]
        self._leader = 0
        self._leader_ended = False
        self._group_gone = False
        self._childless = True
        self._told = select.poll()
        self._told.register(wires.control, select.POLLIN)
        self._wakeup = _wake_on_child_death()
        self._told.register(self._wakeup, select.POLLIN)

    def run(self) -> None:
        """Keep the upstream until it is gone and the guard has said that it knows, or is gone itself."""
        try:
            while not self._finished():
                for descriptor, _ in self._told.poll(self._patience()):
                    self._hear(descriptor)
                self._reap()
                self._climb()
        except BaseException:
            self._signal(signal.SIGKILL)
            raise

    def _finished(self) -> bool:
        return self._rung > KEEP and not self._anything_left()

    def _patience(self) -> float | None:
        """Milliseconds until there is something to do unasked; None while the upstream serves: no wake-up at all."""
        if self._rung <= KEEP:
            return None
        left = max(0.0, self._deadline - time.monotonic())
        if self._prctl is None and self._leader_ended:  # the group's others are not its children: it has to look
            left = min(left, _LOOK_AGAIN)
        return left * 1000 + 1

    def _hear(self, descriptor: int) -> None:
        said = os.read(descriptor, 512)
        if descriptor != self._wires.control:
            return  # a child ended: it is reaped in any case
        if not said:  # the guard is gone
            self._told.unregister(descriptor)
            self._rise(END)
        for rung in said:
            self._rise(rung)

    def _rise(self, rung: int) -> None:
        """Go up to a rung, unless the ladder has been climbed that far already."""
        if rung <= self._rung:
            return
        self._rung = rung
        self._deadline = time.monotonic() + GRACE.get(rung, 0.0)
        if rung == KEEP:
            self._start()
        elif rung == TERMINATE and self._anything_left():
            self._signal(signal.SIGTERM)
        elif rung == KILL:
            self._kill()

    def _climb(self) -> None:
        """Go up one rung when this one's time is over and anything is left to be ended."""
        if self._rung <= KEEP or not self._anything_left():
            return
        if time.monotonic() < self._deadline:
            return
        if self._rung == KILL:
            self._kill()
        else:
            self._rise(self._rung + 1)

    def _kill(self) -> None:
        """SIGKILL to all that is left, and again while anything is: some may just have been forked.

        What is another user's by now (sudo) cannot be killed: the keeper stays until it ends by itself.
        """
        self._signal(signal.SIGKILL)
        self._deadline = time.monotonic() + self._kill_again
        self._kill_again = min(self._kill_again * 2, _KILL_AGAIN[1])

    def _start(self) -> None:
        """Fork the upstream, tell the guard whether it runs, and let go of what is the upstream's alone."""
        trouble, trouble_writer = os.pipe()
        itself, stdin, stdout = os.getpid(), self._wires.stdin, self._wires.stdout
        try:
            self._leader = os.fork()
        except OSError as error:
            os.write(trouble_writer, b"fork %d" % (error.errno or 0))
        else:
            if self._leader == 0:
                self._program.become(stdin, stdout, trouble_writer, self._prctl, itself)
            self._childless = False
        os.close(trouble_writer)
        why = os.read(trouble, 64)  # ends without a word when exec has closed the other end
        os.close(trouble)
        os.close(stdin)
        os.close(stdout)
        os.dup2(0, 2)
        if why:
            self._leader_ended = self._group_gone = True
            self._report(b"failed " + why)
            self._rise(END)
        else:
            self._report(b"started %d" % self._leader)

    def _reap(self) -> None:
        """Take the status of every child that ended: the upstream's is told to the guard at once."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._leader and not self._leader_ended:
                    self._upstream_ended(os.waitstatus_to_exitcode(status))
        self._childless = True

    def _upstream_ended(self, code: int) -> None:
        self._leader_ended = True
        # While it has members a group's number is not given out again; once it has none, it may be another's.
        self._group_gone = not signal_group(self._leader, 0)
        for descriptor, _ in self._told.poll(0):  # an order given before it ended is why it ended
            self._hear(descriptor)
        asked = self._rung > KEEP
        self._report(b"%s %d %d" % (b"exited" if code >= 0 else b"killed", abs(code), asked))

    def _report(self, line: bytes) -> None:
        with suppress(OSError):  # the guard is gone: there is nobody to tell
            os.write(self._wires.status, line + b"\n")

    def _anything_left(self) -> bool:
        if not self._childless:
            return True
        if self._prctl is not None or self._group_gone or not self._leader:
            return False  # a subreaper without children has no descendants
        # No process escapes a signal to its group; what is there after SIGKILL is zombies that others are to reap.
        return self._rung < KILL and signal_group(self._leader, 0)

    def _signal(self, number: int) -> None:
        """Send a signal to the group and to every descendant outside it."""
        if self._leader and not self._group_gone:
            signal_group(self._leader, number)
        for pid, group in descendants(os.getpid()):
            if group != self._leader:
                with suppress(OSError):
                    os.kill(pid, number)


def _wake_on_child_death() -> int:
    """A descriptor that becomes readable when a child has ended."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reader

"""What the system offers to hold a process and all that it starts together: groups everywhere, kinship on Linux."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36

Prctl = Callable[[int, int, int, int, int], int]


def adopt_orphans() -> Prctl | None:
    """Make every descendant that loses its parent a child of this process. Gives prctl, or None if that cannot be."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
        prctl.restype = ctypes.c_int
    except Exception:  # a Python without libffi, a libc without prctl: the process group is what can be kept
        return None
    return prctl if prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 else None


def die_with_parent(prctl: Prctl, parent: int) -> None:
    """Have this process killed when its parent dies; at once if it has died already."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(127)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False if it has no member that may be signalled."""
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


def descendants(root: int) -> list[tuple[int, int]]:
    """Every process below `root`, parents first, each with its process group; none where there is no /proc."""
    children: dict[int, list[tuple[int, int]]] = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal():
                parent, group = _parent_and_group(name)
                children.setdefault(parent, []).append((int(name), group))
    found = list(children.get(root, ()))
    for pid, _ in found:  # grows as it goes
        found.extend(children.get(pid, ()))
    return found


def _parent_and_group(pid: str) -> tuple[int, int]:
    """What /proc/PID/stat says of a process, (0, 0) if it is gone: `PID (any text) STATE PARENT GROUP …`."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            _state, parent, group = stat.read().rpartition(b")")[2].split(maxsplit=3)[:3]
    except OSError:
        return 0, 0
    return int(parent), int(group)

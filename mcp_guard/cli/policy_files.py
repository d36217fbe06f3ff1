"""Policy files on disk: reading them, and noticing that they changed.

The guard looks at the files before each call, so a change takes effect on the next one, on every file system and with
every way of replacing a file. Calls that come within the same half millisecond share a look.
"""

import os
import time
from collections.abc import Sequence

from mcp_guard.cli.reading import read_file
from mcp_guard.digest import sha256_hex

_FRESH = 500_000  # nanoseconds for which a look is good
_SETTLE = 0.02  # seconds without a change after which a file is taken to be written whole
_SETTLE_AT_MOST = 1.0  # seconds that a call waits for an editor that goes on writing
_HINT = "check the path, on the command line or under `policy:` in the configuration"

Look = tuple[int, int, int, int] | None


class PolicyFiles:
    """The files of one policy, in the order in which their rules count."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)
        self._looked = 0
        self._seen = self._look()

    def read(self) -> list[tuple[str, bytes]]:
        """Each file's path and bytes. Raises GuardError for one that cannot be read."""
        return [(path, read_file(path, "policy", _HINT)) for path in self.paths]

    def changed(self) -> bool:
        """Whether any file is another than at the last time, or was written since. Waits until its writer is done."""
        now = time.monotonic_ns()
        if now - self._looked < _FRESH:
            return False
        self._looked = now
        for path, seen in self._seen:
            if _look(path) != seen:
                self._settle()
                return True
        return False

    def _settle(self) -> None:
        """Wait until nobody has written for a moment: a half-written file must not be taken for a policy."""
        deadline = time.monotonic() + _SETTLE_AT_MOST
        before = None
        while before != self._seen and time.monotonic() < deadline:
            before = self._look()
            time.sleep(_SETTLE)
            self._seen = self._look()

    def _look(self) -> list[tuple[str, Look]]:
        return [(path, _look(path)) for path in self.paths]


def sources_hash(files: Sequence[tuple[str, bytes]]) -> str:
    """SHA-256 over the files' bytes, one after another, in hex: the policy's hash."""
    return sha256_hex(text for _, text in files)


def _look(path: str) -> Look:
    """What tells one state of a file from another; None where there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a path with a NUL in it
        return None
    return status.st_ino, status.st_dev, status.st_size, status.st_mtime_ns

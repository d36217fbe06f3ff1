"""Configuration files on the disk: read whole, written whole or not at all, and only if nobody wrote meanwhile."""

import os
import stat
import tempfile
from contextlib import suppress

import msgspec

from mcp_guard.errors import GuardError

LARGEST = 64 << 20  # bytes
PRIVATE = 0o600


class Content(msgspec.Struct, frozen=True):
    """What a file held when it was looked at. `path`: the file itself, behind every symbolic link."""

    path: str
    data: bytes
    mode: int

    @property
    def text(self) -> str:
        """Its characters. Raises GuardError where it is not UTF-8."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            raise GuardError(f"{self.path}: not UTF-8", "save the file as UTF-8") from None


def read(path: str) -> Content:
    """The file at a path. Raises GuardError where it cannot be read."""
    real = os.path.realpath(path)
    try:
        with open(real, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise GuardError(f"{path}: not a file", "only regular files can be changed")
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise GuardError(f"{path}: {error.strerror}", "check the path and the rights") from None
    if len(data) > LARGEST:
        raise GuardError(f"{path}: more than {LARGEST >> 20} MiB", "that is no configuration")
    return Content(real, data, stat.S_IMODE(found.st_mode))


def write(before: Content, data: bytes) -> None:
    """Put other bytes into a file, with its rights. Raises GuardError if it is not what it was or cannot be."""
    if not _is_still(before):
        raise GuardError(
            f"{before.path}: somebody else has just changed it; it is left as it is",
            "close the client, or wait a moment, and try again",
        )
    _replace(before.path, data, before.mode, lambda: _is_still(before))


def create(path: str, data: bytes) -> None:
    """Write a file of our own, for this user alone, with the directories above it. Raises GuardError."""
    missing = list[str]()
    directory = os.path.dirname(path)
    while directory and not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for name in reversed(missing):
        try:
            os.mkdir(name, 0o700)
        except OSError as error:
            raise GuardError(f"cannot create {name}: {error.strerror}", "check the rights") from None
    _replace(path, data, PRIVATE)


def _is_still(before: Content) -> bool:
    try:
        return read(before.path) == before
    except GuardError:
        return False


def _replace(path: str, data: bytes, mode: int, go_on: "Callable[[], bool]" = lambda: True) -> None:
    """Write beside the file, then put it in its place in one step."""
    beside = ""
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path))
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        _give_rights(beside, path, mode)
        if not go_on():
            raise GuardError(f"{path}: somebody else has just changed it; it is left as it is", "try again")
        os.replace(beside, path)
        beside = ""
    except OSError as error:
        raise GuardError(f"cannot write {path}: {error.strerror}", "check the rights and the space left") from None
    finally:
        if beside:
            with suppress(OSError):
                os.unlink(beside)


def _give_rights(beside: str, path: str, mode: int) -> None:
    """The owner and group of the file that is replaced, as far as this user may give them away; then its rights."""
    with suppress(OSError):
        found = os.stat(path)
        if hasattr(os, "chown"):
            os.chown(beside, found.st_uid, found.st_gid)
    os.chmod(beside, mode)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

"""The files on the disk: the database, its directory, and the key beside it that also serves as a lock.

Guards that start at once take turns at creating and migrating: whoever holds the lock on `<db>.key` is alone. No handle
on the database file is ever opened and closed here while SQLite has it open in this process: closing it would drop the
locks that SQLite holds (POSIX: fcntl).
"""

import errno
import os
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from mcp_guard.store.errors import StoreError, store_error

KEY_BYTES = 32
_WAIT = 2.0  # seconds for another guard to finish creating or migrating
_PAUSE = 0.01

_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.ENOLCK})  # file systems without such locks

Identity = tuple[int, int]


class Present(NamedTuple):
    """What is at a database's path: which files it consists of (the database, its write-ahead log, the index of that),
    and how many bytes the first two have.
    """

    files: tuple[Identity | None, Identity | None, Identity | None] = (None, None, None)
    sizes: tuple[int, int] = (0, 0)

    def has_shrunk(self, since: "Present") -> bool:
        """Whether something was taken out of the same files."""
        return self.sizes[0] < since.sizes[0] or self.sizes[1] < since.sizes[1]


NOTHING = Present()


def present(path: str) -> Present:
    """What is at `path` now."""
    database, log = _found(path), _found(path + "-wal")
    sizes = database.st_size if database else 0, log.st_size if log else 0
    return Present((_identity(database), _identity(log), identity(path + "-shm")), sizes)


def identity(path: str) -> Identity | None:
    """Which file is at `path` now (device and inode), or None where there is none."""
    return _identity(_found(path))


def _found(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _identity(found: os.stat_result | None) -> Identity | None:
    return None if found is None else (found.st_dev, found.st_ino)


def refuse_unusable(path: str) -> None:
    """Raise StoreError where something is at `path` that cannot become a database."""
    if not os.path.basename(path) or "\0" in path:
        raise StoreError(f"{path!r} names no file", "give --db the path of a file")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise store_error(path, error) from error
    if stat.S_ISDIR(mode):
        raise StoreError(f"{path} is a directory", f"give --db a file, for example {os.path.join(path, 'audit.db')}")
    if not stat.S_ISREG(mode):
        raise StoreError(f"{path} is not a regular file", "give --db the path of a file")


def make_directory(path: str) -> None:
    """Create the directory of `path`, with those above it, for this user alone. Raises StoreError."""
    directory = os.path.dirname(path)
    missing: list[str] = []
    while directory and not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for name in reversed(missing):
        try:
            os.mkdir(name, 0o700)
        except FileExistsError:
            continue
        except OSError as error:
            hint = "create it, give this user the right to, or name another file with --db"
            raise StoreError(f"cannot create the directory {name}: {error.strerror}", hint) from error


def create_missing(path: str, before: Present = NOTHING) -> None:
    """Create the database file, empty and for this user alone, where there is none. To be called `alone`.

    A write-ahead log of a database that is gone would be taken for the new one's: it goes too. So does that of a
    database that was moved away, which was there `before`; the log of one that is still there holds rows.
    """
    missing = not os.path.exists(path)
    if missing or _is_left_behind(path, before):
        for leftover in (path + "-wal", path + "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(leftover)
    if missing:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _is_left_behind(path: str, before: Present) -> bool:
    database, log, _ = before.files
    return log is not None and log == identity(path + "-wal") and database != identity(path)


@contextmanager
def alone(path: str) -> Generator[bytes]:
    """Be the only guard that creates or migrates the database at `path`. Gives the key; raises StoreError."""
    name = path + ".key"
    deadline = time.monotonic() + _WAIT
    try:
        handle = _locked(name, deadline)
    except OSError as error:
        raise store_error(name, error) from error
    try:
        yield _key(handle)
    except OSError as error:
        raise store_error(path, error) from error
    finally:
        os.close(handle)


def _locked(name: str, deadline: float) -> int:
    """A handle on the file, locked, and certainly the one that others find under this name."""
    while True:
        handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        if try_lock(handle):
            if identity(name) == (os.fstat(handle).st_dev, os.fstat(handle).st_ino):
                return handle
        elif time.monotonic() > deadline:
            os.close(handle)
            raise StoreError(f"another mcp-guard holds {name} locked", "end it if it hangs, and try again")
        os.close(handle)
        time.sleep(_PAUSE)


def try_lock(handle: int) -> bool:
    """Lock a file for as long as this handle, or a copy of it, is open; False where another has it."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system: SQLite's own are left
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _key(handle: int) -> bytes:
    """The key in the file, made now where it is missing or was never finished."""
    os.lseek(handle, 0, os.SEEK_SET)
    key = os.read(handle, KEY_BYTES + 1)
    if len(key) >= KEY_BYTES:
        return key[:KEY_BYTES]
    key = os.urandom(KEY_BYTES)
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, key)
    os.fsync(handle)
    return key

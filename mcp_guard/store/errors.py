"""What can go wrong with the audit log, as a person needs to hear it: which file, what, and how to mend it.

No SQL, no row and no argument is ever in such a text: a denial carries it to a model.
"""

import os
import sqlite3

from mcp_guard.errors import GuardError

_UNEXPECTED = ("cannot be used", "look at the disk and at the rights of the file and its directory")

# SQLite's primary result codes (sqlite.org/rescode.html): what to say, how to mend it.
_FAILURES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_PERM: ("may not be opened", "give this user the right to write the file and its directory"),
    sqlite3.SQLITE_BUSY: (
        "is locked by another program",
        "close what keeps it locked, such as a database browser with an unsaved change; the next call tries again",
    ),
    sqlite3.SQLITE_LOCKED: ("is locked", "the next call tries again"),
    sqlite3.SQLITE_READONLY: (
        "is read-only",
        "give this user the right to write the file and its directory, or name another file with --db",
    ),
    sqlite3.SQLITE_IOERR: ("cannot be written: the disk reports an error", "look at the disk, its space and its quota"),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "move it away and a new one is started; `sqlite3 FILE .recover` gets back what is still readable",
    ),
    sqlite3.SQLITE_FULL: (
        "cannot be written: the disk is full",
        "free some space, or keep less of the past with --retain DAYS; the next call tries again",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "give this user the right to write the file and its directory, or name another file with --db",
    ),
    sqlite3.SQLITE_TOOBIG: ("cannot hold a row of this size", "keep less of the arguments: `audit_arguments: hashed`"),
    sqlite3.SQLITE_NOTADB: ("is not a database", "name another file with --db, or move this one away"),
}

_TO_READ = "give this user the right to read the file, or name another file with --db"

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR})


class StoreError(GuardError):
    """The audit log cannot be opened, read or written. Whatever was to be recorded is not in it."""


class OlderError(StoreError):
    """The audit log was made by an older mcp-guard, and lacks what is asked for."""


def result_code(error: Exception) -> int:
    """SQLite's primary result code of an error, or -1 where it did not come from SQLite."""
    return getattr(error, "sqlite_errorcode", -1) & 0xFF if hasattr(error, "sqlite_errorcode") else -1


def store_error(path: str, error: Exception, *, reading: bool = False) -> StoreError:
    """An error of SQLite or of the operating system about the database at `path`, for a person; `reading`: who only
    wanted to read it, and needs no more than that right.
    """
    if isinstance(error, OSError) and not isinstance(error, StoreError):
        what = "the audit log's key" if path.endswith(".key") else "the audit log"
        return StoreError(f"{what} {path} cannot be used: {error.strerror}", _UNEXPECTED[1])
    if reading and _unreadable(path):
        return StoreError(f"the audit log {path} may not be read", _TO_READ)
    text, hint = _FAILURES.get(result_code(error), _UNEXPECTED)
    return StoreError(f"the audit log {path} {text}", hint.replace("FILE", path))


def _unreadable(path: str) -> bool:
    """Whether it is the right to read that is missing, of the file or of what SQLite keeps beside it: not all who may
    read it can, as they may have to make such a file first.
    """
    files = (path, path + "-wal", path + "-shm")
    return any(os.path.exists(file) and not os.access(file, os.R_OK) for file in files)


def missing(path: str) -> StoreError:
    """The error of one who looks into a log that is not there."""
    hint = "a guard creates it at its first connection; name another file with --db"
    return StoreError(f"there is no audit log at {path}", hint)

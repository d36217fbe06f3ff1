"""The audit logs that guards write to: whether they can be written, whose version they are, and what room is left."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from urllib.parse import quote

from mcp_guard.cli.health.finding import Finding
from mcp_guard.cli.health.guards import Seen, guards
from mcp_guard.cli.output import short
from mcp_guard.errors import GuardError

_LITTLE, _TOO_LITTLE = 1 << 30, 64 << 20  # bytes of free disk


def databases(servers: Sequence[Seen]) -> list[str]:
    """Each audit log that is in use, and the one that is used where nobody says otherwise."""
    from mcp_guard.store.location import default_database

    return list(dict.fromkeys([*(one.db for one in guards(servers) if one.db), default_database()]))


def check(servers: Sequence[Seen]) -> Iterator[Finding]:
    """What is found of each audit log."""
    for path in databases(servers):
        subject = f"audit log {short(path)}"
        yield _log(path, subject)
        yield from _room(path, subject)


def _log(path: str, subject: str) -> Finding:
    if not os.path.exists(path):
        place = _place(path)
        if os.access(place, os.W_OK):
            return Finding("ok", subject, "not there yet: the first guard makes it")
        return Finding("error", subject, f"cannot be made: {short(place)} is not writable", "name another with --db")
    if not os.access(path, os.W_OK) or not os.access(os.path.dirname(path) or ".", os.W_OK):
        return Finding(
            "error", subject, "cannot be written: every call is denied", "check the rights of it and its directory"
        )
    try:
        version = _version(path)
    except GuardError as error:
        return Finding("error", subject, error.message, error.hint)
    except sqlite3.Error as error:
        return Finding("error", subject, f"cannot be read: {error}", "move it away: a new one is made")
    return Finding("ok", subject, f"version {version}, {_size(path)}, writable")


def _version(path: str) -> int:
    from mcp_guard.store import schema

    with closing(sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True, timeout=2)) as connection:
        return schema.version(connection, path)


def _room(path: str, subject: str) -> Iterator[Finding]:
    free = shutil.disk_usage(_place(path)).free
    if free < _LITTLE:
        level = "error" if free < _TOO_LITTLE else "warning"
        hint = "a call that cannot be written down is denied; `--retain DAYS` keeps the log short"
        yield Finding(level, subject, f"{free >> 20} MiB left on its disk", hint)


def _place(path: str) -> str:
    """The nearest directory above that is there."""
    place = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    return place


def _size(path: str) -> str:
    size = sum(os.path.getsize(path + end) for end in ("", "-wal") if os.path.exists(path + end))
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"

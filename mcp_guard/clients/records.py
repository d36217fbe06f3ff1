"""What `init` did to each file, kept so that it can be undone: the file as it was, byte for byte, and what was written.

Kept in the user's data directory and not beside the file, which may stand in a repository: configurations hold secrets.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec

from mcp_guard import user_directories
from mcp_guard.clients import files
from mcp_guard.clients.planning import Entry
from mcp_guard.errors import GuardError

_ORIGINAL, _RECORD = "original", "record.json"


class Record(msgspec.Struct, frozen=True):
    """One changed file. `written`: SHA-256 of what was written last; `created`: the files made for it, with theirs."""

    path: str
    client: str
    written: str
    entries: tuple[Entry, ...]
    created: dict[str, str] = {}


def home() -> str:
    """The directory of all records."""
    return os.path.join(user_directories.data(), "init")


def directory(path: str) -> str:
    """The directory in which the original and the record of a file are."""
    return os.path.join(home(), sha256(os.path.realpath(path).encode(errors="surrogateescape")).hexdigest()[:16])


def digest(data: bytes) -> str:
    """What a file is known by."""
    return sha256(data).hexdigest()


def find(path: str) -> tuple[Record, bytes] | None:
    """The record of a file and the file as it was. Raises GuardError for one that cannot be read."""
    where = directory(path)
    if not os.path.exists(os.path.join(where, _RECORD)):
        return None
    try:
        record = msgspec.json.decode(files.read(os.path.join(where, _RECORD)).data, type=Record)
    except msgspec.MsgspecError:
        raise GuardError(f"{where}: damaged", "the file as it was before is `original` in there") from None
    return record, files.read(os.path.join(where, _ORIGINAL)).data


def wrote(path: str, at: Sequence[str], name: str, says: Mapping[str, object]) -> bool:
    """Whether `init` put this entry into a file, as it still stands there. Raises GuardError for a damaged record."""
    found = find(path)
    entries = () if found is None else found[0].entries
    return any((tuple(one.at), one.name, one.says) == (tuple(at), name, says) for one in entries)


def known() -> list[str]:
    """The paths of all files that have a record."""
    found: list[str] = []
    for name in sorted(os.listdir(home())) if os.path.isdir(home()) else []:
        try:
            record = msgspec.json.decode(files.read(os.path.join(home(), name, _RECORD)).data, type=Record)
        except (GuardError, msgspec.MsgspecError):
            continue
        found.append(record.path)
    return found


def keep(record: Record, original: bytes) -> str:
    """Write both down, the original first. Gives the directory. Raises GuardError."""
    where = directory(record.path)
    files.create(os.path.join(where, _ORIGINAL), original)
    files.create(os.path.join(where, _RECORD), msgspec.json.format(msgspec.json.encode(record)))
    return where


def forget(path: str) -> None:
    """Take the record of a file away."""
    shutil.rmtree(directory(path), ignore_errors=True)


def merged(before: Sequence[Entry], after: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries of an earlier record with those written now, which say what such an entry says by now."""
    now = {(entry.at, entry.name): entry for entry in after}
    kept = [
        msgspec.structs.replace(entry, says=now.pop((entry.at, entry.name)).says)
        if (entry.at, entry.name) in now
        else entry
        for entry in before
    ]
    return (*kept, *now.values())

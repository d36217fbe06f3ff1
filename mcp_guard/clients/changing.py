"""Putting guards into a file, and taking them out again: plans, records and the disk brought together.

The record is on the disk before the file is changed: whatever happens in between, the file as it was is not lost.
"""

import os
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from mcp_guard.clients import files, records, syntaxes
from mcp_guard.clients.files import Content
from mcp_guard.clients.planning import Entry, FilePlan, Wish, plan, unwrapped
from mcp_guard.clients.values import ConfigFile
from mcp_guard.clients.wrapping import is_guard
from mcp_guard.errors import GuardError
from mcp_guard.policy.tree import UnreadableError
from mcp_guard.policy.values import Json


class Change(msgspec.Struct, frozen=True):
    """A file as it was looked at, and what is to become of it."""

    content: Content
    plan: FilePlan

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be written."""
        return self.plan.after != self.plan.before


class Undoing(msgspec.Struct, frozen=True):
    """How a file gets back to what it was. `whole`: byte for byte; else somebody has changed it since, and only the
    entries that still say what was written are put back; `left` are the others.
    """

    content: Content
    data: bytes
    whole: bool
    left: tuple[Entry, ...]
    created: Mapping[str, str] = {}


def prepare(file: ConfigFile, wish: Wish) -> Change:
    """What is to become of a file. Raises GuardError for one that cannot be read."""
    content = files.read(file.path)
    return Change(content, _planned(file, content.text, wish))


def _planned(file: ConfigFile, text: str, wish: Wish) -> FilePlan:
    try:
        return plan(file, text, wish)
    except UnreadableError as error:
        place = error.diagnostic.place
        where = f"{file.path}:{place.line}:{place.column}"
        raise GuardError(f"{where}: {error.diagnostic.message}", error.diagnostic.hint) from None


def carry_out(change: Change) -> str:
    """Write a change down, after the record of it. Gives the directory of the record. Raises GuardError."""
    plan, path = change.plan, change.content.path
    data = plan.after.encode()
    original, entries, created = _base(change)
    written = {name: yaml_of(guard) for name, guard in plan.guards}
    for name in written:
        _refuse_foreign(name, created)
    made = {**created, **{name: records.digest(text) for name, text in written.items()}}
    entries = records.merged(entries, plan.entries)
    before = records.find(path)
    where = records.keep(records.Record(path, plan.file.client, records.digest(data), entries, made), original)
    try:
        for name, text in written.items():
            files.create(name, text)
        files.write(change.content, data)
    except GuardError:
        records.forget(path) if before is None else records.keep(*before)  # nothing came of it
        raise
    return where


def _refuse_foreign(path: str, created: Mapping[str, str]) -> None:
    """Raise GuardError where a file stands that is not ours, or that somebody has changed."""
    if os.path.exists(path) and records.digest(files.read(path).data) != created.get(path):
        raise GuardError(f"{path} is there already, and not as `init` wrote it", "move it away, or do without --one")


def _base(change: Change) -> tuple[bytes, tuple[Entry, ...], dict[str, str]]:
    """The file as it is to be once all is undone; the entries that an earlier record has, and what was created then."""
    found = records.find(change.content.path)
    if found is None:
        return change.content.data, (), {}
    record, original = found
    if record.written == records.digest(change.content.data):
        return original, record.entries, record.created
    text, taken_out = unwrapped(change.plan.file, change.content.text, original.decode(), record.entries)
    return text.encode(), tuple(taken_out), record.created


def undoing(file: ConfigFile) -> Undoing | None:
    """How to undo what was done to a file, None where nothing was. Raises GuardError."""
    found = records.find(file.path)
    if found is None:
        return None
    record, original = found
    content = files.read(file.path)
    if records.digest(content.data) in (record.written, records.digest(original)):
        return Undoing(content, original, True, (), record.created)
    try:
        text, taken_out = unwrapped(file, content.text, original.decode(), record.entries)
    except UnreadableError as error:
        raise GuardError(f"{file.path}: {error.diagnostic.message}", "mend the file first") from None
    left = tuple(entry for entry in record.entries if entry not in taken_out and _is_there(file, content, entry))
    return Undoing(content, text.encode(), False, left, record.created)


def _is_there(file: ConfigFile, content: Content, entry: Entry) -> bool:
    """Whether a guard still stands where one was put; somebody may have taken it out."""
    found = syntaxes.value_at(syntaxes.data(file.syntax, content.text), (*entry.at, entry.name))
    return isinstance(found, dict) and is_guard(found)


def undo(how: Undoing) -> None:
    """Write it down, and forget what was done, unless something of it is left. Raises GuardError."""
    if how.data != how.content.data:
        files.write(how.content, how.data)
    if how.left:
        return
    for path, written in how.created.items():
        _remove(path, written)
    records.forget(how.content.path)


def _remove(path: str, written: str) -> None:
    """Remove a file of our own, unless somebody has changed it."""
    with suppress(GuardError, OSError):
        if records.digest(files.read(path).data) == written:
            os.unlink(path)


def yaml_of(guard: Mapping[str, Json]) -> bytes:
    """A guard.yaml."""
    import yaml

    text = yaml.safe_dump(dict(guard), sort_keys=False, allow_unicode=True, width=120)
    return f"# Written by `mcp-guard init`; `mcp-guard init --undo` takes it away.\n{text}".encode()

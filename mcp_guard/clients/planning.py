"""What becomes of one file: for each server whether a guard is put in front of it, and the text that comes of it.

Pure: a text goes in, a `FilePlan` comes out, with all that is needed to take the guard out again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from mcp_guard.clients import syntaxes
from mcp_guard.clients.gathering import GUARD_NAME, gathered
from mcp_guard.clients.operations import Operation, SetItem, applied
from mcp_guard.clients.syntaxes import UnsafeEditError
from mcp_guard.clients.values import ConfigFile, Path, Scope, Section, sections
from mcp_guard.clients.wrapping import Launch, Left, is_guard, wrapping
from mcp_guard.policy.declarations import slug_of
from mcp_guard.policy.values import Json

State = Literal["guard", "guarded", "changed", "left"]
_UNSAFE = "the file is written in a way in which it cannot be changed with certainty"


class Entry(msgspec.Struct, frozen=True):
    """An entry that was written: where it stands, what it says, and the names of those whose place it took."""

    at: Path
    name: str
    says: Mapping[str, object]
    names: tuple[str, ...]


class Planned(msgspec.Struct, frozen=True):
    """What becomes of one server, and why where it is left. `slug`: what policies and the log call it."""

    scope: Scope
    at: Path
    name: str
    slug: str
    state: State
    why: str = ""


class FilePlan(msgspec.Struct, frozen=True):
    """What becomes of one file. `guards`: the path of each guard.yaml that is to be written, and what it holds."""

    file: ConfigFile
    before: str
    after: str
    servers: tuple[Planned, ...]
    entries: tuple[Entry, ...] = ()
    guards: tuple[tuple[str, Mapping[str, Json]], ...] = ()


class Wish(msgspec.Struct, frozen=True):
    """What a person wants: the guard's launch for a file; which servers; one guard for all of a section or one each.

    `mode`: the mode that guards that are there already are to get, None for the one they have.
    """

    launch: Callable[[ConfigFile], Launch]
    wants: Callable[[Scope, str], bool] = lambda scope, name: True
    one: Callable[[ConfigFile, Section], str] | None = None
    mode: str | None = None


def plan(file: ConfigFile, text: str, wish: Wish) -> FilePlan:
    """The plan for a file. Raises `UnreadableError` for one that cannot be read."""
    found = sections(file, syntaxes.data(file.syntax, text, file.path))
    chosen = [
        (one, {name: server for name, server in one.servers.items() if wish.wants(one.scope, name)}) for one in found
    ]
    try:
        return _plan(file, text, chosen, wish)
    except UnsafeEditError:
        servers = [
            Planned(one.scope, one.at, name, slug, "guarded" if is_guard(_mapping(servers[name])) else "left", _UNSAFE)
            for one, servers in chosen
            for name, slug in slugs(one).items()
            if name in servers
        ]
        return FilePlan(file, text, text, tuple(servers))


class _Sheet:
    """A plan while it is made."""

    def __init__(self, file: ConfigFile, text: str) -> None:
        self.file, self.text = file, text
        self.planned: list[Planned] = []
        self.entries: list[Entry] = []
        self.guards: list[tuple[str, Mapping[str, Json]]] = []


def _plan(file: ConfigFile, text: str, chosen: Sequence[tuple[Section, Mapping[str, Json]]], wish: Wish) -> FilePlan:
    sheet = _Sheet(file, text)
    for section, servers in chosen:
        behind = _gather(sheet, section, servers, wish)
        for name, slug in slugs(section).items():
            if name in behind:
                why = f"behind `{GUARD_NAME}`"
                sheet.planned.append(Planned(section.scope, section.at, name, slug, "guard", why))
            elif name in servers:
                _wrap(sheet, section, name, slug, wish)
    return FilePlan(file, text, sheet.text, tuple(sheet.planned), tuple(sheet.entries), tuple(sheet.guards))


def _gather(sheet: _Sheet, section: Section, servers: Mapping[str, Json], wish: Wish) -> Sequence[str]:
    """Put one guard before all servers that can go behind it, where that is wished. Gives their names."""
    if wish.one is None or GUARD_NAME in section.servers:
        return ()
    named = {name: (slug, servers[name]) for name, slug in slugs(section).items() if name in servers}
    path = wish.one(sheet.file, section)
    found = gathered(sheet.file, named, wish.launch(sheet.file), path)
    if found is None:
        return ()
    entry = dict(found.entry)
    sheet.text = syntaxes.exchanged(sheet.file.syntax, sheet.text, section.at, found.servers, GUARD_NAME, entry)
    sheet.entries.append(Entry(section.at, GUARD_NAME, entry, found.servers))
    sheet.guards.append((path, found.guard))
    return found.servers


def _wrap(sheet: _Sheet, section: Section, name: str, slug: str, wish: Wish) -> None:
    server = section.servers[name]
    state, why, operations = _judged(server, slug, sheet.file, wish)
    if state == "guarded" and section.scope == "project" and _runs_another(server, wish.launch(sheet.file)):
        why = "by a program that is not this one, but the project's"
    if operations:
        sheet.text = syntaxes.rewritten(sheet.file.syntax, sheet.text, {(*section.at, name): operations})
        sheet.entries.append(Entry(section.at, name, applied(_mapping(server), operations), (name,)))
    sheet.planned.append(Planned(section.scope, section.at, name, slug, state, why))


def _judged(server: Json, slug: str, file: ConfigFile, wish: Wish) -> tuple[State, str, Sequence[Operation]]:
    found = wrapping(server, slug, wish.launch(file))
    if not isinstance(found, Left):
        return "guard", "", found
    if not found.is_guarded:
        return "left", found.why, ()
    operations = [] if wish.mode is None else _other_mode(_mapping(server), wish.mode)
    return ("changed", f"--mode {wish.mode}", operations) if operations else ("guarded", "", ())


def _runs_another(server: Json, launch: Launch) -> bool:
    """Whether a guard is another program than the one that would be put there."""
    return _mapping(server).get("command") != launch.program[0]


def _other_mode(server: Mapping[str, Json], mode: str) -> list[Operation]:
    """What gives a guard another mode, where it was started with one."""
    args = server.get("args")
    words = args if isinstance(args, list) else []
    end = words.index("--") if "--" in words else len(words)
    found = [index for index in range(end - 1) if words[index] == "--mode"]
    return [SetItem("args", index + 1, mode) for index in found if words[index + 1] != mode]


def slugs(section: Section) -> dict[str, str]:
    """The slug of each server of a section; no two have the same."""
    found: dict[str, str] = {}
    for name in section.servers:
        slug = slug_of(name, otherwise="server")
        number = 2
        while slug in found.values():
            slug = f"{slug_of(name, otherwise='server')}-{number}"
            number += 1
        found[name] = slug
    return found


def unwrapped(file: ConfigFile, text: str, original: str, entries: Sequence[Entry]) -> tuple[str, list[Entry]]:
    """The text with every entry that still says what was written replaced by what stood there; and these entries."""
    taken_out: list[Entry] = []
    for entry in entries:
        if syntaxes.value_at(syntaxes.data(file.syntax, text), (*entry.at, entry.name)) == entry.says:
            try:
                text = syntaxes.restored(file.syntax, text, entry.at, entry.name, original, entry.names)
            except UnsafeEditError:
                continue
            taken_out.append(entry)
    return text, taken_out


def _mapping(server: Json) -> dict[str, Json]:
    return server if isinstance(server, dict) else {}

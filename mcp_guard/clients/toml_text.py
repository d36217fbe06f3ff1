"""Editing a TOML file by its text, with the same operations as a JSON file."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence

from mcp_guard.clients.json_text import Edit, edited, without_query
from mcp_guard.clients.operations import Add, Changes, Drop, Operation, Prepend, Put, Rename, SetItem
from mcp_guard.clients.toml_places import Places, Section, Spot, places
from mcp_guard.clients.values import Path
from mcp_guard.policy.tree import Text
from mcp_guard.policy.values import Json

SECRET_FIELDS = frozenset({"env", "http_headers"})
_MARK = "\ufeff"
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_INDENT = re.compile(r"(?:\r\n|\n)[ \t]*\Z")
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


def data(text: str, path: str = "") -> dict[str, Json]:
    """What a file says. Raises `UnreadableError`."""
    try:
        return tomllib.loads(text.removeprefix(_MARK).replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _PLACE.search(str(error))
        starts = [0, *(match.end() for match in re.finditer("\n", text))]
        start = starts[int(found[1]) - 1] + int(found[2]) - 1 if found else 0
        message = f"not TOML: {_PLACE.sub('', str(error)).strip() or 'nested too deeply'}"
        raise Text(path, text).unreadable("syntax", message, start) from None


def rewritten(text: str, changes: Changes) -> str:
    """The text with these servers changed."""
    found = _places(text)
    edits = [edit for at, all_of_it in changes.items() for one in all_of_it for edit in _edits(text, found, at, one)]
    return edited(text, edits)


def exchanged(text: str, at: Path, names: Sequence[str], name: str, value: Mapping[str, Json]) -> str:
    """The text with one new server where the first of `names` stood in the table at `at`, and the others gone."""
    head = ".".join(map(_key, (*at, name)))
    line_end = _line_end(text)
    section = [f"[{head}]", *(f"{_key(key)} = {_value(field)}" for key, field in value.items())]
    return _exchanged(text, at, names, [line_end.join(section)])


def restored(text: str, at: Path, name: str, original: str, names: Sequence[str]) -> str:
    """The text with the server `name` of the table at `at` replaced by those that the original has there."""
    found = _places(original)
    kept = [
        original[one.start : one.end] for server in names for one in found.sections if _is_under(one, (*at, server))
    ]
    return _exchanged(text, at, [name], kept)


def masked(text: str, sections: Sequence[Path]) -> str:
    """The text with a mark for each value that may be a secret in the servers of these sections."""
    edits: list[Edit] = []
    for spot in _places(text).spots:
        for at in sections:
            field = spot.path[len(at) + 1 :] if spot.path[: len(at)] == at else ()
            if len(field) > 1 and field[0] in SECRET_FIELDS:
                edits.append(Edit(spot.start, spot.end, '"…"'))
            elif field == ("url",):
                edits.append(Edit(spot.start, spot.end, without_query(text[spot.start : spot.end])))
    return edited(text, edits)


def _places(text: str) -> Places:
    return places(" " + text[1:] if text.startswith(_MARK) else text)


def _edits(text: str, found: Places, at: Path, operation: Operation) -> Iterable[Edit]:
    match operation:
        case Put(field, value, name):
            spot = _spot(found, (*at, field))
            return [Edit(*spot.parts[-1], _key(name or field)), Edit(spot.start, spot.end, _value(value))]
        case Add(after, field, value):
            return [_added(text, _spot(found, (*at, after)), field, value)]
        case Prepend(field, items):
            return [_prepended(text, _spot(found, (*at, field)), items)]
        case SetItem(field, index, value):
            items = _spot(found, (*at, field)).items
            assert items is not None
            return [Edit(*items[index], _value(value))]
        case Rename():
            return _renamed(text, found, at, operation)
        case Drop(field):
            return _dropped(text, found, (*at, field))


def _added(text: str, spot: Spot, field: str, value: Json) -> Edit:
    """Behind a key in braces, or on a line of its own under that of the key, which begins as that one does."""
    if spot.in_braces:
        return Edit(spot.end, spot.end, f", {_key(field)} = {_value(value)}")
    line = text.rfind("\n", 0, spot.parts[0][0]) + 1
    begins = text[line : spot.parts[-1][0]].removeprefix(_MARK)
    end = _end_of_line(text, spot.end)
    return Edit(end, end, f"{_line_end(text)}{begins}{_key(field)} = {_value(value)}")


def _prepended(text: str, spot: Spot, items: Sequence[str]) -> Edit:
    assert spot.items is not None
    if not spot.items:
        return Edit(spot.start + 1, spot.start + 1, ", ".join(map(_value, items)))
    first = spot.items[0][0]
    indent = _INDENT.search(text, max(0, first - 400), first)
    return Edit(first, first, "".join(f"{_value(item)},{indent[0] if indent else ' '}" for item in items))


def _renamed(text: str, found: Places, at: Path, operation: Rename) -> list[Edit]:
    edits: list[Edit] = []
    path = (*at, operation.field)
    more = [f"{_key(key)} = {_value(value)}" for key, value in operation.more.items()]
    for place in found.under(path):
        first = len(place.path) - len(place.parts)  # the depth of the first name that is written here
        for depth, part in enumerate(place.parts, first):
            if depth == len(at):
                edits.append(Edit(*part, _key(operation.name)))
            elif depth == len(path) and place.path[depth] in operation.keys:
                edits.append(Edit(*part, _key(operation.keys[place.path[depth]])))
        if more and place.path == path:
            is_section = isinstance(place, Section)
            start = place.head_end if is_section else place.start + 1
            many = any(len(one.path) > len(path) for one in found.under(path))
            written = "".join(_line_end(text) + one for one in more)
            edits.append(Edit(start, start, written if is_section else f" {', '.join(more)}{',' if many else ' '}"))
    return edits


def _dropped(text: str, found: Places, path: Path) -> Iterable[Edit]:
    """Whole lines, or from the comma before it on what stands in braces. Nothing inside of something that goes, too."""
    last = -1
    for place in sorted(found.under(path), key=lambda place: place.parts[0][0]):
        start = place.parts[0][0]
        if start < last:
            continue
        if isinstance(place, Spot) and place.in_braces:
            comma = re.compile(r",\s*\Z").search(text, 0, start)
            start, last = (comma.start() if comma else start), place.end
        else:
            start = text.rfind("\n", 0, start) + 1
            last = min(len(text), _end_of_line(text, place.end) + len(_line_end(text)))
        yield Edit(start, last, "")


def _exchanged(text: str, at: Path, names: Sequence[str], sections: Sequence[str]) -> str:
    """The sections of the first name become these; those of the others go."""
    found = _places(text)
    edits: list[Edit] = []
    pending = _line_end(text).join(sections)
    for name in names:
        for section in found.sections:
            if _is_under(section, (*at, name)):
                end = section.end if pending else _next_line(text, section.end)
                edits.append(Edit(section.start, end, pending))
                pending = ""
    return edited(text, edits)


def _is_under(section: Section, path: Path) -> bool:
    return section.path[: len(path)] == path and not section.is_item


def _spot(found: Places, path: Path) -> Spot:
    spot = found.spot(path)
    assert spot is not None
    return spot


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _end_of_line(text: str, start: int) -> int:
    found = re.compile(r"\r?\n|\Z").search(text, start)
    assert found is not None
    return found.start()


def _next_line(text: str, start: int) -> int:
    """Where the next line begins that is not empty."""
    found = re.compile(r"(?:[ \t]*(?:\r?\n|\Z))*").match(text, start)
    return found.end() if found else start


def _key(name: str) -> str:
    return name if _PLAIN_KEY.match(name) else _value(name)


def _value(value: Json) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

"""Editing a JSON file by its text: what is written stands where the tree says, and no other character changes."""

import json
import re
from collections.abc import Sequence

import msgspec

from mcp_guard.clients import jsonc
from mcp_guard.clients.operations import Add, Changes, Drop, Operation, Prepend, Put, Rename, SetItem
from mcp_guard.clients.values import Path
from mcp_guard.policy.tree import Fields, Items, Node, Scalar, Text, Tree, plain
from mcp_guard.policy.values import Json

SECRET_FIELDS = frozenset({"env", "headers"})
URLS = ("url", "httpUrl", "serverUrl")  # most clients; Gemini CLI; Windsurf
_INDENT = re.compile(r"(?:\r\n|\r|\n)[ \t]*\Z")


class Edit(msgspec.Struct, frozen=True, order=True):
    """Write `text` in place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def data(text: str, path: str = "") -> dict[str, Json]:
    """What a file says. Raises `UnreadableError`."""
    value = plain(jsonc.read(Text(path, text)).root)
    assert isinstance(value, dict)
    return value


def rewritten(text: str, changes: Changes) -> str:
    """The text with these servers changed."""
    tree = jsonc.read(Text("", text))
    return edited(
        text, [edit for at, operations in changes.items() for one in operations for edit in _edits(tree, at, one)]
    )


def exchanged(text: str, at: Path, names: Sequence[str], name: str, value: Json) -> str:
    """The text with one new member where the first of `names` stood in the mapping at `at`, and the others gone."""
    return _exchanged(text, at, names, [_member(name, value)])


def restored(text: str, at: Path, name: str, original: str, names: Sequence[str]) -> str:
    """The text with the member `name` of the mapping at `at` replaced by those that the original has there."""
    source = _mapping(jsonc.read(Text("", original)), at)
    pairs = [pair for one in names if (pair := source.pair(one)) is not None]
    return _exchanged(text, at, [name], [original[key.start : value.end] for key, value in pairs])


def masked(text: str, sections: Sequence[Path]) -> str:
    """The text with a mark for each value that may be a secret in the servers of these sections."""
    tree = jsonc.read(Text("", text))
    edits: list[Edit] = []
    for at in sections:
        for _, server in _mapping(tree, at).pairs:
            for key, field in server.pairs if isinstance(server, Fields) else ():
                if key.value in URLS and isinstance(field, Scalar):
                    edits.append(Edit(field.start, field.end, _text(without_query(str(field.value)))))
                if key.value in SECRET_FIELDS and isinstance(field, Fields):
                    edits += [Edit(value.start, value.end, '"…"') for _, value in field.pairs]
    return edited(text, edits)


def without_query(url: str) -> str:
    """A URL as it may be shown: what stands behind its path may be a secret."""
    return re.sub(r"\?.*", "?…", url, count=1, flags=re.DOTALL)


def _edits(tree: Tree, at: Path, operation: Operation) -> list[Edit]:
    server = _mapping(tree, at)
    characters = tree.text.characters
    match operation:
        case Put(field, value, name):
            key, node = _pair(server, field)
            return [Edit(key.start, key.end, _text(name or field)), Edit(node.start, node.end, _text(value))]
        case Add(after, field, value):
            key, node = _pair(server, after)
            return [Edit(node.end, node.end, f",{_gap(characters, key.start)}{_member(field, value)}")]
        case Prepend(field, items):
            return [_prepended(characters, _pair(server, field)[1], items)]
        case SetItem(field, index, value):
            node = _pair(server, field)[1]
            assert isinstance(node, Items)
            return [Edit(node.nodes[index].start, node.nodes[index].end, _text(value))]
        case Rename(field):
            return _renamed(characters, _pair(server, field), operation)
        case Drop():
            raise AssertionError("nothing is dropped from a server's entry in JSON")


def _renamed(characters: str, pair: tuple[Scalar, Node], operation: Rename) -> list[Edit]:
    key, node = pair
    assert isinstance(node, Fields)
    edits = [Edit(key.start, key.end, _text(operation.name))]
    for one, _ in node.pairs:
        if (name := operation.keys.get(str(one.value))) is not None:
            edits.append(Edit(one.start, one.end, _text(name)))
    if operation.more:
        first = node.pairs[0][0].start if node.pairs else node.start + 1
        gap = _gap(characters, first) if node.pairs else " "
        members = f",{gap}".join(_member(name, value) for name, value in operation.more.items())
        edits.append(Edit(first, first, members + (f",{gap}" if node.pairs else "")))
    return edits


def _prepended(characters: str, node: Node, items: Sequence[str]) -> Edit:
    assert isinstance(node, Items)
    if not node.nodes:
        return Edit(node.start + 1, node.start + 1, ", ".join(map(_text, items)))
    first = node.nodes[0].start
    gap = _gap(characters, first)
    return Edit(first, first, "".join(f"{_text(item)},{gap}" for item in items))


def _exchanged(text: str, at: Path, names: Sequence[str], members: Sequence[str]) -> str:
    """The first of `names` becomes the members; the others are cut out one by one, each with one of its commas."""
    mapping = _mapping(jsonc.read(Text("", text)), at)
    key, value = _pair(mapping, names[0])
    if not members:
        return _without(text, at, names[0])
    text = edited(text, [Edit(key.start, value.end, f",{_gap(text, key.start)}".join(members))])
    for name in names[1:]:
        text = _without(text, at, name)
    return text


def _without(text: str, at: Path, name: str) -> str:
    pairs = _mapping(jsonc.read(Text("", text)), at).pairs
    position = next(index for index, (key, _) in enumerate(pairs) if key.value == name)
    start, end = pairs[position][0].start, pairs[position][1].end
    if position + 1 < len(pairs):
        end = pairs[position + 1][0].start
    elif position:
        start = pairs[position - 1][1].end
    else:
        end += re.match(r"\s*,?", text[end:]).end()  # type: ignore[union-attr]  (matches the empty text, too)
    return text[:start] + text[end:]


def _mapping(tree: Tree, at: Path) -> Fields:
    node = tree.find(at)
    assert isinstance(node, Fields)
    return node


def _pair(mapping: Fields, name: str) -> tuple[Scalar, Node]:
    pair = mapping.pair(name)
    assert pair is not None
    return pair


def _gap(characters: str, start: int) -> str:
    """What stands before an element: the end of a line and its indentation, or a space."""
    found = _INDENT.search(characters, max(0, start - 400), start)
    return found[0] if found else " "


def _text(value: Json) -> str:
    """As the clients write it: characters as they are, but for those that cannot be written down."""
    written = json.dumps(value, ensure_ascii=False)
    return written if written.isascii() or written.isprintable() else json.dumps(value)


def _member(name: str, value: Json) -> str:
    return f"{_text(name)}: {_text(value)}"


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with these edits, none of which touches another."""
    pieces: list[str] = []
    last = 0
    for edit in sorted(edits):
        assert edit.start >= last
        pieces += (text[last : edit.start], edit.text)
        last = edit.end
    return "".join((*pieces, text[last:]))

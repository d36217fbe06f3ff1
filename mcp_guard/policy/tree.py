"""A policy file as a tree that remembers where each thing stands: what the YAML and JSON readers make.

A tree is plain: aliases are resolved, keys are text and unique, depth and size are bounded, so that whoever walks it
may recurse. Nothing here knows what a policy looks like.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property
from typing import Literal, TypeAlias

import msgspec

from mcp_guard.policy.diagnostics import Diagnostic, Place, printable
from mcp_guard.policy.values import Json

Style = Literal["plain", "single", "double", "literal", "folded", "json"]

LINE_END = re.compile(r"\r\n?|\n")
MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000  # with what aliases stand for counted each time


class Scalar(msgspec.Struct, frozen=True):
    """A text, number, boolean or null, at `start`…`end` of the source (characters), as it was written (`style`)."""

    value: bool | int | float | str | None
    start: int
    end: int
    style: Style = "plain"


class Items(msgspec.Struct, frozen=True):
    """A list."""

    nodes: "tuple[Node, ...]"
    start: int
    end: int


class Fields(msgspec.Struct, frozen=True):
    """A mapping: each key with its value, in the order of the file; and `at`, the position of each key in it."""

    pairs: "tuple[tuple[Scalar, Node], ...]"
    start: int
    end: int
    at: dict[str, int]

    @classmethod
    def of(cls, pairs: "Iterable[tuple[Scalar, Node]]", start: int, end: int) -> "Fields":
        """The mapping of these pairs. Keys are text, and each is there once."""
        kept = tuple(pairs)
        return cls(kept, start, end, {str(key.value): position for position, (key, _) in enumerate(kept)})

    def pair(self, name: str) -> "tuple[Scalar, Node] | None":
        """A key and its value, or None."""
        position = self.at.get(name)
        return None if position is None else self.pairs[position]


Node: TypeAlias = "Scalar | Items | Fields"
Path: TypeAlias = "tuple[str | int, ...]"


class UnreadableError(Exception):
    """A file that cannot be read as a tree at all; carries the one diagnostic that says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.headline)
        self.diagnostic = diagnostic


class Text:
    """The characters of one file, and the way from an offset in them to a line and column."""

    def __init__(self, path: str, characters: str) -> None:
        self.path = path
        self.characters = characters

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(line_end.end() for line_end in LINE_END.finditer(self.characters))]

    def place(self, start: int, end: int | None = None) -> Place:
        """The place of the characters from `start` up to `end`, as far as they stand on the first line."""
        start = max(0, min(start, len(self.characters)))
        line = bisect_right(self._line_starts, start) - 1
        line_start = self._line_starts[line]
        following = self._line_starts[line + 1] if line + 1 < len(self._line_starts) else len(self.characters)
        source_line = self.characters[line_start:following].rstrip("\r\n")
        length = min(start + 1 if end is None else end, line_start + len(source_line)) - start
        return Place(self.path, line + 1, start - line_start + 1, max(1, length), source_line)

    def unreadable(self, code: str, message: str, start: int, hint: str = "") -> UnreadableError:
        """The error that ends reading at this offset."""
        return UnreadableError(Diagnostic("error", code, printable(message), self.place(start), hint))


class Tree(msgspec.Struct, frozen=True):
    """One file, read: its text and its root mapping."""

    text: Text
    root: Fields

    def find(self, path: Path) -> Node:
        """The node at a path; where the path leads nowhere (a missing key), the last node on the way."""
        node: Node = self.root
        for step in path:
            match node, step:
                case Fields(), str() if (pair := node.pair(step)) is not None:
                    node = pair[1]
                case Items(), int() if step < len(node.nodes):
                    node = node.nodes[step]
                case _:
                    break
        return node

    def key(self, path: Path) -> Node:
        """The key that a path ends in, where it ends in one; else the node at the path."""
        parent, name = self.find(path[:-1]), path[-1]
        if isinstance(parent, Fields) and isinstance(name, str) and (pair := parent.pair(name)) is not None:
            return pair[0]
        return self.find(path)

    def place(self, node: Node) -> Place:
        """Where a node stands."""
        return self.text.place(node.start, node.end)


def plain(node: Node) -> Json:
    """The tree as plain JSON data."""
    match node:
        case Scalar():
            return node.value
        case Items():
            return [plain(child) for child in node.nodes]
        case Fields():
            return {str(key.value): plain(child) for key, child in node.pairs}


def has_surrogate(text: str) -> bool:
    """Whether half a surrogate pair is in a text; that is no character, and nothing can write it down."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)

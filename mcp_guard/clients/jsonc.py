"""JSON as clients read it, to a tree with places: comments and trailing commas are let pass, the same key twice is not.

Which of two equal keys counts is up to each reader: a file with them can not be edited with any certainty. Depth, size
and numbers are bounded.
"""

import re
from json.decoder import JSONDecodeError, scanstring  # pyright: ignore (the C scanner is not in the stubs)
from typing import cast

from mcp_guard.policy.tree import Fields, Items, Node, Scalar, Text, Tree, UnreadableError

MAX_DEPTH = 200
MAX_NODES = 2_000_000

_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_PLAIN = re.compile(
    r"(?P<word>null|true|false)|-?(?:0|[1-9][0-9]{0,400})(?P<real>\.[0-9]{1,400})?(?P<exponent>[eE][-+]?[0-9]+)?"
)
_WORDS = {"null": None, "true": True, "false": False}


def read(text: Text) -> Tree:
    """The tree of a file. Raises `UnreadableError` for what is not one object. A byte order mark is let pass."""
    reader = _Reader(text)
    if reader.peek() == "":
        raise text.unreadable("empty-file", "the file is empty", 0)
    root = reader.value(0)
    if reader.peek():
        raise reader.broken("something after the end")
    if not isinstance(root, Fields):
        raise text.unreadable("wrong-type", "an object `{…}` is expected", root.start)
    return Tree(text, root)


class _Reader:
    """One pass over the characters; `at` is the offset of what comes next."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.characters = text.characters
        self.at = 1 if text.characters.startswith("\ufeff") else 0
        self.nodes = 0

    def peek(self) -> str:
        """The next character that is neither space nor comment, or nothing at the end."""
        found = _SPACE.match(self.characters, self.at)
        self.at = found.end() if found else self.at
        return self.characters[self.at : self.at + 1]

    def broken(self, message: str) -> UnreadableError:
        """The error that says what is wrong at this offset."""
        return self.text.unreadable("syntax", f"not JSON: {message}", self.at)

    def value(self, depth: int) -> Node:
        """The value that comes next."""
        self.nodes += 1
        begins = self.peek()
        if depth >= MAX_DEPTH or self.nodes > MAX_NODES:
            raise self.text.unreadable("too-large", "nested too deeply, or too much of it", self.at)
        if begins == "{":
            return self._object(depth)
        if begins == "[":
            return self._array(depth)
        return self._string() if begins == '"' else self._plain()

    def _object(self, depth: int) -> Fields:
        start, pairs, keys = self.at, list[tuple[Scalar, Node]](), set[object]()
        while self._goes_on(bool(pairs), "}"):
            if self.peek() != '"':
                raise self.broken("a key in double quotes expected")
            key = self._string()
            if key.value in keys:
                raise self.text.unreadable("duplicate-key", "the same key twice", key.start, "keep one of them")
            keys.add(key.value)
            if self.peek() != ":":
                raise self.broken("`:` expected after the key")
            self.at += 1
            pairs.append((key, self.value(depth + 1)))
        return Fields.of(pairs, start, self.at)

    def _array(self, depth: int) -> Items:
        start, nodes = self.at, list[Node]()
        while self._goes_on(bool(nodes), "]"):
            nodes.append(self.value(depth + 1))
        return Items(tuple(nodes), start, self.at)

    def _goes_on(self, has_some: bool, closing: str) -> bool:
        """Step over the bracket, the comma, or the closing bracket; whether another element follows."""
        if not has_some or self.peek() == ",":
            self.at += 1
        elif self.peek() != closing:
            raise self.broken(f"`,` or `{closing}` expected")
        if self.peek() == closing:
            self.at += 1
            return False
        return True

    def _string(self) -> Scalar:
        start = self.at
        try:
            value, self.at = cast(tuple[str, int], scanstring(self.characters, start + 1, True))
        except JSONDecodeError as error:
            raise self.text.unreadable("syntax", f"not JSON: {error.msg}", error.pos) from None
        return Scalar(value, start, self.at, "json")

    def _plain(self) -> Scalar:
        found, start = _PLAIN.match(self.characters, self.at), self.at
        if found is None:
            raise self.broken("a value expected")
        self.at = found.end()
        if found["word"]:
            return Scalar(_WORDS[found["word"]], start, self.at, "json")
        number = float(found[0]) if found["real"] or found["exponent"] else int(found[0])
        return Scalar(number, start, self.at, "json")

"""JSON text to a tree with places: strict as RFC 8259 is, the same key twice refused, depth and size bounded.

`Reader` is one pass over the characters of any JSON; whoever reads a kind of JSON that allows more says what (see its
class attributes).
"""

import re
from json.decoder import JSONDecodeError, scanstring  # pyright: ignore (the C scanner is not in the stubs)
from typing import ClassVar, cast

from mcp_guard.policy.tree import (
    MAX_DEPTH,
    MAX_NODES,
    Fields,
    Items,
    Node,
    Scalar,
    Text,
    Tree,
    UnreadableError,
    has_surrogate,
)

SPACE = re.compile(r"[ \t\r\n]*")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
WORD = re.compile(r"null|true|false")
WORDS = {"null": None, "true": True, "false": False}
LONGEST_NUMBER = 400


def read_json(text: Text) -> Tree:
    """The tree of a JSON file. Raises `UnreadableError` for anything that is not one JSON object."""
    reader = Reader(text)
    if reader.peek() == "":
        raise text.unreadable("empty-file", "the file holds no policy", 0, 'begin with {"version": 1, "rules": []}')
    root = reader.value(0)
    if reader.peek():
        raise reader.broken("something after the end of the policy")
    if not isinstance(root, Fields):
        raise text.unreadable("wrong-type", 'a policy is an object: {"version": 1, "rules": […]}', root.start)
    return Tree(text, root)


class Reader:
    """One pass over the characters; `at` is the offset of what comes next.

    `space` is what may stand between values, `trailing_commas` whether one may stand before a closing bracket,
    `half_characters` whether a text may hold half of a surrogate pair; `deepest` and `most` bound levels and values.
    """

    space: ClassVar[re.Pattern[str]] = SPACE
    trailing_commas: ClassVar[bool] = False
    half_characters: ClassVar[bool] = False
    deepest: ClassVar[int] = MAX_DEPTH
    most: ClassVar[int] = MAX_NODES

    def __init__(self, text: Text) -> None:
        self.text = text
        self.characters = text.characters
        self.at = 0
        self.nodes = 0

    def peek(self) -> str:
        """The next character that is no space, or nothing at the end."""
        found = self.space.match(self.characters, self.at)
        self.at = found.end() if found else self.at
        return self.characters[self.at : self.at + 1]

    def value(self, depth: int) -> Node:
        """The value that comes next."""
        self.nodes += 1
        begins = self.peek()
        if depth >= self.deepest:
            raise self.text.unreadable("too-deep", f"nested deeper than {self.deepest} levels", self.at)
        if self.nodes > self.most:
            raise self.text.unreadable("too-large", f"more than {self.most} values", self.at)
        if begins == "{":
            return self._object(depth)
        if begins == "[":
            return self._array(depth)
        return self._string() if begins == '"' else self._word_or_number()

    def broken(self, message: str) -> UnreadableError:
        """The error that says what is wrong at this offset."""
        return self.text.unreadable("syntax", f"not JSON: {message}", self.at)

    def _object(self, depth: int) -> Fields:
        start, pairs, keys = self.at, list[tuple[Scalar, Node]](), set[object]()
        while self._goes_on(bool(pairs), "}"):
            if self.peek() != '"':
                raise self.broken("a key in double quotes expected")
            key = self._string()
            if key.value in keys:
                raise self.text.unreadable(
                    "duplicate-key", f"`{key.value}` is given twice", key.start, "keep one of them"
                )
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
        if not has_some:
            self.at += 1
        found = self.peek()
        if found == closing:
            self.at += 1
            return False
        if has_some:
            if found != ",":
                raise self.broken(f"`,` or `{closing}` expected")
            self.at += 1
            if self.trailing_commas and self.peek() == closing:
                self.at += 1
                return False
        return True

    def _string(self) -> Scalar:
        start = self.at
        try:
            value, end = cast(tuple[str, int], scanstring(self.characters, start + 1, True))
        except JSONDecodeError as error:
            raise self.text.unreadable("syntax", f"not JSON: {error.msg}", error.pos) from None
        if has_surrogate(value) and not self.half_characters:
            raise self.text.unreadable("syntax", "half of a surrogate pair is no character", start)
        self.at = end
        return Scalar(value, start, end, "json")

    def _word_or_number(self) -> Scalar:
        start = self.at
        if word := WORD.match(self.characters, start):
            self.at = word.end()
            return Scalar(WORDS[word[0]], start, self.at, "json")
        number = NUMBER.match(self.characters, start)
        if number is None:
            raise self.broken("a value expected")
        self.at = number.end()
        return Scalar(self._number(number, start), start, self.at, "json")

    def _number(self, number: re.Match[str], start: int) -> int | float:
        if number.end() - start > LONGEST_NUMBER:
            raise self.text.unreadable("bad-number", f"a number of more than {LONGEST_NUMBER} digits", start)
        if number["fraction"] is None and number["exponent"] is None:
            return int(number[0])
        value = float(number[0])
        if value in (float("inf"), float("-inf")):
            raise self.text.unreadable("bad-number", "a number beyond every double", start)
        return value

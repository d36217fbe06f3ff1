"""JSON as clients read it, to a tree with places: comments and trailing commas are let pass, the same key twice is not.

Which of two equal keys counts is up to each reader: a file with them can not be edited with any certainty. Depth, size
and numbers are bounded.
"""

import re

from mcp_guard.policy.json_reader import Reader
from mcp_guard.policy.tree import Fields, Text, Tree


class _Reader(Reader):
    """A reader that lets pass what clients do."""

    space = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
    trailing_commas = True
    half_characters = True
    deepest = 200
    most = 2_000_000

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.at = 1 if text.characters.startswith("\ufeff") else 0


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

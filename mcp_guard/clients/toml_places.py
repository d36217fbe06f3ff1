"""Where things stand in a TOML file. What they say is `tomllib`'s to read, and it has accepted the file before.

Tables can be written in sections, in dotted keys and in braces; here each key is one `Spot` with its whole path,
however it was written.
"""

import re
import tomllib
from collections.abc import Iterator

import msgspec

from mcp_guard.clients.values import Path

Range = tuple[int, int]

_SPACE = re.compile(r"[ \t]*")
_BETWEEN = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRING = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}|\'\'\'(?:[^']|'{1,2}(?!'))*'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*\'''', re.DOTALL
)
_BARE = re.compile(r"[^,\]}\r\n#]+")


class Spot(msgspec.Struct, frozen=True):
    """A key and its value. `path`: from the root of the file; `parts`: where the last of its names stand (as many as
    are written here); `items`: where those of a list do; `in_braces`: whether it is one of several on a line.
    """

    path: Path
    parts: tuple[Range, ...]
    start: int
    end: int
    items: tuple[Range, ...] | None
    in_braces: bool


class Section(msgspec.Struct, frozen=True):
    """The head of a section, `[a.b]`: its path and its names' places; `end` is where its last line ends."""

    path: Path
    parts: tuple[Range, ...]
    start: int
    head_end: int
    end: int
    is_item: bool


class Places(msgspec.Struct, frozen=True):
    """All sections of a file and all keys in it, in order."""

    sections: tuple[Section, ...]
    spots: tuple[Spot, ...]

    def spot(self, path: Path) -> Spot | None:
        """The one place at which this key is given a value, if there is one."""
        return next((spot for spot in self.spots if spot.path == path), None)

    def under(self, path: Path) -> Iterator["Spot | Section"]:
        """All that is written of this key."""
        for place in (*self.sections, *self.spots):
            if place.path[: len(path)] == path:
                yield place


def places(text: str) -> Places:
    """The places in a file that `tomllib` reads without complaint."""
    reader = _Reader(text)
    reader.file()
    return Places(tuple(reader.sections), tuple(reader.spots))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.sections: list[Section] = []
        self.spots: list[Spot] = []

    def file(self) -> None:
        path: Path = ()
        while self._skip(_BETWEEN) < len(self.text):
            if self.text[self.at] == "[":
                path = self._head()
            else:
                self._pair(path, in_braces=False)
                if self.sections:
                    self.sections[-1] = msgspec.structs.replace(self.sections[-1], end=self._end_of_line())

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def _end_of_line(self) -> int:
        ends = [found for mark in "\r\n" if (found := self.text.find(mark, self.at)) >= 0]
        return min(ends, default=len(self.text))

    def _head(self) -> Path:
        start = self.at
        is_item = self.text.startswith("[[", start)
        self.at += 1 + is_item
        names, parts = self._key()
        self.at = self.text.index("]", self.at) + 1 + is_item
        path = (*names, f"\0{len(self.sections)}") if is_item else names  # no path of keys leads into an array
        end = self._end_of_line()
        self.sections.append(Section(path, parts, start, end, end, is_item))
        return path

    def _key(self) -> tuple[Path, tuple[Range, ...]]:
        names, parts = list[str](), list[Range]()
        while True:
            self._skip(_SPACE)
            found = _PART.match(self.text, self.at)
            assert found is not None
            parts.append(found.span())
            names.append(found[0] if found[0][0] not in "\"'" else tomllib.loads(f"x = {found[0]}")["x"])
            self.at = found.end()
            if self.text[self._skip(_SPACE)] != ".":
                return tuple(names), tuple(parts)
            self.at += 1

    def _pair(self, above: Path, *, in_braces: bool) -> None:
        names, parts = self._key()
        self.at += 1  # the sign of equality
        start = self._skip(_SPACE)
        place, path = len(self.spots), (*above, *names)
        items = self._value(path)
        self.spots.insert(place, Spot(path, parts, start, self.at, items, in_braces))

    def _value(self, path: Path) -> tuple[Range, ...] | None:
        begins = self.text[self.at]
        if begins == "[":
            return self._array(path)
        if begins == "{":
            self._table(path)
        elif begins in "\"'":
            self._skip(_STRING)
        else:
            start = self.at
            self._skip(_BARE)
            self.at = start + len(self.text[start : self.at].rstrip())
        return None

    def _array(self, path: Path) -> tuple[Range, ...]:
        found: list[Range] = []
        self.at += 1
        while self.text[self._skip(_BETWEEN)] != "]":
            start = self.at
            self._value((*path, f"\0{len(found)}"))
            found.append((start, self.at))
            if self.text[self._skip(_BETWEEN)] == ",":
                self.at += 1
        self.at += 1
        return tuple(found)

    def _table(self, path: Path) -> None:
        self.at += 1
        while self.text[self._skip(_BETWEEN)] != "}":
            self._pair(path, in_braces=True)
            if self.text[self._skip(_BETWEEN)] == ",":
                self.at += 1
        self.at += 1

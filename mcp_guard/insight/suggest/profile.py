"""What one argument was like over many calls: its types, its few values, and the shape that all its texts share.

Bounded, whatever comes. What looks like a secret leaves no trace but the mark that there was one.
"""

import re
from collections.abc import Iterable

from mcp_guard.policy.values import Json
from mcp_guard.redaction.patterns import is_secret_name, kind_of_secret

MOST_VALUES = 32  # different values that are kept; with more, none is
LONGEST_VALUE = 120  # characters of a value that can stand in a policy
_MOST_STEMS = 256  # paths that are kept; with more, the deepest are cut
_MOST_ENDS = 8  # hosts and mail domains

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s@]+", re.ASCII)
_MAIL = re.compile(r"[^@\s,;<>]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)\Z")
_LEADING = re.compile(r"[/\\?#%]")
_SPACE = re.compile(r"\s")
_ODD_PATH = re.compile(r"(?:^|/)\.{1,2}(?:/|\Z)|//")

Stem = tuple[str, ...]
"""The names of a path; an empty one at the end stands for anything below."""

Value = tuple[str, str | int | float]
"""A value with the name of its type: to Python `True` and `1` are one value."""


class Profile:
    """One argument's values, taken in one by one. `unknown`: not all of them are known, or may be written down."""

    def __init__(self, name: str) -> None:
        self.seen = 0
        self.unknown = is_secret_name(name) or kind_of_secret(name) is not None
        self.types: set[str] = set()
        self.values: dict[Value, int] | None = {}
        self.texts = Texts()

    def add(self, value: Json) -> None:
        """One more call that had the argument."""
        self.seen += 1
        self.types.add(_type(value))
        if isinstance(value, str):
            self._add_text(value)
        elif isinstance(value, list):
            self._add_items(value)
        elif isinstance(value, bool | int | float):
            self._count(value)
        else:
            self.values = None

    def hide(self) -> None:
        """One more call that had it, with a value that was not kept."""
        self.seen += 1
        self.unknown = True

    def _add_text(self, text: str) -> None:
        if kind_of_secret(text) is not None:
            self.unknown = True
            return
        self.texts.add(text)
        if len(text) <= LONGEST_VALUE:
            self._count(text)
        else:
            self.values = None

    def _add_items(self, items: Iterable[Json]) -> None:
        """A list: its items count as the values, where they are all texts."""
        for item in items:
            if not isinstance(item, str):
                self.types.add("list of others")
                self.values = None
                return
            self._add_text(item)

    def _count(self, value: str | int | float) -> None:
        if self.values is None:
            return
        key = (type(value).__name__, value)
        self.values[key] = self.values.get(key, 0) + 1
        if len(self.values) > MOST_VALUES:
            self.values = None

    @property
    def known_values(self) -> list[str | int | float] | None:
        """The different values, sorted; None where they are too many, too long, or no plain values."""
        return None if self.values is None else [value for _, value in sorted(self.values)]


def _type(value: Json) -> str:
    return type(value).__name__


class Texts:
    """What all texts have in common."""

    def __init__(self) -> None:
        self.count = 0
        self.spaced = False  # some has white space in it, so it may be prose
        self.odd = False  # some has `..` in it
        self.leading = False  # some has what leads on in a path or URL
        self.prefix: str | None = None
        self.stems: set[Stem] | None = set()  # where they are paths
        self.hosts: set[str] | None = set()  # where they are URLs
        self.bare_hosts: set[str] = set()  # the URLs that end behind the host
        self.domains: set[str] | None = set()  # where they are mail addresses

    def add(self, text: str) -> None:
        """One more text."""
        self.count += 1
        self.spaced = self.spaced or _SPACE.search(text) is not None
        self.odd = self.odd or ".." in text
        self.leading = self.leading or _LEADING.search(text) is not None
        self.prefix = text if self.prefix is None else _common(self.prefix, text)
        self._add_path(text)
        self._add_url(text)
        self._add_mail(text)

    def _add_path(self, text: str) -> None:
        if self.stems is None:
            return
        if not text.startswith("/") or _ODD_PATH.search(text) or len(text) < 2:
            self.stems = None
            return
        stem = tuple(text[1:].split("/"))
        if any((*stem[:length], "") in self.stems for length in range(len(stem))):
            return
        self.stems.add(stem)
        while len(self.stems) > _MOST_STEMS:
            deepest = max(map(len, self.stems))
            self.stems = {stem if len(stem) < deepest else _cut(stem) for stem in self.stems}

    def _add_url(self, text: str) -> None:
        if self.hosts is None:
            return
        found = _URL.match(text)
        if found is None or text[found.end() : found.end() + 1] not in ("", "/"):
            self.hosts = None
            return
        self.hosts.add(found.group())
        if found.end() == len(text):
            self.bare_hosts.add(text)
        if len(self.hosts) > _MOST_ENDS:
            self.hosts = None

    def _add_mail(self, text: str) -> None:
        if self.domains is None:
            return
        found = _MAIL.match(text)
        if found is None:
            self.domains = None
            return
        self.domains.add(found.group(1))
        if len(self.domains) > _MOST_ENDS:
            self.domains = None


def _cut(stem: Stem) -> Stem:
    """Anything in the directory that a path is in; what is that already, in the one above."""
    return (*(stem[:-2] if stem[-1] == "" else stem[:-1]), "")


def _common(one: str, other: str) -> str:
    if other.startswith(one):
        return one
    length = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        length += 1
    return one[:length]

"""How the names of several servers are told apart: each server's names begin with a prefix of its own.

The invariant: no prefix begins with another one. So a name belongs to at most one server, whatever the servers call
their tools: `a` with a tool `b__c` can never be taken for `a__b` with a tool `c`.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

DEFAULT_PREFIX = "{server}__"
PLACEHOLDER = "{server}"

_SAFE = re.compile(r"[A-Za-z0-9_.-]*\Z")  # what MCP recommends for tool names, and every client takes
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?\Z")


class Naming:
    """Translates between what a server calls a tool or a prompt and what the client knows it as.

    With one server (`several` is False), or an empty pattern, names stay as they are (`prefixed` is False). Raises
    ValueError where `fault` finds something.
    """

    def __init__(self, slugs: Sequence[str], pattern: str = DEFAULT_PREFIX) -> None:
        if (wrong := fault(slugs, pattern)) is not None:
            raise ValueError(wrong)
        self.several = len(slugs) > 1
        self.prefixed = bool(pattern) and self.several
        self._prefixes = {slug: rendered(pattern, slug) if self.prefixed else "" for slug in slugs}

    def outward(self, slug: str, name: str) -> str:
        """What the client knows a server's tool or prompt as."""
        return self._prefixes[slug] + name

    def prefix(self, slug: str) -> str:
        """What the names of a server begin with, for the client; empty where names stay as they are."""
        return self._prefixes[slug]

    def inward(self, name: str) -> tuple[str, str] | None:
        """The server that a prefixed name belongs to, and what that server calls it; None where it is no one's."""
        for slug, prefix in self._prefixes.items():
            if name.startswith(prefix):
                return slug, name[len(prefix) :]
        return None


def rendered(pattern: str, slug: str) -> str:
    """The prefix of one server."""
    return pattern.replace(PLACEHOLDER, slug)


def fault(slugs: Sequence[str], pattern: str) -> str | None:
    """What keeps these servers from being told apart by this pattern, in a sentence; None where nothing does."""
    for slug in slugs:
        if not _SLUG.match(slug):
            return f"`{slug[:100]}` is no server name: lower-case letters, digits, `-` and `_` inside, at most 100"
    if len(set(slugs)) < len(slugs):
        return "two servers have the same name"
    if not pattern or len(slugs) < 2:
        return None
    if PLACEHOLDER not in pattern:
        return f"the prefix needs `{PLACEHOLDER}`, so that each server gets its own"
    if not _SAFE.match(pattern.replace(PLACEHOLDER, "")):
        return "a prefix may hold letters, digits, `_`, `-` and `.` only"
    pair = confusable(slugs, pattern)
    if pair is None:
        return None
    shorter, longer = (rendered(pattern, slug) for slug in pair)
    return f"names of `{pair[1]}` (`{longer}…`) could be taken for names of `{pair[0]}` (`{shorter}…`)"


def confusable(slugs: Sequence[str], pattern: str) -> tuple[str, str] | None:
    """Two servers of which the second one's prefix begins with the first one's; None where there are none, or the
    pattern gives them no prefixes of their own.
    """
    if PLACEHOLDER not in pattern or not _SAFE.match(pattern.replace(PLACEHOLDER, "")):
        return None
    prefixes = sorted((rendered(pattern, slug), slug) for slug in slugs)
    for (shorter, slug), (longer, other) in pairwise(prefixes):  # sorted, one stands directly before those it begins
        if longer.startswith(shorter):
            return slug, other
    return None

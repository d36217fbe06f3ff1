"""Patterns with `*` for any run of characters, case-sensitive; nothing else is special.

Matching takes time linear in the name for each piece of the pattern, whatever the name: names come from clients and
upstreams, so no backtracking.
"""

import msgspec


class Glob(msgspec.Struct, frozen=True):
    """A pattern, cut at its stars. `Glob("get_*")` matches `get_issue`; without a star it matches itself alone."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, pattern: str) -> "Glob":
        """The glob for a pattern as it is written in a policy."""
        return cls(tuple(pattern.split("*")))

    def matches(self, name: str) -> bool:
        """Whether the whole name fits the pattern."""
        first, *rest = self.pieces
        if not rest:
            return name == first
        last = rest.pop()
        if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
            return False
        position, end = len(first), len(name) - len(last)
        for piece in rest:
            found = name.find(piece, position, end)
            if found < 0:
                return False
            position = found + len(piece)
        return True

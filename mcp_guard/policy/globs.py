"""Patterns with `*` for any run of characters, case-sensitive; nothing else is special.

Matching takes time linear in the name for each piece of the pattern, whatever the name: names come from clients and
upstreams, so no backtracking.
"""

import msgspec


class Glob(msgspec.Struct, frozen=True):
    """A pattern, cut at its stars: what a name begins with, what it ends with, what comes between in this order.

    Without a star `end` is None, and the name is `begin` itself. `Glob.of("get_*")` matches `get_issue`.
    """

    begin: str
    between: tuple[str, ...] = ()
    end: str | None = None

    @classmethod
    def of(cls, pattern: str) -> "Glob":
        """The glob for a pattern as it is written in a policy."""
        begin, *rest = pattern.split("*")
        return cls(begin, tuple(piece for piece in rest[:-1] if piece), rest[-1]) if rest else cls(begin)

    def matches(self, name: str) -> bool:
        """Whether the whole name fits the pattern."""
        if self.end is None:
            return name == self.begin
        if not name.startswith(self.begin) or not name.endswith(self.end):
            return False
        at, last = len(self.begin), len(name) - len(self.end)
        for piece in self.between:
            found = name.find(piece, at, last)
            if found < 0:
                return False
            at = found + len(piece)
        return at <= last

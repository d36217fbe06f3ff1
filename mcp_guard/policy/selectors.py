"""What one entry of a rule's scope stands for: a name, a pattern of names, a tag, or an instance of an agent.

Kinds are kept apart, so that nothing can be named into a tag: a tool called `tag:safe` is a name, not a tag.
"""

from typing import Literal, TypeAlias

Kind = Literal["name", "pattern", "tag", "instance"]
Selector: TypeAlias = tuple[Kind, str]
ScopeField = Literal["agents", "users", "groups", "servers", "tools"]

PREFIXES: dict[ScopeField, dict[str, Kind]] = {
    "agents": {"tag:": "tag", "instance:": "instance"},
    "users": {},
    "groups": {},
    "servers": {"tag:": "tag"},
    "tools": {"tag:": "tag"},
}
"""What may stand before the colon in each field."""

TAKES_PATTERNS: frozenset[ScopeField] = frozenset(("tools",))
SCOPE_FIELDS: tuple[ScopeField, ...] = ("agents", "users", "groups", "servers", "tools")


def selector(field: ScopeField, entry: str) -> Selector:
    """What an entry of this field stands for."""
    for prefix, kind in PREFIXES[field].items():
        if entry.startswith(prefix):
            return kind, entry[len(prefix) :]
    return ("pattern" if "*" in entry and field in TAKES_PATTERNS else "name"), entry


def tags(names: tuple[str, ...]) -> tuple[Selector, ...]:
    """Tags as selectors."""
    return tuple(("tag", name) for name in names)

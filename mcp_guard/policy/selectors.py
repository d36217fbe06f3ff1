"""What one entry of a rule's scope stands for: a name, a pattern of names, a tag, or an instance of an agent.

Kinds are kept apart, so that nothing can be named into a tag: a tool called `tag:safe` is a name, not a tag.
"""

from typing import Literal, TypeAlias

from mcp_guard.policy.values import OfferKind

Kind = Literal["name", "pattern", "tag", "instance"]
Selector: TypeAlias = tuple[Kind, str]
ScopeField = Literal["agents", "users", "groups", "servers", "tools", "prompts", "resources"]

PREFIXES: dict[ScopeField, dict[str, Kind]] = {
    "agents": {"tag:": "tag", "instance:": "instance"},
    "users": {},
    "groups": {},
    "servers": {"tag:": "tag"},
    "tools": {"tag:": "tag"},
    "prompts": {},
    "resources": {},
}
"""The fields in their order, and what may stand before a colon in each."""

SCOPE_FIELDS: tuple[ScopeField, ...] = tuple(PREFIXES)
OFFER_FIELDS: dict[OfferKind, ScopeField] = {"tool": "tools", "prompt": "prompts", "resource": "resources"}
"""The field in which a rule names what a server offers, for each kind of it."""

TAKES_PATTERNS: frozenset[ScopeField] = frozenset(OFFER_FIELDS.values())


def selector(field: ScopeField, entry: str) -> Selector:
    """What an entry of this field stands for."""
    for prefix, kind in PREFIXES[field].items():
        if entry.startswith(prefix):
            return kind, entry[len(prefix) :]
    return ("pattern" if "*" in entry and field in TAKES_PATTERNS else "name"), entry


def tags(names: tuple[str, ...]) -> tuple[Selector, ...]:
    """Tags as selectors."""
    return tuple(("tag", name) for name in names)

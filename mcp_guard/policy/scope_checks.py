"""Entries of a rule's scope that could never match what their author meant.

They are refused, not ignored: a deny rule that silently matches nothing leaves the door open.
"""

import msgspec

from mcp_guard.policy.declarations import agent_slug_of
from mcp_guard.policy.selectors import PREFIXES, TAKES_PATTERNS, ScopeField, selector
from mcp_guard.slugs import AGENT_RULE, is_agent

PREFIX_HINTS: dict[ScopeField, str] = {
    "users": "people have groups instead of tags: `groups: [x]`",
    "groups": "write the group alone: `groups: [x]`",
    "servers": 'instances are those of agents: `agents: ["instance:ID"]`',
    "prompts": "only tools have tags",
    "resources": 'only tools have tags; for URIs that begin so, write a pattern: `"tag*"`',
    "tools": 'instances are those of agents: `agents: ["instance:ID"]`',
}
PATTERN_HINTS: dict[ScopeField, str] = {
    "agents": "name each agent, give them a tag and write `tag:x`, or use a condition: `agent.slug.startsWith(…)`",
    "users": 'use a group, or a condition: `user.email.endsWith("@acme.com")`',
    "groups": "name each group, or use a condition: `user.groups.exists(group, group.startsWith(…))`",
    "servers": "name each server, give them a tag and write `tag:x`, or use a condition: `mcp.slug.startsWith(…)`",
}


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a value, and what to do about it."""

    code: str
    message: str
    hint: str = ""


def scope_fault(field: ScopeField, entry: str) -> Fault | None:
    """What is wrong with an entry of this scope field, or None."""
    kind, value = selector(field, entry)
    if (fault := text_fault(value)) is not None:
        return fault
    if field == "resources" and (fault := _uri_fault(entry)) is not None:
        return fault
    if kind != "name":
        return None
    for prefix in ("tag:", "instance:"):
        if field != "tools" and entry.startswith(prefix) and prefix not in PREFIXES[field]:
            return Fault("selector-not-here", f"`{field}` takes no `{prefix}…`", PREFIX_HINTS.get(field, ""))
    if "*" in entry and field not in TAKES_PATTERNS:
        hint = f"leave `{field}` out to match any" if entry == "*" else PATTERN_HINTS[field]
        return Fault("pattern-not-here", f"`{field}` takes no patterns: `{entry}`", hint)
    return slug_fault(entry) if field == "agents" else None


def _uri_fault(entry: str) -> Fault | None:
    """What is wrong with the URI, or pattern of URIs, of a rule: one that could be read as another is denied anyway."""
    if any(entry.startswith(prefix) for prefix in ("tag:", "instance:")):
        return None
    from mcp_guard.policy.uris import read_pattern

    doubt = read_pattern(entry).doubt
    if doubt is None:
        return None
    return Fault("doubtful-uri", f"no rule opens a URI like `{entry}`: {doubt}", "write it as its server lists it")


def text_fault(value: str) -> Fault | None:
    """What is wrong with a name that must stand for something: nothing in it, or space round it."""
    if not value.strip():
        return Fault("empty-value", "nothing is named here")
    if value != value.strip():
        return Fault("stray-space", f"space before or after `{value.strip()}`: it would never match")
    return None


def slug_fault(slug: str) -> Fault | None:
    """What is wrong with an agent's slug, or None."""
    if is_agent(slug):
        return None
    return Fault("bad-slug", f"`{slug}` is no agent slug: {AGENT_RULE}", f"write `{agent_slug_of(slug)}`")

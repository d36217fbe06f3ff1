"""What several servers say of themselves, as what one server would say: capabilities, revision, instructions."""

import re
from collections.abc import Iterable, Mapping, Sequence

from mcp_guard import __version__
from mcp_guard.policy.values import Json

LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN = "2026-07-28"
SERVER_INFO: dict[str, Json] = {"name": "mcp-guard", "version": __version__}
SERVER_META = "io.modelcontextprotocol/serverInfo"

DEEPEST = 32  # levels of objects in capabilities; what lies deeper is left out
LONGEST_INSTRUCTIONS = 16_384  # characters of one server's
CHANGING = ("tools", "prompts", "resources")  # whose lists change when a server comes or goes

_FLAGS = ("listChanged", "subscribe")
_OF_OBJECTS = ("experimental", "extensions", "tasks")

_POSSIBLE: dict[str, Json] = {
    "tools": {},
    "prompts": {},
    "resources": {"subscribe": True},
    "completions": {},
    "logging": {},
}
_HEADING = "# Server "
_LINE_END = re.compile("[\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # what else might be taken for one
_FORGED = re.compile(r"^(?=[^\S\n]*#+[^\S\n]*server\b)", re.IGNORECASE | re.MULTILINE)


def capabilities(known: Iterable[Mapping[str, Json] | None]) -> dict[str, Json]:
    """The capabilities of all; None stands for a server that has not said its own yet, and may have any of the usual.

    Lists may always change: servers come and go. What has not the type that MCP gives it is left out: a strict client
    would have none of it, and so no server at all.
    """
    merged: dict[str, Json] = {}
    for one in known:
        _merge(merged, _POSSIBLE if one is None else _sound(one))
    for name in CHANGING:
        if isinstance(found := merged.get(name), dict):
            found["listChanged"] = True
    return merged


def _sound(capabilities: Mapping[str, Json]) -> dict[str, Json]:
    """Capabilities are objects; some have flags, of some all members are objects."""
    return {
        name: {member: value for member, value in capability.items() if _may_be(value, member, name)}
        for name, capability in capabilities.items()
        if isinstance(capability, dict)
    }


def _may_be(value: Json, member: str, capability: str) -> bool:
    if member in _FLAGS:
        return isinstance(value, bool)
    return isinstance(value, dict) or capability not in _OF_OBJECTS


def _merge(into: dict[str, Json], more: Mapping[str, Json], depth: int = 0) -> None:
    """Take in members that are new; of two truth values the true one, of two objects the members of both."""
    for name, value in more.items():
        mine = into.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            _merge(mine, value, depth + 1)
        elif isinstance(value, dict):
            if depth < DEEPEST:
                fresh: dict[str, Json] = {}
                _merge(fresh, value, depth + 1)
                into[name] = fresh
        elif name not in into or (mine is False and value is True):
            into[name] = value


def instructions(texts: Mapping[str, str], prefixes: Mapping[str, str]) -> str:
    """The instructions of several servers, each under its heading. A server cannot write the heading of another."""
    sections: list[str] = []
    for slug, text in texts.items():
        prefix = prefixes[slug]
        named = f" (its tools and prompts begin with `{prefix}`)" if prefix else ""
        body = _FORGED.sub("> ", _LINE_END.sub("\n", text[:LONGEST_INSTRUCTIONS]))
        sections.append(f"{_HEADING}`{slug}`{named}\n\n{body.strip()}")
    return "\n\n".join(sections)


def revision(asked: Json, spoken: Sequence[Json]) -> str:
    """The legacy revision that all can speak: the oldest that any answered, or was asked for."""
    known = [one for one in (asked, *spoken) if isinstance(one, str) and one in LEGACY]
    return min(known, default=LEGACY[-1])


def versions(spoken: Sequence[Json]) -> list[Json]:
    """The modern revisions that all support, in the first one's order."""
    lists = [one for one in spoken if isinstance(one, list)]
    first = lists[0] if lists else []
    common: list[Json] = [one for one in first if isinstance(one, str) and all(one in other for other in lists)]
    return common or [MODERN]


def ttl(values: Iterable[Json]) -> float:
    """The shortest of several times to live (milliseconds); 0 where there is none, or a strange one."""
    shortest = min((_milliseconds(value) for value in values), default=0)
    return int(shortest) if shortest == int(shortest) else shortest


def _milliseconds(value: Json) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1 << 53 else 0

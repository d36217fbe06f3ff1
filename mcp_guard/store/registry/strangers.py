"""Agents and tools that nobody has heard of yet. To speak of one ahead is allowed, and to mistype one is easy: so it is
said, with the name that may have been meant.
"""

from difflib import get_close_matches

from mcp_guard.governance.snapshot import ToolPattern
from mcp_guard.store.registry.book import Book

_AGENTS = "SELECT slug FROM agents"
_TOOLS = "SELECT server, tool FROM tools WHERE listed"
_BETWEEN = "__"  # what stands between a server and its tool in the name that a client behind many servers knows it by
_NEAR = 0.7  # how alike two names are, from 0 to 1, where one may be the other mistyped


def strange_agent(book: Book, slug: str) -> str | None:
    """What to say of an agent that is not in the registry; None for one that is."""
    known = [row["slug"] for row in book.rows(_AGENTS)]
    if slug in known:
        return None
    return f"no agent `{slug}` has connected or been registered yet{_meant(slug, known)}"


def strange_tool(book: Book, pattern: str) -> str | None:
    """What to say of a pattern that fits no tool that any server has listed. None where one fits, or none is known."""
    tools = [(row["server"], row["tool"]) for row in book.rows(_TOOLS)]
    meant = ToolPattern.of(pattern)
    if not tools or any(meant.matches(server, tool) for server, tool in tools):
        return None
    names = [tool for _, tool in tools] + [f"{server}:{tool}" for server, tool in tools]
    of_server = next((server for server, _ in tools if pattern.startswith(server + _BETWEEN)), None)
    hint = f"; is it `{of_server}:{pattern[len(of_server + _BETWEEN) :]}`?" if of_server else _meant(pattern, names)
    return f"no tool that any server has listed fits `{pattern}`{hint}"


def _meant(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1, _NEAR)
    return f"; is it `{near[0]}`?" if near else ""

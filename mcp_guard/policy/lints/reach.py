"""Which tools of the catalog a rule's scope fits, for many rules and many tools.

Sets of tools are whole numbers used as bit sets, by the tool's position in the catalog: what one rule takes from
another is one operation.
"""

from collections.abc import Sequence
from itertools import groupby

from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.fields import Offered
from mcp_guard.policy.globs import Glob
from mcp_guard.policy.input_schema import arguments
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.selectors import selector
from mcp_guard.policy.situation import offer

ToolSet = int


class Target(Offered, frozen=True):
    """A tool of the catalog, and its arguments."""

    @property
    def name(self) -> str:
        """The tool as people read it: `github/create_issue`."""
        return f"{self.server}/{self.tool.name}"


class Reach:
    """Every tool of a catalog, and which of them rules fit."""

    def __init__(self, catalog: Catalog, declared: Declarations) -> None:
        self.catalog = catalog
        self.every = all_targets(catalog)
        self._declared = declared
        numbered = groupby(enumerate(self.every), lambda one: one[1].server)
        self._by_server = {server: [(1 << at, target) for at, target in tools] for server, tools in numbered}

    def of(self, rule: Rule) -> ToolSet:
        """The tools that a rule's servers and tools fit; none where it is not about tools."""
        if "tool" not in rule.about:
            return 0
        found = 0
        for server, tools in self._by_server.items():
            if fits_server(rule, server, self._declared):
                found |= self._of_server(rule.scope.tools, tools)
        return found

    def _of_server(self, entries: Sequence[str] | None, tools: Sequence[tuple[ToolSet, Target]]) -> ToolSet:
        if entries is None:
            return sum(bit for bit, _ in tools)
        fits = [_matcher(entry) for entry in entries]
        return sum(bit for bit, target in tools if any(self._fits(one, target) for one in fits))

    def _fits(self, matcher: "tuple[str, str, Glob | None]", target: Target) -> bool:
        kind, value, glob = matcher
        if glob is not None:
            return glob.matches(target.tool.name)
        if kind == "name":
            return value == target.tool.name
        return value in self._declared.server(target.server).tool_tags(target.tool.name)

    def targets(self, tools: ToolSet) -> tuple[Target, ...]:
        """The tools in a set."""
        return tuple(target for at, target in enumerate(self.every) if tools >> at & 1) if tools else ()


def all_targets(catalog: Catalog) -> list[Target]:
    """Every tool of a catalog, with its arguments read, server by server."""
    return [
        Target(server, tool, arguments(tool.input_schema))
        for server, tools in catalog.servers.items()
        for tool in tools.values()
    ]


def _matcher(entry: str) -> "tuple[str, str, Glob | None]":
    kind, value = selector("tools", entry)
    return kind, value, Glob.of(value) if kind == "pattern" else None


def fits_server(rule: Rule, server: str, declared: Declarations) -> bool:
    """Whether a rule's servers fit this one."""
    entries = rule.scope.servers
    if entries is None or server in entries:
        return True
    tags = declared.server(server).tags
    return any(kind == "tag" and name in tags for kind, name in (selector("servers", entry) for entry in entries))


def entry_fits(entry: str, server: str, tool: str, declared: Declarations) -> bool:
    """Whether one entry of a rule's tools fits this one."""
    kind, value = selector("tools", entry)
    if kind == "pattern":
        return Glob.of(value).matches(tool)
    return (kind, value) in offer(declared, server, "tool", tool).selectors

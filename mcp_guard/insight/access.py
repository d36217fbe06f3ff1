"""What an agent may do: each tool of each server as allowed, denied or conditional, with the rules that make it so.

The answer is `Policy.preview`'s, the same that the gate shows tools by.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mcp_guard.policy import Policy, Principal
from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.values import Effect, VisibilityLevel


@dataclass(frozen=True, slots=True)
class Part:
    """One rule that has a say about a tool: for any arguments (`when` None), or where its condition holds.

    `failing`: the condition cannot be evaluated for this caller, whatever the arguments.
    """

    rule: str
    effect: Effect
    when: str | None
    failing: bool = False


@dataclass(frozen=True, slots=True)
class ToolAccess:
    """One tool: how it is shown, and the rules that have a say, in order; none: no rule is for it."""

    tool: str
    level: VisibilityLevel
    parts: tuple[Part, ...]

    @property
    def settled(self) -> bool:
        """Whether the last of the rules decides whatever the arguments are; else what they leave is denied."""
        return bool(self.parts) and (self.parts[-1].when is None or self.parts[-1].failing)


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """The tools of one server."""

    server: str
    tools: tuple[ToolAccess, ...]

    def count(self, level: VisibilityLevel) -> int:
        """How many of them are at this level."""
        return sum(tool.level == level for tool in self.tools)

    @property
    def uncovered(self) -> int:
        """How many of them no rule is for."""
        return sum(not tool.parts for tool in self.tools)


def access(policy: Policy, principal: Principal, catalog: Catalog) -> list[ServerAccess]:
    """The access of one principal to all tools of a catalog, by server and name."""
    return [
        ServerAccess(server, tuple(tool_access(policy, principal, server, tool) for tool in sorted(tools)))
        for server, tools in sorted(catalog.servers.items())
    ]


def tool_access(policy: Policy, principal: Principal, server: str, tool: str) -> ToolAccess:
    """The access to one tool."""
    seen = policy.preview(principal, server, tool, trace=True)
    sources = {rule.id: rule.condition.source for rule in policy.rules if rule.condition}
    parts: list[Part] = []
    for part in seen.trace:
        if part.outcome == "matched":
            parts.append(Part(part.rule, part.effect, None))
        elif part.outcome == "condition_unknown":
            parts.append(Part(part.rule, part.effect, _on_one_line(sources[part.rule])))
        elif part.outcome == "condition_error" and part.effect == "deny":
            parts.append(Part(part.rule, part.effect, _on_one_line(sources[part.rule]), failing=True))
    return ToolAccess(tool, seen.level, tuple(parts))


@dataclass(frozen=True, slots=True)
class Alike:
    """Tools of one server that the same rules decide in the same way."""

    level: VisibilityLevel
    parts: tuple[Part, ...]
    settled: bool
    tools: tuple[str, ...]


def alike(tools: Iterable[ToolAccess]) -> list[Alike]:
    """The tools in groups: allowed, conditional, denied, and within each the larger groups first."""
    groups: dict[tuple[VisibilityLevel, tuple[Part, ...]], list[ToolAccess]] = {}
    for tool in tools:
        groups.setdefault((tool.level, tool.parts), []).append(tool)
    order = {"allowed": 0, "conditional": 1, "denied": 2}
    made = [
        Alike(level, parts, members[0].settled, tuple(tool.tool for tool in members))
        for (level, parts), members in groups.items()
    ]
    return sorted(made, key=lambda group: (order[group.level], -len(group.tools), group.tools[0]))


def _on_one_line(source: str) -> str:
    return " ".join(source.split())

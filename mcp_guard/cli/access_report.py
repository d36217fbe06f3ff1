"""How effective access looks: for each server the tools that are decided alike, with the rules; or JSON."""

from collections.abc import Sequence

from rich.text import Text

from mcp_guard.cli.output import console, counted, print_indented, print_json
from mcp_guard.cli.policy_reports import STYLES
from mcp_guard.insight.access import Alike, Part, ServerAccess, ToolAccess, alike
from mcp_guard.insight.subjects import Subject, SubjectAccess
from mcp_guard.policy.values import Effect
from mcp_guard.redaction import safe_text

NO_TOOLS = (
    "no tools are known: a guard learns them at its first connection, `mcp-guard tools sync -- CMD …` fills them in"
)
VERBS: dict[Effect, str] = {
    "allow": "allows",
    "gated": "allows",
    "deny": "denies",
    "require_approval": "asks a person",
}
_NAME, _CONDITION = 60, 300  # characters
_OTHERWISE = {"conditional": "; else denied", "denied": "; no rule allows it"}  # what no rule of those named decides


def print_access(groups: Sequence[SubjectAccess], policy: str) -> None:
    """For a person: who, then server by server."""
    out = console()
    for number, group in enumerate(groups):
        if number:
            out.print()
        who = "; ".join(_subject(subject) for subject in group.subjects)
        out.print(Text.assemble((who, "bold"), (f"  under {policy}", "dim")))
        if not any(server.tools for server in group.servers):
            out.print(Text(NO_TOOLS, style="yellow"))
        for server in group.servers:
            out.print()
            _print_server(server)


def _print_server(server: ServerAccess) -> None:
    out = console()
    out.print(Text.assemble((safe_text(server.server, _NAME), "bold"), f"  {coverage(server)}"))
    for found in alike(server.tools):
        print_indented(_heading(found), 2)
        print_indented(Text(", ".join(safe_text(tool, _NAME) for tool in found.tools), style="dim"), 6)


def coverage(server: ServerAccess) -> str:
    """The counts of one server, in a line."""
    levels = ", ".join(f"{server.count(level)} {level}" for level in ("allowed", "conditional", "denied"))
    uncovered = f" ({server.uncovered} by no rule)" if server.uncovered else ""
    return f"{counted(len(server.tools), 'tool')}: {levels}{uncovered}"


def _heading(found: Alike) -> Text:
    why = "no rule is for it" if not found.parts else "; ".join(map(part, found.parts))
    rest = "" if found.settled or not found.parts else _OTHERWISE.get(found.level, "")
    return Text.assemble((found.level, STYLES[found.level]), f": {why}{rest}")


def part(one: Part) -> str:
    """One rule's say, in words."""
    if one.when is None:
        return f"{one.rule} {VERBS[one.effect]}"
    if one.failing:
        return f"{one.rule} denies: its condition cannot be evaluated here"
    return f"{one.rule} {VERBS[one.effect]} where {safe_text(one.when, _CONDITION)}"


def _subject(subject: Subject) -> str:
    principal = subject.principal
    user = f" of {principal.user}" if principal.user else ""
    groups = f" ({', '.join(principal.groups)})" if principal.groups else ""
    facts = ["verified"] if principal.verified else []
    facts += [counted(subject.seen, "connection") if subject.seen else "never seen here"]
    return safe_text(f"{principal.agent}{user}{groups} [{', '.join(facts)}]", 200)


def print_json_access(groups: Sequence[SubjectAccess], policy: Sequence[str]) -> None:
    """For a program: one entry for each caller."""
    entries = [
        {**_subject_data(subject), "servers": [server_data(server) for server in group.servers]}
        for group in groups
        for subject in group.subjects
    ]
    print_json({"policy": list(policy), "access": entries})


def _subject_data(subject: Subject) -> dict[str, object]:
    principal = subject.principal
    return {
        "agent": principal.agent,
        "user": principal.user,
        "groups": list(principal.groups),
        "verified": principal.verified,
        "instance": principal.instance or None,
        "connections": subject.seen,
    }


def server_data(server: ServerAccess) -> dict[str, object]:
    """One server as data."""
    counts = {level: server.count(level) for level in ("allowed", "conditional", "denied")}
    tools = [_tool_data(tool) for tool in server.tools]
    return {"server": server.server, "counts": {**counts, "by_no_rule": server.uncovered}, "tools": tools}


def _tool_data(tool: ToolAccess) -> dict[str, object]:
    rules = [{"rule": one.rule, "effect": one.effect, "when": one.when} for one in tool.parts]
    return {"tool": tool.tool, "access": tool.level, "rules": rules, "else": None if tool.settled else "deny"}

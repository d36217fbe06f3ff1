"""What editors show about a field, a tool or a rule, as Markdown.

What servers say of themselves is shown as text: nothing in it becomes a link, an image or a heading.
"""

import re
from collections.abc import Sequence

from mcp_guard.cel.types import Type
from mcp_guard.policy.diagnostics import printable
from mcp_guard.policy.fields import Field
from mcp_guard.policy.lints import words
from mcp_guard.policy.lints.reach import Target
from mcp_guard.policy.lints.subjects import Subject

LONGEST = 600  # characters of what a server says
MOST_TOOLS = 12
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&-])")


def plain(text: str) -> str:
    """A stranger's text as Markdown that shows it as it is, bounded, on one line."""
    shown = printable(" ".join(text.split()))
    return _SPECIAL.sub(r"\\\1", shown if len(shown) <= LONGEST else shown[:LONGEST] + "…")


def code(text: str) -> str:
    """A name as code."""
    return f"`{printable(text).replace('`', '’')}`"


def field(found: Field, targets: Sequence[Target]) -> str:
    """A field of the arguments: type, coverage, and what each server says of it."""
    lines = [f"{code('request.args.' + found.path)}: {found.type}{_choices(found)}", "", _coverage(found)]
    for server, there in found.servers.items():
        required = "required" if len(there.required) == len(there.tools) else "optional"
        if there.required and required == "optional":
            required = f"required by {', '.join(map(code, there.required[:MOST_TOOLS]))}"
        about = f": {plain(there.description)}" if there.description else ""
        lines += ["", f"**{plain(server)}** {there.type}, {required}{about}", "", f"in {_tools(there.tools)}"]
    having = {(server, tool) for server, there in found.servers.items() for tool in there.tools}
    without = [target for target in targets if (target.server, target.tool.name) not in having]
    if without:
        lines += ["", f"not in {plain(words.tools(without))}"]
    return "\n".join(lines)


def _coverage(found: Field) -> str:
    if found.required == found.tools:
        return f"{found.coverage}, always required"
    return f"{found.coverage}, required by {found.required}" if found.required else f"{found.coverage}, never required"


def _choices(found: Field) -> str:
    return f", one of {', '.join(code(str(one)) for one in found.choices)}" if found.choices else ""


def _tools(names: Sequence[str]) -> str:
    shown = ", ".join(code(name) for name in names[:MOST_TOOLS])
    return f"{shown} and {len(names) - MOST_TOOLS} more" if len(names) > MOST_TOOLS else shown


def tool(target: Target) -> str:
    """A tool: what it says of itself, and its arguments."""
    lines = [f"**{plain(target.server)}** {code(target.tool.name)}"]
    if target.tool.description:
        lines += ["", plain(target.tool.description)]
    for name, shape in target.shape.fields.items():
        required = ", required" if name in target.shape.required else ""
        lines += ["", f"{code(name)}: {shape.type_name}{required}"]
    return "\n".join(lines)


def rule(subject: Subject) -> str:
    """A rule: which tools it is for."""
    if not subject.matches:
        return f"{code(subject.rule.id)} is for no tool that is known."
    by_server: dict[str, list[str]] = {}
    for target in subject.matches:
        by_server.setdefault(target.server, []).append(target.tool.name)
    number = words.count(len(subject.matches), "tool")
    lines = [f"{code(subject.rule.id)} ({subject.rule.effect}): {number} of {words.count(len(by_server), 'server')}"]
    for server, names in by_server.items():
        lines += ["", f"**{plain(server)}** {_tools(names)}"]
    return "\n".join(lines)


def type_word(kind: Type) -> str:
    """A variable's type in a word."""
    return "fields" if kind.fields else repr(kind)

"""How what servers list looks: tools in lines, one tool in full, what a server lists otherwise than before.

Everything shown here but slugs and times was said by a server: nothing of it reaches a terminal as it came.
"""

from collections.abc import Mapping, Sequence

from rich.text import Text

from mcp_guard.cli.columns import NOTHING, Columns
from mcp_guard.cli.field_reports import field_type
from mcp_guard.cli.log_lines import local_time
from mcp_guard.cli.output import console, counted, print_json
from mcp_guard.policy.catalog import Catalog, ToolDefinition, tool_as_json
from mcp_guard.policy.diagnostics import printable
from mcp_guard.policy.fields import Field, Offered, fields
from mcp_guard.policy.input_schema import arguments

Tools = Mapping[str, ToolDefinition]

CHANGES = (("new", "green"), ("changed", "yellow"), ("gone", "red"))


def print_sync(server: str, before: Tools, after: Tools, *, as_json: bool) -> None:
    """What a server lists now, and what is different from the last time."""
    names = {
        "new": [name for name in after if name not in before],
        "changed": [name for name in after if name in before and after[name].hash != before[name].hash],
        "gone": [name for name in before if name not in after],
    }
    if as_json:
        print_json({"server": server, "tools": len(after), **names})
        return
    out = console()
    out.print(Text(f"{server}: {counted(len(after), 'tool')}"), soft_wrap=True)
    for change, style in CHANGES:
        if names[change]:
            shown = printable(", ".join(sorted(names[change])))
            out.print(Text.assemble((f"  {change:<8} ", style), shown), soft_wrap=True)
    if not any(names.values()):
        out.print(Text("  nothing is different from before", style="dim"))


def print_tools(catalog: Catalog) -> None:
    """A line for each tool."""
    if not catalog.servers:
        print(
            "No tools are known yet. A guard keeps what its server lists; `mcp-guard tools sync -- COMMAND` asks one."
        )
        return
    lines = [
        (slug, printable(tool.name), _seen(tool), _signature(tool))
        for slug, tools in catalog.servers.items()
        for tool in sorted(tools.values(), key=lambda tool: tool.name)
    ]
    Columns(("SERVER", "TOOL", "LAST SEEN", "ARGUMENTS"), lines)


def print_json_tool(server: str, tool: ToolDefinition) -> None:
    """One tool as data: its definition, and its arguments one by one."""
    given = [
        {
            "path": field.path,
            "type": field.type,
            "required": bool(field.required),
            "choices": list(field.choices),
            "description": _said(field),
        }
        for field in _arguments(tool)
    ]
    print_json({"server": server, **tool_as_json(tool), "arguments": given})


def print_tool(server: str, tool: ToolDefinition) -> None:
    """One tool in full."""
    out = console()
    out.print(Text.assemble((f"{server} ", "dim"), (printable(tool.name), "bold")), soft_wrap=True)
    for line in (tool.description or "It says nothing of itself.").splitlines():
        out.print(Text(f"  {printable(line)}"), soft_wrap=True)
    found = _arguments(tool)
    print()
    if found:
        Columns(("ARGUMENT", "TYPE", "REQUIRED", "SAID OF IT"), [_line(field) for field in found])
    else:
        print("It takes no arguments.")
    print()
    gone = "" if tool.listed else ", and listed no more"
    seen = f"first seen {_minute(tool.first_seen)}, last seen {_minute(tool.last_seen)}{gone}"
    out.print(Text(f"{seen}\nSHA-256 {tool.hash}", style="dim"), soft_wrap=True)


def _arguments(tool: ToolDefinition) -> list[Field]:
    found = fields([Offered("", tool, arguments(tool.input_schema))])
    return sorted(found, key=lambda field: (not field.required, field.path))


def _line(field: Field) -> Sequence[str]:
    return printable(field.path), field_type(field), "yes" if field.required else NOTHING, printable(_said(field))


def _said(field: Field) -> str:
    return next(iter(field.servers.values())).description


def _signature(tool: ToolDefinition) -> str:
    """The arguments in a line: `owner, repo, [labels]`, in brackets what may be left out."""
    shape = arguments(tool.input_schema)
    names = [name for name in shape.fields if name in shape.required]
    optional = [f"[{name}]" for name in shape.fields if name not in shape.required]
    return printable(", ".join([*names, *optional]) + (" …" if shape.open else "")) or NOTHING


def _seen(tool: ToolDefinition) -> str:
    return _minute(tool.last_seen) if tool.listed else f"gone, {_minute(tool.last_seen)}"


def _minute(moment: str) -> str:
    """A time as the store writes it, as this machine's clock shows it, to the minute."""
    return local_time(moment)[:16] or "never"

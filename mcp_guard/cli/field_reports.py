"""How the arguments of tools look: those that a rule can ask for, and those of one tool."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcp_guard.cli.columns import Columns
from mcp_guard.cli.output import print_json
from mcp_guard.policy.diagnostics import printable
from mcp_guard.policy.fields import Field

if TYPE_CHECKING:
    from mcp_guard.policy.catalog import Catalog
    from mcp_guard.policy.lints.subjects import Subject

HEADINGS = ("request.args.", "TYPE", "IN", "REQUIRED", "SAID OF IT")
MOST_CHOICES = 8


def print_json_fields(subject: "Subject", found: Sequence[Field]) -> None:
    """The fields as JSON."""
    tools: dict[str, list[str]] = {}
    for target in subject.matches:
        tools.setdefault(target.server, []).append(target.tool.name)
    print_json({"rule": subject.rule.id, "tools": tools, "fields": [as_json(field) for field in found]})


def as_json(field: Field) -> dict[str, object]:
    """One field as plain data."""
    servers = {
        server: {
            "tools": list(there.tools),
            "required": list(there.required),
            "type": there.type,
            "choices": list(there.choices),
            "description": there.description,
        }
        for server, there in field.servers.items()
    }
    return {
        "path": field.path,
        "type": field.type,
        "tools": field.tools,
        "of": field.of,
        "required": field.required,
        "choices": list(field.choices),
        "servers": servers,
    }


def print_fields(subject: "Subject", found: Sequence[Field], catalog: "Catalog | None") -> None:
    """The fields as a table."""
    if catalog is None:
        print("No tools are known: list them with `mcp-guard tools sync -- COMMAND`, or give --catalog FILE.")
    elif not subject.matches:
        print(f"`{subject.rule.id}` is for no tool that is known.")
    elif not found:
        print(f"The tools of `{subject.rule.id}` take no arguments.")
    else:
        lines = [_line(field) for field in found]
        shown = len(HEADINGS) if any(line[-1] for line in lines) else len(HEADINGS) - 1
        Columns(HEADINGS[:shown], [line[:shown] for line in lines])


def _line(field: Field) -> Sequence[str]:
    said = dict.fromkeys(there.description for there in field.servers.values() if there.description)
    return (
        printable(field.path),
        field_type(field),
        f"{field.tools} of {field.of}",
        str(field.required),
        printable(" / ".join(said)),
    )


def field_type(field: Field) -> str:
    """The type, with the values that there are; of many the first few."""
    if not field.choices:
        return field.type
    shown = ", ".join(str(one) for one in field.choices[:MOST_CHOICES])
    return printable(f"{field.type}: {shown}{', …' if len(field.choices) > MOST_CHOICES else ''}")

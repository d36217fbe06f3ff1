"""How one agent looks in full: a heading for each part of its profile, and a table under it."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import typer

from mcp_guard.cli.registry.shared import Row, cell, for_whom, show_one, show_rows

_PARTS: dict[str, tuple[str, Mapping[str, str]]] = {
    "instances": (
        "Connected now",
        {"id": "INSTANCE", "server": "SERVER", "user": "USER", "client_version": "VERSION", "first_seen": "SINCE"},
    ),
    "grants": (
        "Grants",
        {"id": "ID", "pattern": "TOOLS", "effect": "EFFECT", "expires_at": "UNTIL", "reason": "REASON"},
    ),
    "overrides": (
        "Overrides",
        {
            "id": "ID",
            "agent": "AGENT",
            "pattern": "TOOLS",
            "effect": "EFFECT",
            "expires_at": "UNTIL",
            "reason": "REASON",
        },
    ),
    "budgets": (
        "Budgets",
        {"window": "WINDOW", "unit": "UNIT", "spent": "SPENT", "amount": "OF", "resets_at": "RESETS"},
    ),
    "evals": ("Evaluations", {"suite": "SUITE", "pass_rate": "PASSED", "recorded_at": "WHEN"}),
    "activity": (
        "The last seven days",
        {"server": "SERVER", "tool": "TOOL", "calls": "CALLS", "denied": "DENIED", "last_at": "LAST"},
    ),
}


def print_profile(profile: Mapping[str, object]) -> None:
    """Print a profile as people read it."""
    coverage = cast("Mapping[str, int]", profile["coverage"])
    used = f"{coverage['tools_used']} of {coverage['tools_listed']} tools that its servers list"
    agent = {**cast(Row, profile["agent"]), "tools_used": used, "last_call_at": profile["last_call_at"]}
    show_one(agent, as_json=False)
    for part, (heading, columns) in _PARTS.items():
        rows = cast("Sequence[Mapping[str, Any]]", profile[part])
        if part == "overrides":
            rows = [for_whom(row, as_json=False) for row in rows]
        if rows:
            typer.echo(f"\n{heading}")
            show_rows(rows, columns, as_json=False, none=cell("", None))

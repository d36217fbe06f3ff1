"""How findings about a policy or a configuration look: a report with their counts for a person, JSON else."""

from collections.abc import Sequence

from rich.text import Text

from mcp_guard.cli.output import console, counted
from mcp_guard.policy.diagnostics import Diagnostic, render


def print_findings(found: Sequence[Diagnostic]) -> None:
    """Each with its source line; codes and carets are in colour."""
    if found:
        text = Text(render(found))
        text.highlight_regex(r"(?m)error\[[a-z-]+\]|^ +\| +\^+$", "red")
        text.highlight_regex(r"warning\[[a-z-]+\]", "yellow")
        text.highlight_regex(r"(?m)^  hint: .*$", "dim")
        console().print(text, soft_wrap=True)


def print_counts(found: Sequence[Diagnostic], of: str = "") -> None:
    """How many there are; `of` says in what, and stands before that."""
    errors = sum(one.severity == "error" for one in found)
    warnings = len(found) - errors
    counts = f"{of}{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    console().print(Text(counts, style="red" if errors else "yellow" if warnings else "green"))


def as_json(found: Sequence[Diagnostic]) -> list[dict[str, object]]:
    """As plain data."""
    return [
        {
            "severity": one.severity,
            "code": one.code,
            "message": one.message,
            "hint": one.hint,
            "file": one.place.path,
            "line": one.place.line,
            "column": one.place.column,
        }
        for one in found
    ]

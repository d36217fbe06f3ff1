"""`mcp-guard demo`: a scripted session behind the real guard, laid out for a person or as JSON."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from mcp_guard.cli.house import House
from mcp_guard.cli.output import console, print_indented, print_json
from mcp_guard.demo.script import Answer, Outcome, Report, perform

if TYPE_CHECKING:
    from rich.console import Console

app = House()

_LOOK: dict[Outcome, tuple[str, str]] = {  # outcome: what is said, its colour
    "allowed": ("allowed", "green"),
    "denied": ("DENIED", "bold red"),
    "hidden": ("NOT THERE", "bold yellow"),
}
_SERVER = "npx -y @modelcontextprotocol/server-filesystem ~/project"
_INDENT = 13
_COLUMNS = ("type", "tool", "decision", "decided_by", "rule")


@app.command(epilog="Example: mcp-guard demo")
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Everything that was seen, as one JSON document.")] = False,
    db: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the audit log here. Default: a temporary one.")
    ] = None,
) -> None:
    """Show the guard at work: an agent, a small office as its server, a mail that misleads it, a policy, the log."""
    with tempfile.TemporaryDirectory(prefix="mcp-guard-demo-") as scratch:
        report = perform((db or Path(scratch, "audit.db")).absolute())
    if as_json:
        print_json(report)
    else:
        _show(console(), report, db)


def _show(out: "Console", report: Report, db: Path | None) -> None:
    out.print(
        "An agent works with a small office server: a mailbox, some files. All that follows really happened just now."
    )
    _show_policy(out, report.policy)
    _show_lists(out, report)
    _head(out, "What the agent does through the guard")
    for answer in report.calls:
        _show_answer(out, answer)
    _show_log(out, report.log)
    _show_next(out, db)


def _head(out: "Console", text: str) -> None:
    out.print(f"\n[bold]{text}[/bold]")


def _show_policy(out: "Console", policy: str) -> None:
    """The file without its tests: what is being shown depends on nothing else."""
    _head(out, "The policy")
    for line in policy.partition("tests:")[0].splitlines():
        out.print(f"  {line}", style="dim", markup=False)


def _show_lists(out: "Console", report: Report) -> None:
    _head(out, "What the server lists, and what the agent sees of it")
    width = max(map(len, report.direct))
    for tool in report.direct:
        seen = "[green]listed[/green]" if tool in report.guarded else "[yellow]hidden[/yellow]"
        out.print(f"  {tool:<{width}}  {seen}")


def _show_answer(out: "Console", answer: Answer) -> None:
    word, colour = _LOOK[answer.outcome]
    given = ", ".join(f"{name}={value!r}" for name, value in answer.arguments.items())
    out.print(f"  [dim]{answer.story}[/dim]")
    out.print(f"  [{colour}]{word:<9}[/{colour}]  ", end="")
    out.print(f"{answer.tool}({given})", markup=False)
    print_indented(Text(answer.text, style="dim" if answer.outcome == "allowed" else ""), _INDENT)


def _show_log(out: "Console", rows: list[dict[str, str | int | None]]) -> None:
    _head(out, "What the audit log holds of it: the table `events`, in SQLite")
    lines = [_COLUMNS, *([str(row[name]) if row[name] is not None else "" for name in _COLUMNS] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    for number, line in enumerate(lines):
        text = "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        out.print(f"  {text.rstrip()}", markup=False, style="dim" if number == 0 else None)


def _show_next(out: "Console", db: Path | None) -> None:
    _head(out, "Next")
    log = f"mcp-guard log --db {db}" if db else "mcp-guard log"
    for what, command in (
        ("put a guard in front of your own servers", "mcp-guard init"),
        ("or of one, by hand", f"mcp-guard run --policy policy.yaml -- {_SERVER}"),
        ("then read the log", log),
        ("try a policy on what is logged", f"mcp-guard replay --policy new.yaml{f' --db {db}' if db else ''}"),
    ):
        out.print(f"  [dim]{what}:[/dim]")
        out.print(f"    {command}", markup=False)

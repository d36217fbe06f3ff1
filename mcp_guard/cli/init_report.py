"""What `init` shows: each file with its servers, the lines that change, and how to go on. No secret is among them."""

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from mcp_guard.cli.output import console, print_indented, short
from mcp_guard.clients import syntaxes
from mcp_guard.clients.known import CLIENTS
from mcp_guard.clients.planning import FilePlan
from mcp_guard.redaction.patterns import mask
from mcp_guard.redaction.text import MARK, safe_text

if TYPE_CHECKING:
    from rich.console import Console

    from mcp_guard.clients.changing import Change

_LOOK = {  # state: what is said of it, its colour
    "guard": ("to be guarded", "green"),
    "changed": ("to be changed", "green"),
    "guarded": ("guarded", "dim"),
    "left": ("LEFT AS IT IS", "yellow"),
}
_LINES = {"+": "green", "-": "red"}
_CONTEXT, _INDENT, _TAB = 2, 4, 4
_LONGEST = 400  # characters of a line that is shown


def print_changes(changes: "Sequence[Change]", *, narrowed: bool) -> None:
    """Every file with servers, and what would change in it; or that there is none (`narrowed`: of those asked for)."""
    out = console()
    shown = [change for change in changes if change.plan.servers]
    for change in shown:
        _print_file(out, change)
    if not shown:
        which = "No such servers" if narrowed else "No servers"
        out.print(f"{which} were found in the configurations of: {', '.join(one.title for one in CLIENTS.values())}")
        out.print("To put a guard in front of a server by hand: mcp-guard run --help", style="dim")
    elif not any(change.is_needed for change in shown):
        out.print("Nothing to change.")


def _print_file(out: "Console", change: "Change") -> None:
    plan = change.plan
    out.print(f"{CLIENTS[plan.file.client].title}  {short(plan.file.path)}", style="bold", markup=False)
    width = max(len(safe_text(server.name, 60)) for server in plan.servers)
    for server in plan.servers:
        words, colour = _LOOK[server.state]
        out.print(f"  {safe_text(server.name, 60):<{width}}  ", end="", markup=False)
        out.print(words, style=colour, end="")
        where = f" (in {safe_text(short(server.at[1]), 200)})" if server.scope == "local" else ""
        out.print(where + (f": {server.why}" if server.why else ""), markup=False)
    if change.is_needed and any(server.scope == "project" for server in plan.servers):
        out.print("  This file belongs to a project: whoever shares it gets these paths of yours.", style="yellow")
    for line in _diff(plan):
        print_indented(Text(line, style=_LINES.get(line[:1], "")), _INDENT)
    for path, _ in plan.guards:
        out.print(f"  + {short(path)}: the servers behind it", style="green", markup=False)
    out.print()


def _diff(plan: FilePlan) -> Iterator[str]:
    """The lines that change, with a few around them; values of variables and headers are not shown."""
    if plan.before == plan.after:
        return
    at = list({server.at for server in plan.servers})
    before, after = (syntaxes.masked(plan.file.syntax, text, at).splitlines() for text in (plan.before, plan.after))
    for number, line in enumerate(difflib.unified_diff(before, after, lineterm="", n=_CONTEXT)):
        if number >= 2:  # the names of the files
            yield safe_text(mask("⋯" if line.startswith("@@") else line.expandtabs(_TAB), MARK), _LONGEST)


def print_next(done: "Sequence[Change]", policy: str, *, observes: bool) -> None:
    """What was done, and how to go on. `observes`: whether the guards stop nothing yet."""
    from mcp_guard.clients.records import home

    out = console()
    for change in done:
        out.print(f"Changed {short(change.content.path)}", markup=False)
    out.print(f"The files as they were are in {short(home())}", markup=False)
    out.print("\nNext", style="bold")
    steps = [("restart your clients, use them, and see what they do", "mcp-guard log --follow")]
    if observes:
        steps += [
            ("nothing is stopped yet; see what would be (`would ask`, `would deny`)", "mcp-guard log"),
            ("make the policy yours", short(policy)),
            ("once the log shows nothing that you would miss", "mcp-guard init --mode enforce"),
        ]
    steps += [("see whether all is well", "mcp-guard doctor"), ("take all of it out again", "mcp-guard init --undo")]
    for what, command in steps:
        out.print(f"  {what}:", style="dim", markup=False)
        out.print(f"    {command}", markup=False)

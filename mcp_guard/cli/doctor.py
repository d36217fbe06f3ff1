"""`mcp-guard doctor`: look at clients, servers, policies, log, permissions and versions, and say what to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from mcp_guard.cli.house import House
from mcp_guard.cli.options import AsJson
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING, console, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_guard.cli.health.finding import Finding

app = House()

_LOOK = {
    "ok": ("ok", "green"),
    "note": ("note", "dim"),
    "warning": ("WARNING", "yellow"),
    "error": ("ERROR", "bold red"),
}
_WIDTH = 7


@app.command(epilog="Examples:\n  mcp-guard doctor\n  mcp-guard doctor --start --json")
def doctor(
    start: Annotated[
        bool, typer.Option("--start", help="Also start each server and ask for its tools. No tool is called.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at clients, servers, policies, audit log, permissions and versions; exit 1 where something is wrong."""
    found = _examined(start=start)
    everything = [one for findings in found.values() for one in findings]
    if as_json:
        print_json({"wrong": any(one.level == "error" for one in everything), "findings": found})
    else:
        _print(found)
    raise SystemExit(EXIT_FINDING if any(one.level == "error" for one in everything) else EXIT_DONE)


def _examined(*, start: bool) -> "Mapping[str, Sequence[Finding]]":
    from mcp_guard.cli.health import clients, permissions, policies, stores, upstreams, versions
    from mcp_guard.cli.health.guards import seen
    from mcp_guard.clients import known

    files = known.files(known.surroundings())
    servers, unread = seen(files)
    return {
        "versions": list(versions.check()),
        "clients": list(clients.check(files, servers, unread)),
        "servers": list(upstreams.check(servers, start=start)),
        "policies": list(policies.check(servers)),
        "log": list(stores.check(servers)),
        "permissions": list(permissions.check(servers)),
    }


def _print(found: "Mapping[str, Sequence[Finding]]") -> None:
    from mcp_guard.gate.approvals.showing import visible

    out = console()
    for title, findings in found.items():
        if findings:
            out.print(title.capitalize(), style="bold")
        for one in findings:
            word, colour = _LOOK[one.level]
            out.print(f"  {word:<{_WIDTH}}  ", style=colour, end="")
            out.print(visible(f"{one.subject}: {one.what}"), markup=False)
            if one.hint:
                out.print(f"  {'':<{_WIDTH}}  {visible(one.hint)}", style="dim", markup=False)
    levels = [one.level for findings in found.values() for one in findings]
    errors, warnings = levels.count("error"), levels.count("warning")
    out.print(f"\nErrors: {errors}, warnings: {warnings}" if errors or warnings else "\nAll is well.")

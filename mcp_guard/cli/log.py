"""`mcp-guard log`: the events, as a table for a person or as JSON Lines for a program. Reads options, asks, prints."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_guard.cli.house import House
from mcp_guard.cli.options import Database, Since, Until, period

if TYPE_CHECKING:
    from mcp_guard.store.reader import RecordedEvent

LATEST = 50
ROUTINE = ("tool.completed", "prompt.completed", "resource.completed", "tools.listed")  # shown only where asked for
_POLL = 0.25  # seconds between two looks of --follow
_SAMPLE = 200  # lines that the widths of the columns are made for

app = House()

_GLOB = "a name or a glob"


@app.command(epilog="Example: mcp-guard log --since 2h --decision deny")
def log(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing events as they come.")] = False,
    since: Since = None,
    until: Until = None,
    agent: Annotated[str | None, typer.Option(metavar="GLOB", help=f"The agent: {_GLOB}.")] = None,
    user: Annotated[str | None, typer.Option(metavar="GLOB", help=f"The user: {_GLOB}.")] = None,
    server: Annotated[str | None, typer.Option(metavar="GLOB", help=f"The server: {_GLOB}.")] = None,
    tool: Annotated[str | None, typer.Option(metavar="GLOB", help=f"The tool, prompt or URI: {_GLOB}.")] = None,
    decision: Annotated[str | None, typer.Option(metavar="OUTCOME", help="allow, deny or require_approval.")] = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Such as tool.completed, or `all`; repeatable. Default: all but completions and lists.",
        ),
    ] = None,
    connection: Annotated[str | None, typer.Option(metavar="ID", help="One connection.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help=f"The newest N; {LATEST} where neither --since nor --until is given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines: one object for each event.")] = False,
    db: Database = None,
) -> None:
    """Show what has been recorded, newest last: connections, calls with their outcomes, changes of policy and tools."""
    from mcp_guard.store.follow import follow as follow_events
    from mcp_guard.store.location import default_database
    from mcp_guard.store.reader import newest_seq, read_events

    shown, hidden = _types(types)
    filters = replace(
        period(since, until),
        agent=agent,
        user=user,
        server=server,
        tool=tool,
        decision=_decision(decision),
        types=shown,
        except_types=hidden,
        connection=connection,
    )
    path = db or default_database()
    end = newest_seq(path)
    there = read_events(path, replace(filters, upto=end), newest=limit or (None if since or until else LATEST))
    coming = follow_events(path, replace(filters, after=end), _pause) if follow else iter(())
    try:
        _print_json(chain(there, coming)) if as_json else _print_table(there, coming, follow)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough; nothing is left to be flushed at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _pause() -> None:
    sys.stdout.flush()
    time.sleep(_POLL)


def _decision(name: str | None) -> str | None:
    known = ("allow", "deny", "require_approval")
    if name is not None and name not in known:
        raise typer.BadParameter(f"{name!r} is no decision; there are {', '.join(known)}", param_hint="--decision")
    return name


def _types(names: list[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which types to show and which to leave out."""
    from typing import get_args

    from mcp_guard.events import EventType
    from mcp_guard.policy.diagnostics import closest

    for name in names or ():
        if name != "all" and name not in get_args(EventType):
            near = closest(name, get_args(EventType))
            meant = f"did you mean `{near}`?" if near else f"there are all, {', '.join(get_args(EventType))}"
            raise typer.BadParameter(f"{name!r} is no type of event; {meant}", param_hint="--type")
    if not names:
        return (), ROUTINE
    return ((), ()) if "all" in names else (tuple(names), ())


def _print_json(events: "Iterator[RecordedEvent]") -> None:
    from mcp_guard.cli.log_lines import json_line

    for event in events:
        sys.stdout.write(json_line(event) + "\n")


def _print_table(there: "Iterator[RecordedEvent]", coming: "Iterator[RecordedEvent]", following: bool) -> None:
    from mcp_guard.cli.columns import Columns
    from mcp_guard.cli.log_lines import HEADINGS, LEAST, WHOLE, WIDEST, line
    from mcp_guard.cli.output import console, say_note

    widest = WIDEST if console().is_terminal else WHOLE
    first = [line(event, widest) for event in islice(there, _SAMPLE)]
    more = following or len(first) == _SAMPLE
    columns = Columns(HEADINGS, first, LEAST if more else ())
    columns.print(line(event, widest) for event in chain(there, coming))
    if not (first or following):
        say_note("no such events are recorded")

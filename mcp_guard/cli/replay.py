"""`mcp-guard replay`: what another policy would have decided about every recorded call. Reads options, asks, prints."""

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_guard.cli.moments import moment
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING

if TYPE_CHECKING:
    from mcp_guard.policy import Policy
    from mcp_guard.store.reader import Filters, RecordedEvent

_TICK = 0.1  # seconds between two looks of the progress line

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: mcp-guard replay --policy new.yaml --since 7d")
def replay(
    policy: Annotated[list[str], typer.Option(metavar="FILE", help="The policy to ask; several make one.")],
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="2h, 3d, today, 2026-11-21, …")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="The same; a day is meant whole.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="GLOB", help="Calls of this agent only.")] = None,
    server: Annotated[str | None, typer.Option(metavar="GLOB", help="Calls to this server only.")] = None,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit with 1 where any outcome would be another.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    db: Annotated[str | None, typer.Option(metavar="FILE", help="The audit log; default: that of `run`.")] = None,
) -> None:
    """Decide every recorded call again, under another policy, and show what would change."""
    from mcp_guard.cli.replay_report import print_json, print_summary
    from mcp_guard.insight.replay import replay as replay_calls
    from mcp_guard.store.location import default_database
    from mcp_guard.store.reader import Filters

    now = datetime.now()
    filters = Filters(
        since=moment(since, now, "--since") if since else None,
        until=moment(until, now, "--until", end=True) if until else None,
        agent=agent,
        server=server,
        types=("tool.decided",),
    )
    results = replay_calls(_recorded(db or default_database(), filters), _load(policy))
    changed = print_json(results) if as_json else print_summary(results, ", ".join(policy))
    raise SystemExit(EXIT_FINDING if changed and fail_on_change else EXIT_DONE)


def _load(paths: list[str]) -> "Policy":
    from mcp_guard.cli.policy_files import PolicyFiles
    from mcp_guard.policy import Source, load

    return load([Source(path, text) for path, text in PolicyFiles(paths).read()])


def _recorded(path: str, filters: "Filters") -> "Iterator[RecordedEvent]":
    """The recorded calls; on a terminal, with a line that says how far the reading has come."""
    from dataclasses import replace

    from mcp_guard.store.reader import newest_seq, read_events

    end = newest_seq(path)
    events = read_events(path, replace(filters, upto=end))
    return _with_progress(events, end) if sys.stderr.isatty() else events


def _with_progress(events: "Iterator[RecordedEvent]", end: int) -> "Iterator[RecordedEvent]":
    shown = time.monotonic()
    try:
        for event in events:
            yield event
            if time.monotonic() - shown > _TICK:
                shown = time.monotonic()
                sys.stderr.write(f"\rreplaying: {event.seq * 100 // end} % ")
                sys.stderr.flush()
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

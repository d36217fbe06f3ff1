"""`mcp-guard replay`: what another policy would have decided about every recorded call. Reads options, asks, prints."""

from datetime import datetime
from typing import Annotated

import typer

from mcp_guard.cli.moments import moment
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: mcp-guard replay --policy new.yaml --since 7d")
def replay(
    policy: Annotated[list[str], typer.Option(metavar="FILE", help="The policy to ask; several make one.")],
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Compare with this policy's decisions, not with those recorded; repeatable."),
    ] = None,
    against_git: Annotated[
        str | None, typer.Option(metavar="REV", help="Compare with the policy as it was at this git revision.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="2h, 3d, today, 2026-11-21, …")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="The same; a day is meant whole.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="GLOB", help="Calls of this agent only.")] = None,
    server: Annotated[str | None, typer.Option(metavar="GLOB", help="Calls to this server only.")] = None,
    tool: Annotated[str | None, typer.Option(metavar="GLOB", help="Calls of this tool only.")] = None,
    export: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the calls as tests, for `mcp-guard policy test`.")
    ] = None,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit with 1 where any outcome would be another.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    db: Annotated[str | None, typer.Option(metavar="FILE", help="The audit log; default: that of `run`.")] = None,
) -> None:
    """Decide every recorded call again, under another policy, and show what would change."""
    from mcp_guard.cli.policy_sources import candidate, compared_with
    from mcp_guard.cli.replaying import Asked, as_document, as_report
    from mcp_guard.store.location import default_database
    from mcp_guard.store.reader import Filters

    now = datetime.now()
    filters = Filters(
        since=moment(since, now, "--since") if since else None,
        until=moment(until, now, "--until", end=True) if until else None,
        agent=agent,
        server=server,
        tool=tool,
    )
    compared = compared_with(policy, against, against_git)
    other, name = (compared.candidate, compared.name) if compared else (None, None)
    asked = Asked(db or default_database(), filters, candidate(policy), ", ".join(policy), other, name, export)
    changed = as_document(asked) if as_json else as_report(asked)
    raise SystemExit(EXIT_FINDING if changed and fail_on_change else EXIT_DONE)

"""`mcp-guard replay`: what another policy would have decided about every recorded call. Reads options, asks, prints."""

from dataclasses import replace
from typing import Annotated

import typer

from mcp_guard.cli.house import House
from mcp_guard.cli.options import AsJson, Database, OfAgent, OfTool, Since, ToServer, Until, period
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING

app = House()


@app.command(epilog="Example: mcp-guard replay --policy new.yaml --since 7d")
def replay(
    policy: Annotated[
        list[str], typer.Option(metavar="FILE", help="The policy to ask; several make one list of rules.")
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Compare with this policy's decisions, not with those recorded; repeatable."),
    ] = None,
    against_git: Annotated[
        str | None, typer.Option(metavar="REV", help="Compare with the policy as it was at this git revision.")
    ] = None,
    since: Since = None,
    until: Until = None,
    agent: OfAgent = None,
    server: ToServer = None,
    tool: OfTool = None,
    export: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the calls as tests, for `mcp-guard policy test`.")
    ] = None,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit with 1 where any outcome would be another.")
    ] = False,
    as_json: AsJson = False,
    db: Database = None,
) -> None:
    """Decide every recorded call again, under another policy, and show what would change."""
    from mcp_guard.cli.policy_sources import candidate, compared_with
    from mcp_guard.cli.replaying import Asked, as_document, as_report
    from mcp_guard.store.location import default_database

    filters = replace(period(since, until), agent=agent, server=server, tool=tool)
    compared = compared_with(policy, against, against_git)
    other, name = (compared.candidate, compared.name) if compared else (None, None)
    asked = Asked(db or default_database(), filters, candidate(policy), ", ".join(policy), other, name, export)
    changed = as_document(asked) if as_json else as_report(asked)
    raise SystemExit(EXIT_FINDING if changed and fail_on_change else EXIT_DONE)

"""`mcp-guard policy impact`: what a rule or a policy would do, before it does. Reads options, asks, prints."""

import time
from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.output import EXIT_DONE

EPILOG = "Example: mcp-guard policy impact new.yaml --against policy.yaml"
_DAY = 86_400  # seconds


def impact(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Policy files; several make one list of rules.")
    ],
    rule: Annotated[
        str | None, typer.Option(metavar="ID", help="This rule only: the policy with and without it.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Compare with this policy, not with what was recorded; repeatable."),
    ] = None,
    against_git: Annotated[
        str | None, typer.Option(metavar="REV", help="Compare with the policy as it was at this git revision.")
    ] = None,
    days: Annotated[int, typer.Option(metavar="N", min=1, help="Look at the calls of the last N days.")] = 30,
    as_json: AsJson = False,
    db: Database = None,
) -> None:
    """Show which tools, callers and rules a policy touches, and which recorded calls it would decide otherwise."""
    from mcp_guard.cli.impact_report import print_impact, print_json_impact
    from mcp_guard.cli.policy_sources import candidate, compared_with
    from mcp_guard.cli.replaying import Asked, tally_of
    from mcp_guard.insight.foresight import Report, comparison, foresee
    from mcp_guard.store.location import default_database
    from mcp_guard.store.reader import Filters

    compared = compared_with(files, against, against_git)
    asked = comparison(candidate(files), rule, compared.candidate if compared else None)
    path, filters = db or default_database(), Filters(since=round((time.time() - days * _DAY) * 1_000_000))
    foresight = foresee(path, asked, filters)
    calls = tally_of(Asked(path, filters, asked.policy, ", ".join(files), asked.against))
    report = Report(foresight, days, calls)
    if as_json:
        print_json_impact(report, files, compared.name if compared else None)
    else:
        print_impact(report, ", ".join(files), compared.name if compared else None)
    raise SystemExit(EXIT_DONE)

"""Options that many commands have, said once: which log is asked, about which calls, how the answer is printed."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_guard import user_directories
from mcp_guard.cli.moments import moment
from mcp_guard.cli.output import short
from mcp_guard.store.location import default_database

if TYPE_CHECKING:
    from mcp_guard.store.reader import Filters

LOG_IS_AT = f"Default: {short(default_database())}"  # `--help` names the file: a person may want to open it
OWN_POLICY = f"Default: your own, {short(user_directories.policy())}"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Database = Annotated[str | None, typer.Option("--db", metavar="FILE", help=f"The audit log. {LOG_IS_AT}")]
Since = Annotated[str | None, typer.Option(metavar="WHEN", help="2h, 3d, today, 2026-11-21, …")]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="The same; a day is meant whole.")]
OfAgent = Annotated[str | None, typer.Option(metavar="GLOB", help="Calls of this agent only.")]
ToServer = Annotated[str | None, typer.Option(metavar="GLOB", help="Calls to this server only.")]
OfTool = Annotated[str | None, typer.Option(metavar="GLOB", help="Calls of this tool only.")]


def period(since: str | None, until: str | None) -> "Filters":
    """What was recorded in this time. Raises typer.BadParameter."""
    from mcp_guard.store.reader import Filters

    now = datetime.now()
    return Filters(
        since=moment(since, now, "--since") if since else None,
        until=moment(until, now, "--until", end=True) if until else None,
    )

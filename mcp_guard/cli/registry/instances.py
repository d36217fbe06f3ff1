"""`mcp-guard instances`: which clients are connected, and ending one connection."""

from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.registry.shared import Reason, group, look, open_book, show_one, show_rows

app = group("Which clients are connected.")

Instance = Annotated[str, typer.Argument(metavar="ID", help="The instance, as `instances list` shows it.")]

_COLUMNS = {
    "id": "INSTANCE",
    "agent": "AGENT",
    "user": "USER",
    "server": "SERVER",
    "client_version": "VERSION",
    "host": "HOST",
    "first_seen": "SINCE",
    "last_seen": "SEEN",
    "status": "STATUS",
}


@app.command("list", epilog="Example: mcp-guard instances list --agent claude-code")
def list_instances(
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="Only this agent's.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that are gone.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the connected clients, latest first."""
    from mcp_guard.store.registry import instances

    with look(db) as book:
        rows = instances.listed(book, agent=agent, ended=ended)
    none = "nobody is connected" if agent is None else f"`{agent}` is not connected"
    show_rows(rows, _COLUMNS, as_json=as_json, none=none)


@app.command(epilog="Example: mcp-guard instances show 01M7YXM50RDX12AYDBE7JH1MAH")
def show(instance: Instance, db: Database = None, as_json: AsJson = False) -> None:
    """Show one connected client."""
    from mcp_guard.store.registry import instances

    with look(db) as book:
        found = instances.get(book, instance)
    show_one(found, as_json=as_json)


@app.command(epilog="Example: mcp-guard instances disconnect 01M7YXM50RDX12AYDBE7JH1MAH --reason 'laptop lost'")
def disconnect(instance: Instance, reason: Reason = "", db: Database = None, as_json: AsJson = False) -> None:
    """End one connection. Its guard ends it with the next message, or within a second."""
    from mcp_guard.store.registry import instances

    with open_book(db) as book:
        ended = instances.disconnect(book, instance, reason)
    show_one(ended, as_json=as_json)

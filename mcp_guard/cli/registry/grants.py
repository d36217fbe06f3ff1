"""`mcp-guard grants`: what an agent is given, or forbidden, beside the policy."""

from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.registry.shared import (
    Expires,
    Reason,
    expiry,
    group,
    look,
    none_of,
    note_strangers,
    open_book,
    show_one,
    show_rows,
)

app = group("What an agent is given, or forbidden, beside the policy.")

_COLUMNS = {
    "id": "ID",
    "agent": "AGENT",
    "pattern": "TOOLS",
    "effect": "EFFECT",
    "granted_by": "BY",
    "expires_at": "UNTIL",
    "reason": "REASON",
}


@app.command("list", epilog="Example: mcp-guard grants list --agent cursor")
def list_grants(
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="Only this agent's.")] = None,
    expired: Annotated[bool, typer.Option("--expired", help="Also those that have expired.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the grants."""
    from mcp_guard.store.registry import grants

    with look(db) as book:
        rows = grants.listed(book, agent=agent, expired=expired)
    show_rows(rows, _COLUMNS, as_json=as_json, none=none_of("grants", agent))


@app.command(
    epilog="Example: mcp-guard grants add --agent cursor --tool 'github:create_*' --expires 3d --reason 'release'"
)
def add(
    agent: Annotated[str, typer.Option(metavar="SLUG", help="The agent.")],
    tool: Annotated[str, typer.Option(metavar="PATTERN", help="TOOL or SERVER:TOOL, with `*` for any run.")],
    deny: Annotated[bool, typer.Option("--deny", help="Forbid it instead, whatever the policy says.")] = False,
    expires: Expires = None,
    reason: Reason = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give an agent tools that no rule speaks of, or forbid tools to it. A deny rule outranks what is given."""
    from mcp_guard.store.registry import grants

    with open_book(db, anew=True) as book:
        made = grants.add(book, agent, tool, "deny" if deny else "allow", reason=reason, expires=expiry(expires))
        note_strangers(book, agent=agent, tool=tool)
    show_one(made, as_json=as_json)


@app.command(epilog="Example: mcp-guard grants revoke 01M7YXWRSC4FE8VAYJT0G6F8X3")
def revoke(
    grant: Annotated[str, typer.Argument(metavar="ID", help="The grant, as `grants list` shows it.")],
    reason: Reason = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a grant back."""
    from mcp_guard.store.registry import grants

    with open_book(db) as book:
        gone = grants.revoke(book, grant, reason)
    show_one(gone, as_json=as_json)

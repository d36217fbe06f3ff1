"""`mcp-guard overrides`, `stop` and `resume`: what is stopped for now, or put behind a person's approval."""

from typing import Annotated

import typer

from mcp_guard.cli.house import House
from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.output import bad_input
from mcp_guard.cli.registry.shared import (
    Expires,
    Reason,
    expiry,
    for_whom,
    group,
    look,
    none_of,
    note_strangers,
    open_book,
    show_one,
    show_rows,
)

app = group("What is stopped for now, or put behind a person's approval.")
stop_app, resume_app = (House() for _ in range(2))

Whom = Annotated[str | None, typer.Option("--agent", metavar="SLUG", help="This agent.")]
Everyone = Annotated[bool, typer.Option("--all", help="Every agent.")]

_COLUMNS = {
    "id": "ID",
    "agent": "AGENT",
    "pattern": "TOOLS",
    "effect": "EFFECT",
    "brake": "STOP",
    "created_by": "BY",
    "expires_at": "UNTIL",
    "reason": "REASON",
}


@app.command("list", epilog="Example: mcp-guard overrides list")
def list_overrides(
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="Only those in force for this agent.")] = None,
    expired: Annotated[bool, typer.Option("--expired", help="Also those that have expired.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the overrides."""
    from mcp_guard.store.registry import overrides

    with look(db) as book:
        rows = overrides.listed(book, agent=agent, expired=expired)
    show_rows(
        [for_whom(row, as_json=as_json) for row in rows], _COLUMNS, as_json=as_json, none=none_of("overrides", agent)
    )


@app.command(
    epilog="Example: mcp-guard overrides add --agent cursor --tool 'delete_*' --deny --expires 2h --reason freeze"
)
def add(
    tool: Annotated[str, typer.Option(metavar="PATTERN", help="TOOL or SERVER:TOOL, with `*` for any run.")],
    deny: Annotated[bool, typer.Option("--deny", help="Deny it.")] = False,
    require_approval: Annotated[bool, typer.Option("--require-approval", help="Ask a person each time.")] = False,
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="This agent; every one if left out.")] = None,
    expires: Expires = None,
    reason: Reason = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Deny tools, or put them behind a person's approval, from the next call on."""
    from mcp_guard.store.registry import overrides

    if deny == require_approval:
        bad_input("say what the override does", "give --deny or --require-approval")
    effect = "deny" if deny else "require_approval"
    with open_book(db, anew=True) as book:
        made = overrides.add(book, agent, tool, effect, reason=reason, expires=expiry(expires))
        note_strangers(book, agent=agent, tool=tool)
    show_one(for_whom(made, as_json=as_json), as_json=as_json)


@app.command(epilog="Example: mcp-guard overrides remove 01M7YXWRSD2PNR8FN3ZADSCF8R")
def remove(
    override: Annotated[str, typer.Argument(metavar="ID", help="The override, as `overrides list` shows it.")],
    reason: Reason = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take an override away."""
    from mcp_guard.store.registry import overrides

    with open_book(db) as book:
        gone = overrides.remove(book, override, reason)
    show_one(for_whom(gone, as_json=as_json), as_json=as_json)


@stop_app.command(epilog="Example: mcp-guard stop --all --reason incident")
def stop(
    agent: Whom = None,
    everyone: Everyone = False,
    expires: Expires = None,
    reason: Reason = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """The emergency brake: from the next call on, deny everything to an agent, or to every one."""
    from mcp_guard.store.registry import overrides

    whom = _whom(agent, everyone)
    with open_book(db) as book:
        made = overrides.stop(book, whom, reason=reason, expires=expiry(expires))
        note_strangers(book, agent=whom)
    show_one(for_whom(made, as_json=as_json), as_json=as_json)


@resume_app.command(epilog="Example: mcp-guard resume --all")
def resume(
    agent: Whom = None, everyone: Everyone = False, reason: Reason = "", db: Database = None, as_json: AsJson = False
) -> None:
    """Release the emergency brake of an agent, or every one."""
    from mcp_guard.store.registry import overrides

    whom = _whom(agent, everyone)
    with open_book(db) as book:
        released = overrides.resume(book, whom, reason)
    show_rows(
        [for_whom(row, as_json=as_json) for row in released], _COLUMNS, as_json=as_json, none="nothing is stopped"
    )


def _whom(agent: str | None, everyone: bool) -> str | None:
    """The agent that is meant; None for every one."""
    if (agent is None) is not everyone:
        bad_input("say whom this is about", "give --agent SLUG, or --all")
    return agent

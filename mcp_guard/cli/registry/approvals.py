"""`mcp-guard approvals`: the calls (prompts, resources) that wait for a person, and deciding them.

An agent must not approve for itself: in an agent's shell nothing is decided (see `shared.open_book`).
"""

from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.registry.shared import Row, expiry, group, look, none_of, open_book, show_one, show_rows

app = group("The calls that wait for a person, and deciding them.")

Approval = Annotated[str, typer.Argument(metavar="ID", help="The approval, as `approvals list` shows it.")]
Comment = Annotated[str, typer.Option(metavar="TEXT", help="What to say to it; the agent is shown it with a denial.")]

_ONLY_ONCE = "Approve it only if you know what is left out; it can be approved once, and no more."
_COLUMNS = {
    "id": "ID",
    "agent": "AGENT",
    "user": "USER",
    "server": "SERVER",
    "method": "METHOD",
    "tool": "TOOL",
    "status": "STATUS",
    "expires_at": "UNTIL",
    "reason": "REASON",
}


@app.command("list", epilog="Example: mcp-guard approvals list")
def list_approvals(
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="Only this agent's.")] = None,
    status: Annotated[
        str, typer.Option(metavar="STATUS", help="pending, approved, denied, withdrawn or expired.")
    ] = "pending",
    everything: Annotated[bool, typer.Option("--all", help="Those of every status.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the calls that wait for a person, oldest first."""
    from mcp_guard.store.registry import approvals

    with look(db) as book:
        rows = approvals.listed(book, status=None if everything else status, agent=agent)
    show_rows(rows, _COLUMNS, as_json=as_json, none=_none(agent, None if everything else status))


@app.command(epilog="Example: mcp-guard approvals show 01M7YXWRSD2PNR8FN3ZADSCF8R-a1")
def show(approval: Approval, db: Database = None, as_json: AsJson = False) -> None:
    """Show one, with the arguments that would run. What is left out of them, as it looks like a secret, is listed."""
    from mcp_guard.store.registry import approvals

    with look(db) as book:
        found = approvals.get(book, approval)
    _show(found, as_json=as_json)


@app.command(epilog="Example: mcp-guard approvals approve 01M7YXWRSD2PNR8FN3ZADSCF8R-a1 --scope grant --expires 30d")
def approve(
    approval: Approval,
    scope: Annotated[str, typer.Option(metavar="SCOPE", help="`once`, `session` or `grant`.")] = "once",
    expires: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="Until when a grant holds: `2h`, `30d`, `2026-12-31`.")
    ] = None,
    comment: Comment = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Let the call run: once, with all of this tool on its connection, or as a grant to its agent with an end."""
    from mcp_guard.store.registry import approvals

    with open_book(db) as book:
        made = approvals.approve(book, approval, scope, expires=expiry(expires), comment=comment)
    _show(made, as_json=as_json)


@app.command(epilog="Example: mcp-guard approvals deny 01M7YXWRSD2PNR8FN3ZADSCF8R-a1 --comment 'ask on Monday'")
def deny(approval: Approval, comment: Comment = "", db: Database = None, as_json: AsJson = False) -> None:
    """Deny the call."""
    from mcp_guard.store.registry import approvals

    with open_book(db) as book:
        made = approvals.deny(book, approval, comment=comment)
    _show(made, as_json=as_json)


def _none(agent: str | None, status: str | None) -> str:
    if agent is None and status == "pending":
        return "nothing waits for a person"
    return none_of("approvals", agent, status)


def _show(row: Row, *, as_json: bool) -> None:
    """One approval: what is left out of it first; the arguments after it, over several lines."""
    from mcp_guard.gate.approvals.form import block, left_out, place
    from mcp_guard.gate.approvals.showing import quoted

    if as_json:
        show_one(row, as_json=True)
        return
    if row["redacted"]:
        typer.secho(f"NOT ALL OF IT IS SHOWN. {_ONLY_ONCE}", fg="red", bold=True)
        for one in row["redacted"]:
            typer.secho(f"not shown: {place(one)}: {left_out(one)} ({one['why']})", fg="red")
        typer.echo()
    apart = ("arguments", "parameters", "redacted", "pattern")
    title, blank, *name = block("tool", [quoted(row["tool"])])
    fields = {**row, "tool": name[0].strip() if len(name) == 1 else "below"}
    show_one({name: value for name, value in fields.items() if name not in apart}, as_json=False)
    if len(name) > 1:
        typer.echo("\n".join(("", title, blank, *name)))
    if row["method"] != "resources/read":  # it has no arguments
        typer.echo(f"\narguments:\n{_json(row['arguments'])}")
    if row["parameters"] != {}:
        typer.echo(f"\nother parameters:\n{_json(row['parameters'])}")


def _json(value: object) -> str:
    """JSON text over several lines, in which everything shows."""
    import msgspec

    from mcp_guard.gate.approvals.showing import visible

    return "not kept" if value is None else visible(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())

"""`mcp-guard budgets`: what agents may spend, and what they have spent."""

from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.output import bad_input
from mcp_guard.cli.registry.shared import group, look, none_of, note_strangers, open_book, show_one, show_rows

app = group("What agents may spend, and what they have spent.")

_COLUMNS = {
    "id": "ID",
    "agent": "AGENT",
    "window": "WINDOW",
    "unit": "UNIT",
    "spent": "SPENT",
    "amount": "OF",
    "enforced": "ENFORCED",
    "alerts": "ALERTS",
    "resets_at": "RESETS",
}


@app.command("list", epilog="Example: mcp-guard budgets list --agent claude-code")
def list_budgets(
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="Only this agent's.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the budgets, with what is spent of each."""
    from mcp_guard.store.registry import budgets

    with look(db) as book:
        rows = budgets.listed(book, agent=agent)
    show_rows(rows, _COLUMNS, as_json=as_json, none=none_of("budgets", agent))


@app.command("set", epilog="Example: mcp-guard budgets set --agent claude-code --calls 500 --per hour")
def set_budget(
    agent: Annotated[str, typer.Option(metavar="SLUG", help="The agent.")],
    calls: Annotated[int | None, typer.Option(metavar="N", help="Calls, with --per.")] = None,
    per: Annotated[
        str | None, typer.Option(metavar="WINDOW", help="Of calls: minute, hour (if left out) or day.")
    ] = None,
    usd: Annotated[float | None, typer.Option(metavar="AMOUNT", help="US dollars a month instead.")] = None,
    enforce: Annotated[bool, typer.Option(help="Deny the next call once it is spent.")] = True,
    alerts: Annotated[bool, typer.Option(help="Tell of it at 80 % and at 100 %.")] = True,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Set what an agent may spend, in the place of what was set before. Windows begin with the UTC clock."""
    from mcp_guard.store.registry import budgets

    if calls is not None and usd is None:
        window, unit, amount = per or "hour", "calls", float(calls)
    elif usd is not None and calls is None:
        if per is not None:
            bad_input("--per is for calls", "a budget of dollars is one of a calendar month: leave --per out")
        window, unit, amount = "month", "usd", usd
    else:
        bad_input("say what is budgeted", "give --calls N or --usd AMOUNT")
    with open_book(db, anew=True) as book:
        made = budgets.put(book, agent, window, unit, amount, enforced=enforce, alerts=alerts)
        note_strangers(book, agent=agent)
    show_one(made, as_json=as_json)


@app.command(epilog="Example: mcp-guard budgets remove 01M7YXWRSDK9V27PV3GZXPK9P0")
def remove(
    budget: Annotated[str, typer.Argument(metavar="ID", help="The budget, as `budgets list` shows it.")],
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a budget away."""
    from mcp_guard.store.registry import budgets

    with open_book(db) as book:
        gone = budgets.remove(book, budget)
    show_one(gone, as_json=as_json)

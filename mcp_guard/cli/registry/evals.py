"""`mcp-guard evals`: how agents did when they were evaluated, and what they must have reached to call anything."""

from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.output import bad_input
from mcp_guard.cli.registry.shared import group, look, none_of, note_strangers, open_book, show_one, show_rows

app = group("How agents did when they were evaluated.")

Agent = Annotated[str, typer.Argument(metavar="AGENT", help="The agent.")]

_COLUMNS = {
    "agent": "AGENT",
    "suite": "SUITE",
    "pass_rate": "PASSED",
    "recorded_at": "WHEN",
    "recorded_by": "BY",
}


@app.command("list", epilog="Example: mcp-guard evals list --agent claude-code")
def list_evals(
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="Only this agent's.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the evaluations, latest first."""
    from mcp_guard.store.registry import evals

    with look(db) as book:
        rows = evals.listed(book, agent=agent)
    show_rows(rows, _COLUMNS, as_json=as_json, none=none_of("evaluations", agent))


@app.command(epilog="Example: mcp-guard evals record claude-code --pass-rate 0.93 --suite smoke")
def record(
    agent: Agent,
    pass_rate: Annotated[float, typer.Option(metavar="SHARE", help="What it passed, from 0 to 1.")],
    suite: Annotated[str, typer.Option(metavar="NAME", help="Of which suite.")] = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write down how an agent did. Its latest evaluation counts."""
    from mcp_guard.store.registry import evals

    with open_book(db, anew=True) as book:
        made = evals.record(book, agent, pass_rate, suite)
        note_strangers(book, agent=agent)
    show_one(made, as_json=as_json)


@app.command(epilog="Example: mcp-guard evals require claude-code --minimum 0.9")
def require(
    agent: Agent,
    minimum: Annotated[float | None, typer.Option(metavar="SHARE", help="The least that it must have passed.")] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="Ask for no evaluation any more.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Deny everything to an agent whose latest evaluation is below a minimum. One never evaluated passes."""
    from mcp_guard.store.registry import agents, evals

    if (minimum is None) is not nothing:
        bad_input("say what is required", "give --minimum SHARE, or --nothing")
    with open_book(db) as book:
        evals.require(book, agent, minimum)
        changed = agents.get(book, agent)
    show_one(changed, as_json=as_json)

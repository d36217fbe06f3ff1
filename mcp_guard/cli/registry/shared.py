"""What all commands over the registry share: the database, moments in the future, rows as people read them.

Lists and shows `look`: they need no more than the right to read the file. Everything else opens the registry with
`open_book`, which is the one place that refuses an agent's shell.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_guard.cli.credentials import VARIABLE
from mcp_guard.cli.house import House
from mcp_guard.cli.output import bad_input, print_json, say_note

if TYPE_CHECKING:
    from mcp_guard.store.registry.book import Book
    from mcp_guard.store.registry.looking import Looking

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with the change.")]
Expires = Annotated[
    str | None,
    typer.Option(metavar="MOMENT", help="Until when: `2h`, `30d`, `today`, `2026-12-31`; for good if left out."),
]
Row = Mapping[str, Any]  # as the book gives it


def group(about: str | None = None) -> typer.Typer:
    """A group of commands in the house style; one without a word about it has its commands where it is put."""
    return House(help=about, no_args_is_help=True)


def look(db: str | None) -> "Looking":
    """The registry to look into. Makes no file."""
    from mcp_guard.store.location import default_database
    from mcp_guard.store.registry.looking import Looking

    return Looking(db or default_database())


def open_book(db: str | None, *, anew: bool = False) -> "Book":
    """The registry to be changed by the person who is logged in. `anew`: what is done makes sense on a file that is not
    there yet as well, which is made then. Raises StoreError; ends the command where an agent asks.
    """
    from mcp_guard.cli.guard import login
    from mcp_guard.store.errors import missing
    from mcp_guard.store.location import default_database
    from mcp_guard.store.registry.book import Book

    _refuse_agents()
    path = db or default_database()
    if not anew and not os.path.exists(path):
        raise missing(path)
    return Book(path, login())


def _refuse_agents() -> None:
    """An agent approves nothing for itself, and gives itself nothing: its shell is known by the credential in it."""
    if os.environ.get(VARIABLE):
        bad_input(
            f"{VARIABLE} is set: this is the shell of an agent, which cannot approve for itself or change the registry",
            "do it in a shell of your own",
        )


def note_strangers(book: "Book", *, agent: str | None = None, tool: str | None = None) -> None:
    """Tell where a change is about an agent or a tool that nobody has heard of yet: it may be mistyped."""
    from mcp_guard.store.registry.strangers import strange_agent, strange_tool

    notes = (agent and strange_agent(book, agent), tool and strange_tool(book, tool))
    for note in filter(None, notes):
        say_note(note)


def none_of(what: str, *filters: object) -> str:
    """What is said where a list is empty: in all, or of what was asked for."""
    return f"no {what} match" if any(one is not None for one in filters) else f"no {what}"


def expiry(text: str | None) -> int | None:
    """Microseconds since the epoch for `--expires`. Raises typer.BadParameter."""
    if text is None:
        return None
    from datetime import datetime

    from mcp_guard.cli.moments import later

    return later(text, datetime.now().astimezone(), "--expires")


def show_rows(rows: Sequence[Row], columns: Mapping[str, str], *, as_json: bool, none: str) -> None:
    """Rows as JSON, or as a table of some of their columns (name: heading); `none` is said where there are none."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo(none)
        return
    from mcp_guard.cli.registry.tables import print_table

    print_table(list(columns.values()), [[cell(name, row[name]) for name in columns] for row in rows])


def for_whom(row: Row, *, as_json: bool) -> Row:
    """An override as it is shown to people: `agent` says so where it is for every one."""
    return row if as_json or row["agent"] else {**row, "agent": "(all)"}


def show_one(row: Row, *, as_json: bool) -> None:
    """One row, a line for each of its fields."""
    if as_json:
        print_json(row)
        return
    from mcp_guard.cli.registry.tables import print_record

    print_record([(name, cell(name, value)) for name, value in row.items()])


def cell(name: str, value: object) -> str:
    """What stands in a table for a value of this column: printable, moments in local time, nothing as a dot."""
    from mcp_guard.cli.columns import NOTHING
    from mcp_guard.policy.diagnostics import printable

    if value is None or value == "" or value == []:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return printable(", ".join(map(str, value)))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, float):
        return f"{value:g}"
    if name.endswith(("_at", "_seen")):
        from datetime import datetime

        return datetime.fromisoformat(str(value)).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return printable(str(value))

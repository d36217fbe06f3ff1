"""What all commands over the registry share: the database, who is asking, moments in the future, rows as people read
them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_guard.cli.output import print_json

if TYPE_CHECKING:
    from mcp_guard.store.registry.book import Book

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with the change.")]
Expires = Annotated[
    str | None, typer.Option(metavar="MOMENT", help="Until when: `2h`, `30d`, `2026-12-31`; for good if left out.")
]
Row = Mapping[str, Any]  # as the book gives it


def group() -> typer.Typer:
    """A group of commands in the house style."""
    return typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


def open_book(db: str | None) -> "Book":
    """The registry, for the person who is logged in. Raises StoreError."""
    from mcp_guard.cli.guard import login
    from mcp_guard.store.location import default_database
    from mcp_guard.store.registry.book import Book

    return Book(db or default_database(), login())


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
    from mcp_guard.cli.columns import Columns

    Columns(list(columns.values()), [[cell(name, row[name]) for name in columns] for row in rows])


def show_one(row: Row, *, as_json: bool) -> None:
    """One row, a line for each of its fields."""
    if as_json:
        print_json(row)
        return
    from mcp_guard.cli.columns import Columns

    (first, value), *others = row.items()
    Columns([first, cell(first, value)], [[name, cell(name, value)] for name, value in others])


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

"""Rows as people read them: a table where the terminal is wide enough for it, else each row with a line for each field.

The invariant: nothing is left out without a word. A column that says the same on every line may make room for the
others, and is then told of below the table.
"""

from collections.abc import Sequence

import typer

from mcp_guard.cli.columns import NOTHING, Columns
from mcp_guard.cli.output import console

_FIRST, _OTHERS, _LAST = 31, 24, 16  # columns of a terminal that the first, each other and the last are not cut below
_GAP = 2

Lines = Sequence[Sequence[str]]


def print_table(headings: Sequence[str], rows: Lines) -> None:
    """Rows of printable cells under their headings."""
    screen = console()
    if not screen.is_terminal:
        Columns(headings, rows)
        return
    shown = list(range(len(headings)))
    if _fitted(_picked([headings, *rows], shown), screen.width) is None:
        shown = _telling(rows)
    picked = _picked([headings, *rows], shown)
    widths = _fitted(picked, screen.width)
    if widths is None:
        for row in rows:
            print_record([(name, cell) for name, cell in zip(headings, row, strict=True) if cell != NOTHING])
            typer.echo()
        return
    Columns(picked[0], picked[1:], widths=widths)
    same = [f"{headings[one]} {rows[0][one]}" for one in range(len(headings)) if one not in shown]
    if same:
        screen.print(f"on every line: {', '.join(same)}", style="dim", markup=False)


def print_record(fields: Sequence[tuple[str, str]]) -> None:
    """A line for each field, however long: a terminal wraps it."""
    widest = max(len(name) for name, _ in fields)
    for name, cell in fields:
        typer.echo(f"{name:<{widest}}{' ' * _GAP}{cell}")


def _telling(rows: Lines) -> list[int]:
    """The first column, and those that do not say the same on every line."""
    columns = list(zip(*rows, strict=True))
    return [one for one, cells in enumerate(columns) if one == 0 or len(rows) == 1 or len(set(cells)) > 1]


def _picked(lines: Lines, columns: Sequence[int]) -> list[list[str]]:
    return [[line[one] for one in columns] for line in lines]


def _fitted(lines: Lines, width: int) -> list[int] | None:
    """What each column but the last takes in a terminal of this width; None where that would cut too much."""
    from rich.cells import cell_len

    wanted = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    least = [_FIRST, *[_OTHERS] * (len(wanted) - 1)]
    least[-1] = _LAST if len(wanted) > 1 else _FIRST
    widths = [min(pair) for pair in zip(wanted, least, strict=True)]
    spare = width - sum(widths) - _GAP * (len(widths) - 1)
    if spare < 0:
        return None
    for one in sorted(range(len(wanted)), key=wanted.__getitem__):  # the short ones are whole first: moments, names
        more = min(spare, wanted[one] - widths[one])
        widths[one] += more
        spare -= more
    return widths[:-1]

"""Lines whose columns stand under each other: fitted to a terminal, in full where the output is piped.

A terminal that is too narrow for columns gets each line whole, over as many of its own as it takes.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from mcp_guard.cli.output import console

if TYPE_CHECKING:
    from rich.text import Text

NOTHING = "·"
_NARROWEST = 8  # columns of a terminal that each column keeps
_LAST = 36  # columns of a terminal that are kept for the last column, with the gaps
_FEWEST = 56  # columns of a terminal for all others; in a narrower one there are none
_GAP = _INDENT = 2
_WIDEST = 60  # columns that a cell is padded to where nothing is cut, so that a long one does not spread all lines

STYLES = {
    "allow": "green",
    "deny": "red",
    "require_approval": "yellow",
    "would deny": "magenta",
    "would ask": "magenta",
    "ok": "green",
    "failed": "yellow",
    "rejected": "red",
    "policy refused": "red",
    "tool changed": "yellow",
    "upstream ended": "yellow",
    NOTHING: "dim",
}


class Columns:
    """A table that is printed line by line. Its columns are as wide as the headings and the first lines need."""

    def __init__(
        self,
        headings: Sequence[str],
        first: Sequence[Sequence[str]],
        least: Sequence[int] = (),
        widths: Sequence[int] | None = None,
    ) -> None:
        """`least`: where other lines will come later, what the columns take at least; then none is left out. `widths`
        of all but the last, where somebody has reckoned them already.
        """
        self._screen = console()
        room = max(_FEWEST, self._screen.width - _LAST) if self._screen.is_terminal else None
        self._widths = list(widths) if widths is not None else _widths([headings, *first], room, least)
        self._whole = room is not None and widths is None and not self._fits()
        self._print(headings, "bold")
        self.print(first)
        if not self._whole:
            self._tell_same(headings, first)

    def print(self, lines: Iterable[Sequence[str]]) -> None:
        """Print lines. Their cells must be printable text."""
        for cells in lines:
            self._print(cells)

    def _fits(self) -> bool:
        """Whether the terminal has room for these columns, with enough of the last to read something in it."""
        taken = sum(width + _GAP for width in self._widths if width)
        return self._screen.width >= max(_FEWEST, taken + _NARROWEST)

    def _print(self, cells: Sequence[str], style: str = "") -> None:
        fitted = self._screen.is_terminal
        if self._whole:
            self._print_whole(cells, style)
            return
        text = _styled(cells, self._widths, _sized if fitted else _padded)
        if fitted:
            text.stylize(style)
            self._screen.print(text, no_wrap=True, overflow="ellipsis", crop=True)
        else:
            sys.stdout.write(text.plain.rstrip() + "\n")

    def _print_whole(self, cells: Sequence[str], style: str) -> None:
        """The line, with what does not fit beside the start of it further in."""
        text = _styled(cells, [1] * (len(cells) - 1), lambda cell, _: cell)
        text.stylize(style)
        first, *others = text.wrap(self._screen, max(_INDENT, self._screen.width - _INDENT))
        self._screen.print(first)
        for line in others:
            self._screen.print(" " * _INDENT, line, sep="")

    def _tell_same(self, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """What was left out, as it says the same on every line."""
        columns = zip(headings, lines[0] if lines else (), self._widths, strict=False)
        same = [f"{heading} {cell}" for heading, cell, width in columns if heading and not width]
        if same:
            self._screen.print(f"on every line: {', '.join(same)}", style="dim", markup=False, crop=True, no_wrap=True)


def _widths(lines: Sequence[Sequence[str]], room: int | None, least: Sequence[int]) -> list[int]:
    """What each column but the last takes, all together at most `room`.

    Where room is short, a column that says the same on every line is left out first; then the widest give way. The
    first column stays as it is.
    """
    from rich.cells import cell_len

    columns = list(zip(*lines, strict=True))[:-1]
    found = [max(map(cell_len, column)) for column in columns]
    found = [max(pair) for pair in zip(found, least, strict=True)] if least else found
    if room is None:
        return [min(width, _WIDEST) for width in found]
    for position, (_, *cells) in enumerate(columns):
        if position and not least and sum(found) > room and len(cells) > 1 and len(set(cells)) == 1:
            found[position] = 0
    while sum(found) > room and max(found[1:]) > _NARROWEST:
        found[found.index(max(found[1:]), 1)] -= 1
    return found


def _styled(cells: Sequence[str], widths: Sequence[int], fit: Callable[[str, int], str]) -> "Text":
    from rich.text import Text

    text = Text()
    for cell, width in zip(cells, widths, strict=False):
        if width:
            text.append(fit(cell, width), style=STYLES.get(cell, ""))
            text.append(" " * _GAP)
    text.append(cells[-1], style=STYLES.get(cells[-1], ""))
    return text


def _sized(cell: str, width: int) -> str:
    """The cell in so many columns of a terminal, in which some characters take two."""
    from rich.cells import cell_len, set_cell_size

    return set_cell_size(cell, width) if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"


def _padded(cell: str, width: int) -> str:
    """The cell as it is, in at least so many columns."""
    from rich.cells import cell_len

    return cell + " " * max(0, width - cell_len(cell))

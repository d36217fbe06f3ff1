"""A bar that says how far a long reading has come: on a terminal's stderr, gone when it is done. Elsewhere nothing."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mcp_guard.insight.parallel import Progress

T = TypeVar("T")


def with_bar(parts: "Iterator[tuple[Progress, T]]", doing: str) -> Iterator[T]:
    """The parts, with a bar while they come."""
    return _shown(parts, doing) if sys.stderr.isatty() else (part for _, part in parts)


def _shown(parts: "Iterator[tuple[Progress, T]]", doing: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        for progress, part in parts:
            bar.update(task, completed=progress.done, total=progress.total)
            yield part

"""How a replay looks: a summary by rule and tool with the latest changed calls, or one JSON document.

Both take the results one at a time; what they keep of them is bounded, whatever the log holds.
"""

import json
import shutil
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterable
from typing import IO

from rich.text import Text

from mcp_guard.cli.columns import Columns
from mcp_guard.cli.log_lines import local_time
from mcp_guard.cli.output import console
from mcp_guard.insight.replay import NotReplayable, Replayed, Result
from mcp_guard.redaction import safe_text

LATEST_SHOWN = 50  # changed calls
_MOST_GROUPS = 1000  # kinds of change, or of reasons, that are counted one by one
_SPOOLED = 1 << 20  # bytes of the second list of the JSON document that stay in memory
_WIDEST = 40  # characters of a name
_SENTENCE = 300  # characters of a reason

Cells = tuple[str, ...]


class Summary:
    """What a person wants to know of a replay, collected call by call."""

    def __init__(self) -> None:
        self.replayed = 0
        self.changed = 0
        self.groups: Counter[Cells] = Counter()
        self.reasons: Counter[Cells] = Counter()
        self.latest: deque[Cells] = deque(maxlen=LATEST_SHOWN)

    def add(self, result: Result) -> None:
        """Count one result."""
        if isinstance(result, NotReplayable):
            _count(self.reasons, (safe_text(result.why, _SENTENCE),))
            return
        self.replayed += 1
        if result.changed:
            self.changed += 1
            _count(self.groups, _change(result))
            self.latest.append(_call(result))


def print_summary(results: Iterable[Result], policy: str) -> int:
    """Print the summary of a replay under `policy`; gives the number of calls whose outcome would change."""
    summary = Summary()
    for result in results:
        summary.add(result)
    out = console()
    style = "yellow" if summary.changed else "green"
    unchanged = summary.replayed - summary.changed
    headline = f"{_calls(summary.replayed)} replayed under {policy}: {unchanged} unchanged, {summary.changed} changed"
    out.print(Text(headline, style=style))
    if summary.changed:
        out.print()
        Columns(("CALLS", "WAS", "NOW", "TOOL", "RULE BEFORE", "RULE NOW"), _counted(summary.groups))
        out.print()
        out.print(Text(f"The latest changes ({len(summary.latest)} of {summary.changed}):"))
        Columns(("TIME", "AGENT", "TOOL", "WAS", "NOW", "EVENT"), list(summary.latest))
    if summary.reasons:
        out.print()
        out.print(Text(f"{_calls(summary.reasons.total())} cannot be replayed:"))
        Columns(("CALLS", "WHY"), _counted(summary.reasons))
    return summary.changed


def _change(result: Replayed) -> Cells:
    event, now = result.event, result.now
    return (
        event.decision or "",
        now.outcome,
        safe_text(f"{event.server}/{event.tool}", _WIDEST),
        safe_text(event.rule or f"({event.decided_by})", _WIDEST),
        safe_text(now.rule or f"({now.decided_by})", _WIDEST),
    )


def _call(result: Replayed) -> Cells:
    was, now, tool, *_ = _change(result)
    event = result.event
    return local_time(event.ts), safe_text(event.agent or "", _WIDEST), tool, was, now, safe_text(event.id, _WIDEST)


def _count(counter: Counter[Cells], cells: Cells) -> None:
    """Count, under a name for all others where there are too many kinds."""
    known = cells in counter or len(counter) < _MOST_GROUPS
    counter[cells if known else ("others",) * len(cells)] += 1


def _counted(counter: Counter[Cells]) -> list[Cells]:
    return [(str(count), *cells) for cells, count in counter.most_common()]


def _calls(count: int) -> str:
    return f"{count} call" if count == 1 else f"{count} calls"


def print_json(results: Iterable[Result]) -> int:
    """Print a replay as one JSON document, as it comes; gives the number of calls whose outcome would change.

    `{"changed": […], "not_replayable": […], "replayed": N, "unchanged": N}`; the second list waits in a file.
    """
    replayed = 0
    with tempfile.SpooledTemporaryFile(_SPOOLED, "w+", encoding="ascii") as waiting:
        changed, lost = _Items(sys.stdout, "changed"), _Items(waiting, "not_replayable")
        sys.stdout.write("{")
        for result in results:
            if isinstance(result, NotReplayable):
                lost.add({"event": result.event.id, "why": result.why})
                continue
            replayed += 1
            if result.changed:
                changed.add(_changed(result))
        changed.end()
        lost.end()
        waiting.seek(0)
        shutil.copyfileobj(waiting, sys.stdout)
    sys.stdout.write(f'\n "replayed": {replayed},\n "unchanged": {replayed - changed.count}\n}}\n')
    return changed.count


class _Items:
    """A JSON array under a name, written item by item, one a line."""

    def __init__(self, file: IO[str], name: str) -> None:
        self._file = file
        self._name = name
        self.count = 0

    def add(self, item: dict[str, str | None]) -> None:
        self._begin() if not self.count else self._file.write(",")
        self._file.write("\n  " + json.dumps(item).replace("\x7f", "\\u007f"))
        self.count += 1

    def end(self) -> None:
        if not self.count:
            self._begin()
        self._file.write("\n ]," if self.count else "],")

    def _begin(self) -> None:
        self._file.write(f'\n "{self._name}": [')


def _changed(result: Replayed) -> dict[str, str | None]:
    event, now = result.event, result.now
    return {
        "event": event.id,
        "ts": event.ts,
        "agent": event.agent,
        "server": event.server,
        "tool": event.tool,
        "was": event.decision,
        "now": now.outcome,
        "rule_was": event.rule,
        "rule_now": now.rule,
    }

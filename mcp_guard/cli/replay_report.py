"""How a replay looks: what changes by rule and tool with an example of each, or one JSON document.

Both take the replay part by part; what they keep of it is bounded, whatever the log holds.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from typing import IO

from mcp_guard.cli.columns import Columns
from mcp_guard.cli.log_lines import local_time
from mcp_guard.cli.output import console, counted
from mcp_guard.insight.replay import NotReplayable, Replayed, Result
from mcp_guard.insight.tally import Tally
from mcp_guard.redaction import safe_text

KINDS_SHOWN = 30  # kinds of change, or of reasons
EXAMPLES_SHOWN = 20  # calls
_SPOOLED = 1 << 20  # bytes of the second list of the JSON document that stay in memory
_WIDEST = 40  # characters of a name
_SENTENCE = 300  # characters of a reason

Cells = tuple[str, ...]


def print_tally(tally: Tally, policy: str, against: str | None) -> None:
    """What a person wants to know of a replay: `policy` against what was recorded, or against another policy."""
    from rich.text import Text

    out = console()
    compared = f", compared with {against}" if against else ""
    headline = f"{counted(tally.replayed, 'call')} replayed under {policy}{compared}: {tally.unchanged} unchanged, "
    out.print(Text(f"{headline}{tally.changed} changed", style="yellow" if tally.changed else "green"))
    if tally.replayed or tally.reasons:
        out.print(Text(f"made from {local_time(tally.first)} to {local_time(tally.last)}", style="dim"))
    if tally.changed:
        print_changes(tally, KINDS_SHOWN, EXAMPLES_SHOWN)
    if tally.reasons:
        out.print()
        out.print(Text(f"{counted(tally.reasons.total(), 'call')} cannot be replayed:"))
        print_reasons(tally, KINDS_SHOWN)


def print_reasons(tally: Tally, most: int) -> None:
    """Why calls cannot be replayed, the commonest reasons first."""
    reasons = [(f"{count:,}", safe_text(why, _SENTENCE)) for why, count in tally.reasons.most_common()]
    _shortened(("CALLS", "WHY"), reasons, most)


def print_changes(tally: Tally, most_kinds: int, most_examples: int) -> None:
    """The changes by rule and tool, then the latest calls of each kind."""
    out = console()
    kinds = [kind for kind, _ in tally.kinds.most_common()]
    rows = [
        (
            f"{tally.kinds[kind]:,}",
            kind.was,
            kind.now,
            *map(_name, (_tool(kind.server, kind.tool), kind.rule_was, kind.rule_now)),
        )
        for kind in kinds
    ]
    out.print()
    _shortened(("CALLS", "WAS", "NOW", "TOOL", "RULE BEFORE", "RULE NOW"), rows, most_kinds)
    each = max(1, most_examples // max(1, len(kinds)))
    examples = [
        (
            local_time(one.ts),
            _name(one.agent),
            _name(_tool(kind.server, kind.tool)),
            kind.was,
            kind.now,
            one.id,
            one.arguments,
        )
        for kind in kinds[:most_examples]
        for one in list(tally.examples[kind])[-each:]
    ]
    out.print()
    out.print("Examples:")
    Columns(("TIME", "AGENT", "TOOL", "WAS", "NOW", "EVENT", "ARGUMENTS"), examples)


def _shortened(headings: Cells, rows: list[Cells], most: int) -> None:
    Columns(headings, rows[:most])
    if len(rows) > most:
        sys.stdout.write(f"… and {len(rows) - most} more kinds (all calls: --json)\n")


def _tool(server: str, tool: str) -> str:
    return f"{server}/{tool}"


def _name(text: str) -> str:
    return safe_text(text, _WIDEST)


class Documents:
    """The items of the JSON document for one part of a log, as text."""

    def __init__(self) -> None:
        self.replayed = 0
        self.changed: list[str] = []
        self.lost: list[str] = []

    def add(self, result: Result) -> None:
        """Take in one result."""
        if isinstance(result, NotReplayable):
            self.lost.append(_item({"event": result.event.id, "why": result.why}))
            return
        self.replayed += 1
        if result.changed:
            self.changed.append(_item(_changed(result)))


def print_json(parts: Iterable[Documents]) -> int:
    """Print a replay as one JSON document, as it comes; gives the number of calls whose outcome would change.

    `{"changed": […], "not_replayable": […], "replayed": N, "unchanged": N}`; the second list waits in a file.
    """
    replayed = 0
    with tempfile.SpooledTemporaryFile(_SPOOLED, "w+", encoding="ascii") as waiting:
        changed, lost = _Items(sys.stdout, "changed"), _Items(waiting, "not_replayable")
        sys.stdout.write("{")
        for part in parts:
            replayed += part.replayed
            changed.add(part.changed)
            lost.add(part.lost)
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

    def add(self, items: list[str]) -> None:
        for item in items:
            self._begin() if not self.count else self._file.write(",")
            self._file.write("\n  " + item)
            self.count += 1

    def end(self) -> None:
        if not self.count:
            self._begin()
        self._file.write("\n ]," if self.count else "],")

    def _begin(self) -> None:
        self._file.write(f'\n "{self._name}": [')


def _item(members: dict[str, str | None]) -> str:
    return json.dumps(members).replace("\x7f", "\\u007f")


def _changed(result: Replayed) -> dict[str, str | None]:
    event, now = result.event, result.now
    return {
        "event": event.id,
        "ts": event.ts,
        "agent": event.agent,
        "server": event.server,
        "tool": event.tool,
        "was": result.was,
        "now": now.outcome,
        "rule_was": result.rule_was,
        "rule_now": now.rule,
    }

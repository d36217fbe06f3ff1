"""The comment that silences a warning, put where it holds: above the rule, or above the line that stands in none."""

import msgspec

from mcp_guard.editor.draft import Draft
from mcp_guard.policy.codes import WARNINGS
from mcp_guard.policy.diagnostics import Diagnostic


class Insertion(msgspec.Struct, frozen=True):
    """A text that goes in before the line (from 1)."""

    line: int
    text: str


def silencing(draft: Draft, found: Diagnostic) -> Insertion | None:
    """What to put in to silence a finding; None for an error, and in JSON, which has no comments."""
    if found.code not in WARNINGS or draft.path.lower().endswith(".json"):
        return None
    subject = draft.subject_at(found.place.line)
    line = found.place.line if subject is None else draft.first_line(subject)
    written = draft.text.splitlines()[line - 1]
    indent = written[: len(written) - len(written.lstrip())]
    return Insertion(line, f"{indent}# mcp-guard: ignore[{found.code}]\n")

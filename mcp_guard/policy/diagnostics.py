"""What is wrong with a policy, for the person who wrote it: a code, a place, the line with a caret, a way out.

The codes are documented in docs/policy.md. Nothing here judges a policy; everything that does, reports through here.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from mcp_guard.errors import GuardError

Severity = Literal["error", "warning"]

SHOWN_WIDTH = 120  # of a source line; a longer one is cut round the caret
SHOWN_DIAGNOSTICS = 50
COMPARED_NAMES, LISTED_NAMES = 200, 20  # in a suggestion


class Source(msgspec.Struct, frozen=True):
    """One policy file as read: where it came from, for messages, and its bytes."""

    path: str
    text: bytes


class Place(msgspec.Struct, frozen=True):
    """A stretch of one line of a file. Line and column count from 1, in characters; `source_line` is that line."""

    path: str
    line: int
    column: int
    length: int = 1
    source_line: str = ""


class Diagnostic(msgspec.Struct, frozen=True):
    """One finding. `code` is stable and documented; `hint` says how to mend it, and may be empty; `related` are other
    places that it speaks of, such as the rule that decides first.
    """

    severity: Severity
    code: str
    message: str
    place: Place
    hint: str = ""
    related: tuple[Place, ...] = ()

    @property
    def headline(self) -> str:
        """The finding in one line: `policy.yaml:14:9: error[unknown-field]: …`."""
        place = self.place
        return f"{place.path}:{place.line}:{place.column}: {self.severity}[{self.code}]: {self.message}"

    def __str__(self) -> str:
        return self.headline


class PolicyError(GuardError):
    """A policy that is refused whole. `diagnostics` holds all that is wrong with it, in the order of the files."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        errors = [found for found in diagnostics if found.severity == "error"]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(errors[0].headline + more, errors[0].hint)
        self.diagnostics = tuple(diagnostics)

    @property
    def report(self) -> str:
        """All that is wrong, as text for a terminal."""
        return render(self.diagnostics)


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """All findings as text for a terminal, each with its source line and a caret; at most `SHOWN_DIAGNOSTICS`."""
    found = list(diagnostics)
    blocks = [_block(diagnostic) for diagnostic in found[:SHOWN_DIAGNOSTICS]]
    if len(found) > SHOWN_DIAGNOSTICS:
        blocks.append(f"… and {len(found) - SHOWN_DIAGNOSTICS} more")
    return "\n".join(blocks)


def _block(diagnostic: Diagnostic) -> str:
    lines = [printable(diagnostic.headline)]  # files and servers' tools may be called anything
    if diagnostic.place.source_line.strip():
        lines += _excerpt(diagnostic.place)
    if diagnostic.hint:
        lines.append(f"  hint: {printable(diagnostic.hint)}")
    return "\n".join(lines)


def _excerpt(place: Place) -> list[str]:
    """The source line and a caret line below it, cut so that the caret is in view."""
    start = max(0, place.column - 1 - SHOWN_WIDTH // 2) if len(place.source_line) > SHOWN_WIDTH else 0
    shown = printable(place.source_line[start : start + SHOWN_WIDTH])
    indent = place.column - 1 - start
    carets = "^" * max(1, min(place.length, len(shown) - indent))
    return [f"{place.line:>5} | {shown}", f"{'':>5} | {' ' * indent}{carets}"]


def printable(text: str) -> str:
    """The text with everything that a terminal would obey, not show, replaced; one character for each."""
    return "".join(" " if char == "\t" else char if char.isprintable() else "�" for char in text)


def closest(word: str, known: Collection[str]) -> str:
    """The known word that is like this one, or nothing; where very many are known, nothing at once."""
    from difflib import get_close_matches

    found = get_close_matches(word[:64], sorted(known), n=1, cutoff=0.6) if len(known) <= COMPARED_NAMES else []
    return found[0] if found else ""


def suggestion(word: str, known: Collection[str]) -> str:
    """A hint that names the known word closest to this one, or lists the known ones where none is close."""
    if found := closest(word, known):
        return f"did you mean `{found}`?"
    return f"known here: {', '.join(sorted(known))}" if 0 < len(known) <= LISTED_NAMES else ""

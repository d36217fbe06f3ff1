"""Comments that silence findings: `# mcp-guard: ignore[code]`, on a line of a rule or right above it.

A comment silences warnings about the rule that it stands in, or about its own line and the next where it stands in
none. Errors cannot be silenced. What a comment silences in vain is a finding of its own, where it can be told.
"""

import re
from collections.abc import Collection, Iterator, Sequence

import msgspec

from mcp_guard.policy.diagnostics import Diagnostic, Place, suggestion
from mcp_guard.policy.tree import Fields, Items, Node, Scalar, Tree

COMMENT = re.compile(r"#[ \t]*mcp-guard:[ \t]*ignore(?:\[([^\]\r\n]*)\])?")
BLOCKS = ("literal", "folded")


class Silence(msgspec.Struct, frozen=True):
    """One code in one comment: for which lines (from 1, both included) it holds."""

    code: str
    place: Place
    first: int
    last: int

    def covers(self, found: Diagnostic) -> bool:
        """Whether the comment is about this finding."""
        is_same_file = found.place.path == self.place.path
        return is_same_file and found.code == self.code and self.first <= found.place.line <= self.last


def silences(tree: Tree) -> list[Silence]:
    """What the comments of a file silence. A comment without a code in brackets has the code ``."""
    text = tree.text.characters
    if "mcp-guard:" not in text:
        return []
    scalars = sorted((scalar.start, _end(scalar, text)) for scalar in _scalars(tree.root) if scalar.end > scalar.start)
    rules = list(_rules(tree))
    found: list[Silence] = []
    for comment in COMMENT.finditer(text):
        at = comment.start()
        if any(start <= at < end for start, end in scalars) and not _after_header(tree, at):
            continue
        line = tree.text.place(at).line
        first, last = next(((first, last) for first, last in rules if first <= line <= last), (line, line + 1))
        for code, start, end in _codes(comment):
            found.append(Silence(code, tree.text.place(start, end), first, last))
    return found


def without_silenced(found: Sequence[Diagnostic], silenced: Sequence[Silence]) -> tuple[list[Diagnostic], set[Silence]]:
    """The findings that no comment silences, and the comments that silenced one."""
    left: list[Diagnostic] = []
    used: set[Silence] = set()
    for diagnostic in found:
        own = [one for one in silenced if diagnostic.severity == "warning" and one.covers(diagnostic)]
        used.update(own)
        if not own:
            left.append(diagnostic)
    return left, used


def in_vain(
    silenced: Sequence[Silence], used: Collection[Silence], told: Collection[str], known: Collection[str]
) -> Iterator[Diagnostic]:
    """A finding for each comment that silences nothing: a code that there is not, or one that was looked for (`told`)
    and not found.
    """
    for one in silenced:
        if not one.code:
            hint = "write `# mcp-guard: ignore[code]`"
            yield Diagnostic("warning", "unknown-code", "a comment that silences must say what", one.place, hint)
        elif one.code not in known:
            message = f"no warning has the code `{one.code}`"
            yield Diagnostic("warning", "unknown-code", message, one.place, suggestion(one.code, known))
        elif one not in used and one.code in told:
            message = f"there is no `{one.code}` here to silence"
            yield Diagnostic("warning", "unused-ignore", message, one.place, "take the comment out")


def _codes(comment: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """Each code in the brackets of a comment, with its place."""
    inside = comment.group(1)
    if not inside or not inside.strip():
        yield "", comment.start(), comment.end()
        return
    for code in re.finditer(r"[^,\s]+", inside):
        yield code.group(), comment.start(1) + code.start(), comment.start(1) + code.end()


def _rules(tree: Tree) -> Iterator[tuple[int, int]]:
    """The first and last line of each rule; comments right above it belong to it."""
    rules = tree.find(("rules",))
    lines = tree.text.characters.splitlines()
    for node in rules.nodes if isinstance(rules, Items) else ():
        first = tree.text.place(node.start).line
        last = max((tree.text.place(max(one.start, one.end - 1)).line for one in _scalars(node)), default=first)
        while first > 1 and lines[first - 2].lstrip().startswith("#"):
            first -= 1
        yield first, last


def _scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Items():
            for child in node.nodes:
                yield from _scalars(child)
        case Fields():
            for key, child in node.pairs:
                yield key
                yield from _scalars(child)


def _end(scalar: Scalar, text: str) -> int:
    """Where a scalar's own characters end: what follows a block up to the next key is not its own."""
    return scalar.start + len(text[scalar.start : scalar.end].rstrip()) if scalar.style in BLOCKS else scalar.end


def _after_header(tree: Tree, at: int) -> bool:
    """Whether something stands on the line of the `|` or `>` that begins a block, where comments may."""
    place = tree.text.place(at)
    return re.search(r"[|>][-+0-9]*\s+$", place.source_line[: place.column - 1]) is not None

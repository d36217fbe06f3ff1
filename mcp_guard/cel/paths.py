"""Which fields of the variables an expression reads, and which reads a `has` guards.

What is judged hangs on the first (`policy.rules`: which arguments a rule looks at, which members), so every read is
found; lint and completion ask for both.

A read is guarded where its field's absence cannot make the expression fail: beside a `has` of it in `&&` (on either
side, since `false` absorbs an error), beside a `!has` in `||`, in the branch of `?:` that a `has` chooses, after `.?`.
"""

from collections.abc import Mapping
from itertools import chain

from mcp_guard.cel.syntax import (
    Binary,
    Bind,
    Has,
    Index,
    Literal,
    Logic,
    Loop,
    Name,
    Node,
    OptionalMap,
    Select,
    Ternary,
    Unary,
    parts,
)
from mcp_guard.cel.values import TYPES

Segments = tuple[str | None, ...]
Known = frozenset[Segments]
NOTHING: Known = frozenset()


class Path:
    """One path that is read: `segments` from the variable down, None for any item of a list or a computed key.

    `guarded` where every read of it is, `at` the offset in the source of its first read. `used` where its value is; not
    where only a `has` looks whether one of its fields is there, which is a path of its own.
    """

    __slots__ = ("at", "guarded", "segments", "used")

    def __init__(self, segments: Segments, guarded: bool, at: int = 0, used: bool = True) -> None:
        self.segments = segments
        self.guarded = guarded
        self.at = at
        self.used = used

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and (other.segments, other.guarded) == (self.segments, self.guarded)

    def __hash__(self) -> int:
        return hash((self.segments, self.guarded))

    def __str__(self) -> str:
        shown = "".join("[*]" if segment is None else f".{segment}" for segment in self.segments)
        return shown.removeprefix(".")

    def __repr__(self) -> str:
        return f"Path({self}, guarded={self.guarded})"


def paths(tree: Node) -> tuple[Path, ...]:
    """Every path that an expression reads, in the order of the source, each once."""
    reader = _Reader()
    reader.visit(tree, NOTHING, {})
    found = [Path(segments, guarded, at, segments in reader.used) for segments, (guarded, at) in reader.found.items()]
    return tuple(sorted(found, key=lambda path: path.at))


Aliases = Mapping[str, Segments | None]


class _Reader:
    """Collects reads, going down the tree with what is known to be there."""

    def __init__(self) -> None:
        self.found: dict[Segments, tuple[bool, int]] = {}
        self.used: set[Segments] = set()

    def record(self, segments: Segments, guarded: bool, at: int, used: bool = True) -> None:
        if used:
            self.used.add(segments)
        if ".".join(map(str, segments)) in TYPES:
            return
        before, first = self.found.get(segments, (True, at))
        self.found[segments] = (before and guarded, min(first, at))

    def visit(self, node: Node, known: Known, aliases: Aliases) -> None:
        segments = path_of(node, aliases)
        if segments is not None:
            self.record(segments, segments in known or _is_optional(node), _start(node))
            self.visit_keys(node, known, aliases)
        elif isinstance(node, Logic):
            self.visit_logic(node, known, aliases)
        elif isinstance(node, Ternary):
            self.visit(node.condition, known, aliases)
            self.visit(node.then, known | facts(node.condition, True, aliases), aliases)
            self.visit(node.otherwise, known | facts(node.condition, False, aliases), aliases)
        elif isinstance(node, Has):
            self.visit_has(node, known, aliases)
        elif isinstance(node, Loop):
            self.visit_loop(node, known, aliases)
        elif isinstance(node, Bind):
            self.visit_bind(node, known, aliases)
        elif isinstance(node, OptionalMap):
            self.visit(node.target, known, aliases)
            found = path_of(node.target, aliases)
            self.visit(node.body, known if found is None else known | {found}, {**aliases, node.variable: found})
        elif isinstance(node, Name):
            return
        else:
            for part in parts(node):
                self.visit(part, known, aliases)

    def visit_keys(self, node: Node, known: Known, aliases: Aliases) -> None:
        """The computed keys within a path are reads of their own."""
        while isinstance(node, Select | Index):
            if isinstance(node, Index) and not isinstance(node.key, Literal):
                self.visit(node.key, known, aliases)
            node = node.operand

    def visit_logic(self, node: Logic, known: Known, aliases: Aliases) -> None:
        each = [facts(operand, node.operator == "&&", aliases) for operand in node.operands]
        times: dict[Segments, int] = {}
        for segments in chain.from_iterable(each):
            times[segments] = times.get(segments, 0) + 1
        for operand, own in zip(node.operands, each, strict=True):
            beside = {segments for segments, count in times.items() if count > (segments in own)}
            self.visit(operand, known | beside, aliases)

    def visit_has(self, node: Has, known: Known, aliases: Aliases) -> None:
        parent = path_of(node.operand, aliases)
        if parent is None:
            self.visit(node.operand, known, aliases)
            return
        self.record((*parent, node.field), True, _start(node.operand))
        self.record(parent, parent in known or _is_optional(node.operand), _start(node.operand), used=False)
        self.visit_keys(node.operand, known, aliases)

    def visit_loop(self, node: Loop, known: Known, aliases: Aliases) -> None:
        self.visit(node.over, known, aliases)
        over = path_of(node.over, aliases)
        item = None if over is None else (*over, None)
        inside = {**aliases, **dict.fromkeys(node.variables), node.variables[-1]: item}
        if node.test:
            self.visit(node.test, known, inside)
        if node.result:
            after = known | facts(node.test, True, inside) if node.test else known
            self.visit(node.result, after, inside)

    def visit_bind(self, node: Bind, known: Known, aliases: Aliases) -> None:
        """A bound path is read where its variable is, since it fails only there."""
        bound = path_of(node.value, aliases)
        if bound is None:
            self.visit(node.value, known, aliases)
        self.visit(node.body, known, {**aliases, node.variable: bound})


def path_of(node: Node, aliases: Aliases) -> Segments | None:
    """The path that a chain of selections is, from a variable down; None for anything else."""
    segments: list[str | None] = []
    while isinstance(node, Select | Index):
        if isinstance(node, Select):
            segments.append(node.field)
        else:
            segments.append(
                node.key.value if isinstance(node.key, Literal) and isinstance(node.key.value, str) else None
            )
        node = node.operand
    if not isinstance(node, Name):
        return None
    segments.reverse()
    if not node.rooted and node.name in aliases:
        start = aliases[node.name]
        return None if start is None else (*start, *segments)
    return (node.name, *segments)


def facts(node: Node, when: bool, aliases: Aliases) -> Known:
    """The paths that are there where a condition came out as `when`, and whose absence makes it come out otherwise.

    Not their parents: without those a `has` fails instead of being false.
    """
    if isinstance(node, Unary) and node.operator == "!":
        return facts(node.operand, not when, aliases)
    if isinstance(node, Logic):
        each = [facts(operand, when, aliases) for operand in node.operands]
        return each[0].union(*each) if (node.operator == "&&") is when else each[0].intersection(*each)
    if not when:
        return NOTHING
    if isinstance(node, Has):
        parent = path_of(node.operand, aliases)
        return NOTHING if parent is None else frozenset(((*parent, node.field),))
    if isinstance(node, Binary) and node.operator == "in" and isinstance(node.left, Literal):
        parent, key = path_of(node.right, aliases), node.left.value
        return frozenset(((*parent, key),)) if parent is not None and isinstance(key, str) else NOTHING
    return NOTHING


def _is_optional(node: Node) -> bool:
    """Whether a `.?` or `[?` stands anywhere in a path: what is missing from there on is no error."""
    while isinstance(node, Select | Index):
        if node.optional:
            return True
        node = node.operand
    return False


def _start(node: Node) -> int:
    while isinstance(node, Select | Index):
        node = node.operand
    return node.at

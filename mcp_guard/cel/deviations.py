"""Where cel-python is known to deviate from the language, and whether an evaluation comes across one of these places.

It deviates on purpose in part: it tells apart numbers of different types, answers what the language refuses (`in` and
loops over strings, indexes from the end, `has` of a missing parent), and lets failures within loops through. Whether
that decides an answer hangs on the values, so they are looked at while our own evaluator works on them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.closures.scope import Frame, Names, Run, Scope
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.evaluator import BUILDERS
from mcp_guard.cel.parser import parse
from mcp_guard.cel.syntax import (
    Binary,
    Bind,
    Call,
    Has,
    Index,
    ListOf,
    Literal,
    Loop,
    MapOf,
    Node,
    OptionalMap,
    Select,
    parts,
    walk,
)
from mcp_guard.cel.values import INT_MAX, INT_MIN, UNKNOWN, Value, kind_of

BASE = frozenset(["contains", "double", "dyn", "endsWith", "int", "matches", "size", "startsWith", "string"])
"""The functions that it has, and that mean the same there for the values of `ARGUMENTS`."""


def fails(source: str, activation: Mapping[str, Value]) -> bool | None:
    """Whether our own evaluation of an expression fails; None where it comes across a known deviation."""
    watch = _Watch()
    failed = False
    try:
        tree = parse(source)
        if any(_is_extension(node) for node, _ in walk(tree)):
            return None
        run, size = watch.evaluator(source, tree)
        run(activation, [Budget(), *[None] * size])
    except EvaluationError:
        failed = True
    except Exception:
        return None
    return None if watch.doubtful else failed


def _is_extension(node: Node) -> bool:
    if isinstance(node, Bind | OptionalMap):
        return True
    if isinstance(node, Select | Index | Has | ListOf | MapOf) and node.optional:
        return True
    if isinstance(node, Loop) and (len(node.variables) > 1 or node.kind.startswith("transform")):
        return True
    return isinstance(node, Call) and node.function not in BASE


class _Watch:
    """Runs an expression with our own evaluator, and notes whether any operation met values that divide the two.

    It keeps the last value of each node. Once a node has run, those of its operands are looked at. A failure within a
    loop is a doubt, since cel-python does not absorb it as the language does.
    """

    def __init__(self) -> None:
        self.doubtful = False
        self.loops = 0
        self.values: dict[Node, Value] = {}

    def evaluator(self, source: str, tree: Node) -> tuple[Run, int]:
        watched = {kind: self.watching(builder) for kind, builder in BUILDERS.items()}
        scope = Scope(source, watched)
        return scope.build(tree), scope.size

    def watching(self, builder: Callable[[Any, Scope], Run]) -> Callable[[Any, Scope], Run]:
        def build(node: Node, scope: Scope) -> Run:
            run, is_loop = builder(node, scope), isinstance(node, Loop)

            def watched(names: Names, frame: Frame) -> Value:
                self.loops += is_loop
                try:
                    value = self.values[node] = run(names, frame)
                except EvaluationError:
                    self.doubtful = self.doubtful or self.loops > 0
                    self.values.pop(node, None)
                    raise
                finally:
                    self.loops -= is_loop
                    self.look_at(node)
                return value

            return watched

        return build

    def look_at(self, node: Node) -> None:
        """Whether the two agree on what a node does with the values that its operands had."""
        operands, agree = _question(node)
        values = [self.value_of(operand) for operand in operands]
        if any(value is UNKNOWN for value in values):
            self.doubtful = self.doubtful or isinstance(node, Has)
        elif not agree(*values):
            self.doubtful = True

    def value_of(self, node: Node) -> Value:
        """The last value of a node, or `UNKNOWN` where it failed. What is written in the source may not have run."""
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, ListOf) and node not in self.values:
            return [self.value_of(item) for item in node.items]
        return self.values.get(node, UNKNOWN)


def _question(node: Node) -> tuple[tuple[Node, ...], Callable[..., bool]]:
    """The operands of a node whose values decide whether the two agree, and how that is asked of them."""
    if isinstance(node, Binary):
        return (node.left, node.right), QUESTIONS.get(node.operator, alike)
    if isinstance(node, Call):
        return parts(node), ARGUMENTS.get(node.function, anything)
    if isinstance(node, Has):
        return (node.operand,), is_map
    if isinstance(node, Loop):
        return (node.over,), is_list
    if isinstance(node, Index) and not isinstance(node.key, Literal):
        return (node.operand, node.key), indexed
    if isinstance(node, Index) and isinstance(node.key, Literal) and not isinstance(node.key.value, str):
        return (node.operand, node.key), indexed
    return (), anything


def alike(left: Value, right: Value) -> bool:
    """Whether two values are of one type throughout, and ordinary ones of it."""
    kind = kind_of(left)
    if kind is not kind_of(right) or left != left or right != right:
        return False
    if kind is list:
        return all(alike(one, other) for one, other in zip(left, right, strict=False))
    if kind is dict:
        common = [(value, right[key]) for key, value in left.items() if key in right]
        return has_texts_for_keys(left) and has_texts_for_keys(right) and all(alike(*pair) for pair in common)
    return kind is not int or (INT_MIN <= left <= INT_MAX and INT_MIN <= right <= INT_MAX)


def has_texts_for_keys(value: Mapping[Value, Value]) -> bool:
    """Whether all keys of a map are strings."""
    return all(type(key) is str for key in value)


def contained(wanted: Value, container: Value) -> bool:
    """Whether `in` means the same to both: a list of values of the one type, or a map with keys of it."""
    return kind_of(container) in (list, dict) and all(alike(wanted, item) for item in container)


def added(left: Value, right: Value) -> bool:
    """Whether `+` means the same to both. Its sum of two strings is no string that has methods."""
    return alike(left, right) and type(left) is not str


def indexed(container: Value, key: Value) -> bool:
    """Whether an index means the same to both."""
    kind = kind_of(container)
    return (kind is list and type(key) is int and key >= 0) or (kind is dict and type(key) is str)


def is_map(value: Value) -> bool:
    """Whether this is a map."""
    return kind_of(value) is dict


def is_list(value: Value) -> bool:
    """Whether this is a list."""
    return kind_of(value) is list


def has_size(value: Value) -> bool:
    """Whether both know the size of this."""
    return kind_of(value) in (str, list, dict)


def are_texts(*values: Value) -> bool:
    """Whether all of these are strings."""
    return all(type(value) is str for value in values)


def is_whole(value: Value) -> bool:
    """Whether this is an int, which both convert alike."""
    return type(value) is int


def anything(*values: Value) -> bool:
    """No doubt."""
    return True


QUESTIONS: dict[str, Callable[[Value, Value], bool]] = {"in": contained, "+": added}

ARGUMENTS: dict[str, Callable[..., bool]] = {
    "size": has_size,
    **dict.fromkeys(("contains", "endsWith", "matches", "startsWith"), are_texts),
    **dict.fromkeys(("double", "int", "string"), is_whole),
}
"""The values for which a function means the same to both."""

"""What an independent implementation of the language, cel-python, makes of the same source. For cross-checks and tests.

Never on the way of a call: arguments can make it hang. It follows the language less closely than we do, on purpose in
part; where one of its known deviations may decide the answer, there is no answer to compare. Whether one does is found
by running our own evaluator with builders that look at the values of each operation.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.closures.scope import Frame, Names, Run, Scope
from mcp_guard.cel.errors import CompileError, EvaluationError
from mcp_guard.cel.evaluator import BUILDERS
from mcp_guard.cel.foreign_tree import ForeignSyntaxError, foreign_tree
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
    Record,
    Select,
    Unary,
    parts,
    walk,
)
from mcp_guard.cel.values import INT_MAX, INT_MIN, UNKNOWN, UInt, Value, kind_of


class Answer:
    """What the other implementation makes of an expression: a value, an error, or nothing that can be compared."""

    __slots__ = ("comparable", "failed", "value")

    def __init__(self, value: Value = None, failed: bool = False, comparable: bool = True) -> None:
        self.value = value
        self.failed = failed
        self.comparable = comparable

    def __repr__(self) -> str:
        return repr(self.value) if self.comparable and not self.failed else "an error" if self.failed else "no opinion"


ERROR = Answer(failed=True)
NOT_COMPARABLE = Answer(comparable=False)


def difference(source: str) -> str | None:
    """How cel-python's parse of a source differs from ours, in a sentence; None where the two are the same."""
    ours, theirs = _our_shape(source), _their_shape(source)
    if ours == theirs:
        return None
    if theirs is None:
        return "cel-python does not parse this"
    return "cel-python parses what is refused here" if ours is None else "cel-python reads this as another expression"


Shape = tuple[object, ...]


def _our_shape(source: str) -> Shape | None:
    try:
        return shape(parse(source, lambda text, call: call))
    except CompileError:
        return None


def _their_shape(source: str) -> Shape | None:
    try:
        return shape(foreign_tree(source))
    except ForeignSyntaxError:
        return None


def shape(node: Node) -> Shape:
    """A tree as nested tuples, without places. A sign before a number is part of the number, blanks between or not."""
    if isinstance(node, Unary) and node.operator == "-" and isinstance(node.operand, Literal):
        value = node.operand.value
        if isinstance(value, int | float) and type(value) in (int, float) and value >= 0:
            return shape(Literal(node.at, -value))
    values = {name: getattr(node, name) for name in sorted(type(node).__slots__)}
    own = [(name, type(value).__name__, value) for name, value in values.items() if not isinstance(value, Node | tuple)]
    fields = [name for name, _ in node.fields] if isinstance(node, Record) else []
    return (type(node).__name__, *own, *fields, *(shape(part) for part in parts(node)))


def answer(source: str, activation: Mapping[str, Value]) -> Answer:
    """What cel-python makes of an expression on these variables, or `NOT_COMPARABLE`. Never raises."""
    if difference(source) is not None or not _comparable(source, activation):
        return NOT_COMPARABLE
    celpy: Any = import_module("celpy")
    to_cel: Any = import_module("celpy.adapter").json_to_cel
    recursion_limit = sys.getrecursionlimit()
    try:
        environment = celpy.Environment()  # which raises the limit for the whole process
        program = environment.program(environment.compile(source))
        return Answer(plain(program.evaluate({name: to_cel(value) for name, value in activation.items()})))
    except celpy.CELEvalError:
        return ERROR
    except Exception:  # what breaks it is no opinion
        return NOT_COMPARABLE
    finally:
        sys.setrecursionlimit(recursion_limit)


def plain(value: Any) -> Value:
    """A value of cel-python as a plain one."""
    kind = type(value).__name__
    if kind in SCALARS:
        return SCALARS[kind](value)
    if kind == "ListType":
        return [plain(item) for item in value]
    if kind == "MapType":
        return {plain(key): plain(item) for key, item in value.items()}
    return value


SCALARS: dict[str, Callable[[Any], Value]] = {
    "BoolType": bool,
    "IntType": int,
    "UintType": UInt,
    "DoubleType": float,
    "StringType": str,
    "BytesType": bytes,
}

BASE = frozenset(["contains", "double", "dyn", "endsWith", "int", "matches", "size", "startsWith", "string"])
"""The functions that it has, and that mean the same there for the values of `ARGUMENTS`."""


def _comparable(source: str, activation: Mapping[str, Value]) -> bool:
    """Whether nothing in an expression or in the values that it works on is known to go another way in cel-python."""
    watch = _Watch()
    try:
        tree = parse(source)
        if any(_is_extension(node) for node, _ in walk(tree)):
            return False
        run, size = watch.evaluator(source, tree)
        run(activation, [Budget(), *[None] * size])
    except EvaluationError:
        pass
    except Exception:
        return False
    return not watch.doubtful


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
        return (node.left, node.right), contained if node.operator == "in" else alike
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


ARGUMENTS: dict[str, Callable[..., bool]] = {
    "size": has_size,
    **dict.fromkeys(("contains", "endsWith", "matches", "startsWith"), are_texts),
    **dict.fromkeys(("double", "int", "string"), is_whole),
}
"""The values for which a function means the same to both."""

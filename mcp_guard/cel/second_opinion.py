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
from mcp_guard.cel.errors import CompileError, EvaluationError
from mcp_guard.cel.evaluator import BUILDERS
from mcp_guard.cel.foreign_tree import ForeignSyntaxError, foreign_tree
from mcp_guard.cel.parser import parse
from mcp_guard.cel.scope import Frame, Names, Run, Scope
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
from mcp_guard.cel.values import INT_MAX, INT_MIN, UInt, Value, kind_of


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
    """Runs an expression with our own evaluator, and notes whether any operation met values that divide the two."""

    def __init__(self) -> None:
        self.doubtful = False
        self.loops = 0

    def evaluator(self, source: str, tree: Node) -> tuple[Run, int]:
        watched: dict[type[Node], Callable[[Any, Scope], Run]] = {
            Binary: self.binary,
            Call: self.call,
            Has: self.has,
            Index: self.index,
            Loop: self.loop,
        }
        scope = Scope(source, {**BUILDERS, **watched})
        return scope.build(tree), scope.size

    def binary(self, node: Binary, scope: Scope) -> Run:
        return self.observing(node, scope, contained if node.operator == "in" else alike, node.left, node.right)

    def call(self, node: Call, scope: Scope) -> Run:
        return self.observing(node, scope, ARGUMENTS.get(node.function, anything), *parts(node))

    def has(self, node: Has, scope: Scope) -> Run:
        return self.observing(node, scope, is_map, node.operand)

    def index(self, node: Index, scope: Scope) -> Run:
        return self.observing(node, scope, indexed, node.operand, node.key)

    def loop(self, node: Loop, scope: Scope) -> Run:
        run = self.observing(node, scope, is_list, node.over)

        def counted(names: Names, frame: Frame) -> Value:
            self.loops += 1
            try:
                return run(names, frame)
            finally:
                self.loops -= 1

        return counted

    def observing(self, node: Node, scope: Scope, agree: Callable[..., bool], *operands: Node) -> Run:
        """The closure of a node that first looks at the values of its operands. Within a loop a failure is a doubt."""
        run, looks = BUILDERS[type(node)](node, scope), [scope.build(operand) for operand in operands]

        def observed(names: Names, frame: Frame) -> Value:
            try:
                values = [look(names, frame) for look in looks]
            except EvaluationError:
                self.doubtful = self.doubtful or self.loops > 0 or isinstance(node, Has)
            else:
                self.doubtful = self.doubtful or not agree(*values)
            return run(names, frame)

        return observed


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

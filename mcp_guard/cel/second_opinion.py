"""What an independent implementation of the language, cel-python, makes of the same source. For cross-checks and tests.

Never on the way of a call: arguments can make it hang. Where one of its known deviations may decide the answer, there
is no answer to compare: see `deviations`.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from mcp_guard.cel.deviations import fails
from mcp_guard.cel.errors import CompileError
from mcp_guard.cel.foreign_tree import ForeignSyntaxError, foreign_tree
from mcp_guard.cel.parser import parse
from mcp_guard.cel.syntax import Literal, Node, Record, Unary, parts
from mcp_guard.cel.values import UInt, Value


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
    """What cel-python makes of an expression on these variables, or `NOT_COMPARABLE`. Never raises.

    Its error counts only where ours is one too: it evaluates, and fails on, what a settled `&&` or `||` passes over.
    """
    ours_fails = None if difference(source) else fails(source, activation)
    if ours_fails is None:
        return NOT_COMPARABLE
    theirs = _evaluated(source, activation)
    return NOT_COMPARABLE if theirs.failed and not ours_fails else theirs


def _evaluated(source: str, activation: Mapping[str, Value]) -> Answer:
    """What cel-python makes of an expression, comparable or not."""
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

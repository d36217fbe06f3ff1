"""Closures for calls: which function is meant, and short ways for string tests against a literal.

Functions are found by name and number of arguments. One that does not exist fails when it is called, not when the
source is compiled: only the checker knows what a declared expression may call.
"""

from collections.abc import Callable

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.closures.logic import fallback
from mcp_guard.cel.closures.scope import BUDGET, Frame, Names, Run, Scope
from mcp_guard.cel.errors import EvaluationError, compile_error
from mcp_guard.cel.functions import FAMILIES, Implementation, overloads
from mcp_guard.cel.functions.regex import BadPatternError, compile_pattern
from mcp_guard.cel.limits import STRING_UNIT
from mcp_guard.cel.syntax import Call, Literal, Name, Node, Select
from mcp_guard.cel.values import UNKNOWN, Value, refusal

PATTERN_HINT = "patterns are RE2: no look-ahead, no look-behind, no back-references"


def call(node: Call, scope: Scope) -> Run:
    """A call of a function or a method."""
    special = _with_literal(node, scope)
    if special:
        return special
    name, arguments, is_method = resolve(node, lambda root: scope.slot(root) is not None)
    if is_method and name in ("or", "orValue") and len(arguments) == 2:
        return fallback(scope.build(arguments[0]), scope.build(arguments[1]), name == "orValue")
    found = implementation(name, is_method, len(arguments))
    if found is None:
        return _missing(name)
    return _constant(name, found, arguments) or _by_count(found, tuple(scope.build(argument) for argument in arguments))


def implementation(name: str, is_method: bool, count: int) -> Implementation | None:
    """What runs a function with so many arguments, the target of a method among them."""
    return next((row.run for row in overloads(name, is_method) if len(row.parameters) == count), None)


CONSTRUCTORS = frozenset(("ip", "cidr", "timestamp", "duration"))
"""Functions that read a value out of a text, which is done once where the text is a literal."""


def _constant(name: str, function: Implementation, arguments: tuple[Node, ...]) -> Run | None:
    if name not in CONSTRUCTORS or len(arguments) != 1 or not isinstance(arguments[0], Literal):
        return None
    try:
        value = function(Budget(), arguments[0].value)
    except EvaluationError:
        return None
    return lambda names, frame: value


def resolve(node: Call, is_local: Callable[[str], bool]) -> tuple[str, tuple[Node, ...], bool]:
    """The function that a call names, its arguments with the target of a method first, and whether it is a method.

    `math.abs(x)` is a function with a namespace, unless `math` is the variable of a loop.
    """
    target = node.target
    if target is None:
        return node.function, node.arguments, False
    spaced = f"{namespace(target)}.{node.function}"
    root = spaced.partition(".")[0]
    if not is_local(root) and overloads(spaced, False):
        return spaced, node.arguments, False
    return node.function, (target, *node.arguments), True


def namespace(node: Node) -> str:
    """`a.b` where the node is just names, else nothing."""
    if isinstance(node, Name):
        return node.name
    return f"{namespace(node.operand)}.{node.field}" if isinstance(node, Select) else ""


def _missing(name: str) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        raise EvaluationError(f"there is no function `{name}` for so many arguments")

    return run


def _by_count(function: Implementation, arguments: tuple[Run, ...]) -> Run:
    if len(arguments) == 1:
        (only,) = arguments
        return lambda names, frame: function(frame[BUDGET], only(names, frame))
    if len(arguments) == 2:
        first, second = arguments
        return lambda names, frame: function(frame[BUDGET], first(names, frame), second(names, frame))
    return lambda names, frame: function(frame[BUDGET], *[argument(names, frame) for argument in arguments])


def _with_literal(node: Call, scope: Scope) -> Run | None:
    """The short way of `x.startsWith("…")` and the like, where there is one."""
    if node.target is None or len(node.arguments) != 1 or not isinstance(node.arguments[0], Literal):
        return None
    text, at = node.arguments[0].value, node.arguments[0].at
    if type(text) is not str:
        return None
    if node.function in SHORT_WAYS:
        return SHORT_WAYS[node.function](scope.build(node.target), text)
    if node.function == "matches":
        return _matches(scope.build(node.target), text, scope.source, at)
    if _takes_zone(node.function):
        return _in_zone(node.function, scope.build(node.target), text, scope.source, at)
    return None


def _starts_with(operand: Run, start: str) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        value = operand(names, frame)
        if type(value) is str:
            return value.startswith(start)
        if value is UNKNOWN:
            return value
        raise refusal("startsWith", value, start)

    return run


def _ends_with(operand: Run, end: str) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        value = operand(names, frame)
        if type(value) is str:
            return value.endswith(end)
        if value is UNKNOWN:
            return value
        raise refusal("endsWith", value, end)

    return run


def _contains(operand: Run, part: str) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        value = operand(names, frame)
        if type(value) is str:
            if len(value) >= STRING_UNIT:
                frame[BUDGET].spend_characters(len(value))
            return part in value
        if value is UNKNOWN:
            return value
        raise refusal("contains", value, part)

    return run


def _matches(operand: Run, pattern: str, source: str, at: int) -> Run:
    try:
        holds = compile_pattern(pattern).is_in
    except BadPatternError as error:
        raise compile_error(source, at, f"this is no regular expression: {error}", PATTERN_HINT) from None

    def run(names: Names, frame: Frame) -> Value:
        value = operand(names, frame)
        if type(value) is str:
            return holds(value, frame[BUDGET])
        if value is UNKNOWN:
            return value
        raise refusal("matches", value, pattern)

    return run


def _takes_zone(function: str) -> bool:
    """Whether the one argument of a method is a time zone."""
    return FAMILIES.get(function) == "timestamps" and implementation(function, True, 2) is not None


def _in_zone(function: str, operand: Run, name: str, source: str, at: int) -> Run:
    from mcp_guard.cel.functions.timestamps import UnknownZoneError, part_of, zone

    try:
        place = zone(name)
    except UnknownZoneError:
        hint = 'names are such as "Europe/Paris", offsets such as "+02:00"'
        raise compile_error(source, at, "there is no such time zone", hint) from None
    return lambda names, frame: part_of(function, operand(names, frame), place)


SHORT_WAYS: dict[str, Callable[[Run, str], Run]] = {
    "startsWith": _starts_with,
    "endsWith": _ends_with,
    "contains": _contains,
}

"""What has the right types and is wrong all the same: values that cannot be, patterns that match nothing.

Each question gives what to say about a node, or nothing. Only what is certain is said.
"""

from collections.abc import Sequence

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.closures.calls import CONSTRUCTORS, implementation
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.paths import Segments, path_of
from mcp_guard.cel.syntax import Binary, Call, Literal, Logic, Node, Scalar
from mcp_guard.cel.types import DOUBLE, INT, STRING, TYPE, UINT, Type

BELOW_ZERO = {"==": 0, "!=": 0, "<": 1, "<=": 0, ">": 0, ">=": 1}
"""`size(x) < 0` never holds, nor does `size(x) == -1`: the smallest number for which the comparison says something."""

CONVERSIONS = {
    (STRING, INT): "convert one: `int(x)` or `string(x)`",
    (STRING, DOUBLE): "convert one: `double(x)` or `string(x)`",
    (STRING, UINT): "convert one: `uint(x)` or `string(x)`",
    (INT, DOUBLE): "convert one: `double(x)` or `int(x)`",
    (INT, UINT): "convert one: `int(x)`",
    (UINT, DOUBLE): "convert one: `double(x)`",
    (TYPE, STRING): "the name of a type has no quotes: `type(x) == string`",
}


def conversion(left: Type, right: Type) -> str:
    """How two values could be brought to one type."""
    if left.name == "list" and right == left.parameters[0]:
        return "write `x in list`"
    return CONVERSIONS.get((left, right)) or CONVERSIONS.get((right, left), "")


def backspace(call: Call) -> Node | None:
    """The pattern of a `matches` that holds a backspace, which `\\b` is in a plain string."""
    if call.function != "matches":
        return None
    for argument in call.arguments:
        if isinstance(argument, Literal) and isinstance(argument.value, str) and "\b" in argument.value:
            return argument
    return None


def unreadable(name: str, arguments: Sequence[Node]) -> str:
    """Why a text that is written in the condition cannot be read, as in `timestamp("yesterday")`."""
    if len(arguments) != 1 or not isinstance(arguments[0], Literal) or name not in CONSTRUCTORS:
        return ""
    read = implementation(name, False, 1)
    try:
        if read:
            read(Budget(), arguments[0].value)
    except EvaluationError as error:
        return str(error)
    return ""


def impossible_size(node: Binary) -> str:
    """Why a comparison of a size with a number always comes out the same."""
    if not isinstance(node.left, Call) or not isinstance(node.right, Literal) or node.left.function != "size":
        return ""
    number = node.right.value
    if type(number) is not int or number >= BELOW_ZERO.get(node.operator, number):
        return ""
    return "a size is never below 0, so this always comes out the same"


def contradiction(node: Logic) -> tuple[Node, str, str] | None:
    """Two parts of a chain that cannot both count: `x == "a" && x == "b"`, or `x != "a" || x != "b"`."""
    operator, outcome = ("==", "never") if node.operator == "&&" else ("!=", "always")
    seen: dict[Segments, Scalar] = {}
    for operand in node.operands:
        compared = _compared(operand, operator)
        if compared is None:
            continue
        path, value = compared
        if seen.setdefault(path, value) != value:
            hint = f"did you mean `{'||' if node.operator == '&&' else '&&'}`?"
            return operand, f"this {outcome} holds: one value is compared with two different ones", hint
    return None


def _compared(node: Node, operator: str) -> tuple[Segments, str] | None:
    """The path and the string that a comparison compares."""
    if not isinstance(node, Binary) or node.operator != operator:
        return None
    for one, other in ((node.left, node.right), (node.right, node.left)):
        path = path_of(one, {})
        if path and None not in path and isinstance(other, Literal) and isinstance(other.value, str):
            return path, other.value
    return None

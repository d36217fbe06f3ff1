"""The types of operators and of logic. Here comparisons that never hold are found."""

from mcp_guard.cel.checks import suspicions
from mcp_guard.cel.checks.access import LITERALS
from mcp_guard.cel.checks.sight import Sight, described
from mcp_guard.cel.checks.signatures import OPERATORS, common, may_be_equal, result
from mcp_guard.cel.syntax import Binary, ListOf, Literal, Logic, MapOf, Node, Ternary, Unary, parts
from mcp_guard.cel.types import BOOL, DYN, STRING, Type


def condition(node: Node, place: str, sight: Sight) -> Type:
    """The type bool, which what stands at such a place has to have."""
    found = sight.type_of(node)
    if found is not BOOL and found is not DYN:
        raise sight.wrong(node, f"{place} needs true or false, and this is {described(found)}")
    return BOOL


def unary(node: Unary, sight: Sight) -> Type:
    """The type of `!operand` and `-operand`."""
    if node.operator == "!":
        return condition(node.operand, "`!`", sight)
    operand = sight.type_of(node.operand)
    found = result(OPERATORS["negate"], [operand])
    if found is None:
        raise sight.wrong(node, f"`-` has no meaning for {described(operand)}")
    return found


def binary(node: Binary, sight: Sight) -> Type:
    """The type of a comparison, `in`, or arithmetic."""
    left, right = sight.type_of(node.left), sight.type_of(node.right)
    if node.operator in ("==", "!="):
        found = _equality(node, left, right, sight)
    elif node.operator == "in":
        found = _membership(node, left, right, sight)
    else:
        found = result(OPERATORS[node.operator], [left, right])
    if found is None:
        message = f"`{node.operator}` has no meaning for {described(left)} and {described(right)}"
        raise sight.wrong(node, message, suspicions.conversion(left, right))
    why = suspicions.impossible_size(node)
    if why:
        raise sight.wrong(node, why)
    return found


def _equality(node: Binary, left: Type, right: Type, sight: Sight) -> Type:
    if not may_be_equal(left, right):
        outcome = "never" if node.operator == "==" else "always"
        message = f"`{node.operator}` between {described(left)} and {described(right)} {outcome} holds"
        raise sight.wrong(node, message, suspicions.conversion(left, right))
    return BOOL


def _membership(node: Binary, left: Type, right: Type, sight: Sight) -> Type:
    if right is DYN:
        return BOOL
    if right is STRING and left in (STRING, DYN):
        hint = "write `text.contains(part)` for a part of a string"
        raise sight.wrong(node, "`in` looks into a list or the keys of a map, not into a string", hint)
    item = STRING if right.fields is not None else right.parameters[0] if right.name in ("list", "map") else None
    if item is None:
        raise sight.wrong(node, f"`in` looks into a list or the keys of a map, and this is {described(right)}")
    if not may_be_equal(left, item):
        raise sight.wrong(node, f"{described(left)} is never in {described(right)}")
    if isinstance(node.right, ListOf | MapOf) and not parts(node.right):
        raise sight.wrong(node.right, "nothing is ever in what is empty")
    for written in parts(node.right) if isinstance(node.right, ListOf) else ():
        if isinstance(written, Literal) and not may_be_equal(left, LITERALS[type(written.value)]):
            kind = described(LITERALS[type(written.value)])
            raise sight.wrong(written, f"{described(left)} is never equal to {kind}")
    return BOOL


def logic(node: Logic, sight: Sight) -> Type:
    """The type of a chain of `&&` or `||`."""
    for operand in node.operands:
        condition(operand, f"`{node.operator}`", sight)
    clash = suspicions.contradiction(node)
    if clash:
        raise sight.wrong(*clash)
    return BOOL


def ternary(node: Ternary, sight: Sight) -> Type:
    """The type of both values of `?:`, which have to be alike."""
    condition(node.condition, "what stands before `?`", sight)
    then, otherwise = sight.type_of(node.then), sight.type_of(node.otherwise)
    found = common(then, otherwise)
    if found is None:
        raise sight.wrong(node, f"`?` gives {described(then)} or {described(otherwise)}: the two have to be alike")
    return found

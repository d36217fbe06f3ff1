"""The types of what is read: names, fields, items, `has`. Here misspelt variables and fields are found."""

from mcp_guard.cel.checks import suggestions
from mcp_guard.cel.checks.sight import Sight, described
from mcp_guard.cel.checks.signatures import fits, may_be_equal
from mcp_guard.cel.functions import overloads
from mcp_guard.cel.parser import dotted
from mcp_guard.cel.syntax import Has, Index, Literal, Name, Node, Select
from mcp_guard.cel.types import BOOL, BYTES, DOUBLE, DYN, INT, NULL, STRING, TYPE, UINT, Type, optional_of
from mcp_guard.cel.values import TYPES, UInt

LITERALS = {type(None): NULL, bool: BOOL, int: INT, UInt: UINT, float: DOUBLE, str: STRING, bytes: BYTES}
WHOLE = (INT, UINT, DYN)


def literal(node: Literal, sight: Sight) -> Type:
    """The type of a constant."""
    return LITERALS[type(node.value)]


def name(node: Name, sight: Sight) -> Type:
    """The type of a variable; the name of a type is itself a value."""
    if not node.rooted and node.name in sight.local:
        return sight.local[node.name]
    if node.name in sight.variables:
        return sight.variables[node.name]
    if node.name in TYPES:
        return TYPE
    hint = suggestions.variable(node.name, sight.variables)
    raise sight.wrong(node, f"there is no variable `{node.name}`", hint)


def select(node: Select, sight: Sight) -> Type:
    """The type of `operand.field`."""
    named = _qualified(node, sight)
    if named is not None:
        return named
    found = _field(node, sight.type_of(node.operand), node.field, sight)
    return _optional(found) if node.optional else found


def _qualified(node: Select, sight: Sight) -> Type | None:
    """The type of a variable with a dotted name, and of the name of a type such as `net.IP`."""
    path = None if node.optional else dotted(node)
    if path is None or path.partition(".")[0] in sight.local:
        return None
    return sight.variables.get(path) or (TYPE if path in TYPES else None)


def _optional(found: Type) -> Type:
    return found if found.name == "optional_type" else optional_of(found)


def _field(node: Node, operand: Type, field: str, sight: Sight) -> Type:
    """The type of a field. On an optional it is optional too."""
    if operand is DYN:
        return DYN
    if operand.fields is not None:
        if field not in operand.fields:
            hint = suggestions.field(field, operand)
            raise sight.wrong(node, f"`{operand.name}` has no field `{field}`", hint)
        return operand.fields[field]
    if operand.name == "map":
        if not fits(STRING, operand.parameters[0], {}):
            raise sight.wrong(node, f"the keys of {described(operand)} are no field names")
        return operand.parameters[1]
    if operand.name == "optional_type":
        return _optional(_field(node, operand.parameters[0], field, sight))
    hint = f"write `{field}(…)` for the function" if overloads(field, False) else ""
    hint = f"write `.{field}(…)` for the method" if overloads(field, True) else hint
    raise sight.wrong(node, f"{described(operand)} has no fields", hint)


def has(node: Has, sight: Sight) -> Type:
    """`has` asks for a field that there could be."""
    _field(node, sight.type_of(node.operand), node.field, sight)
    return BOOL


def index(node: Index, sight: Sight) -> Type:
    """The type of `operand[key]`."""
    operand, key = sight.type_of(node.operand), sight.type_of(node.key)
    found = _item(node, operand, key, sight)
    return _optional(found) if node.optional else found


def _item(node: Index, operand: Type, key: Type, sight: Sight) -> Type:
    constant = node.key.value if isinstance(node.key, Literal) else None
    if operand is DYN or operand.fields is not None:
        return _field(node, operand, constant, sight) if isinstance(constant, str) else DYN
    if operand.name == "optional_type":
        return _optional(_item(node, operand.parameters[0], key, sight))
    if operand.name == "list":
        _check_position(node, key, constant, sight)
        return operand.parameters[0]
    if operand.name != "map":
        raise sight.wrong(node, f"{described(operand)} has no items")
    if not may_be_equal(operand.parameters[0], key):
        message = f"the keys of this map are of type {operand.parameters[0]!r}, and this is {described(key)}"
        raise sight.wrong(node.key, message)
    return operand.parameters[1]


def _check_position(node: Index, key: Type, constant: object, sight: Sight) -> None:
    if key not in WHOLE:
        raise sight.wrong(node.key, f"a list is indexed by an int, not by {described(key)}")
    if isinstance(constant, int) and constant < 0:
        hint = "the last item is `x[size(x) - 1]`"
        raise sight.wrong(node.key, "a negative index is outside every list", hint)

"""Closures that read: a variable, a field, an item, and `has`. Nearly all the time of a condition is spent here.

A path such as `request.args.path` is one closure: it tries the plain subscripts, and only where that fails asks what
is wrong. Every field that a caller may leave out fails here, with the path as the source has it and no value.
"""

from mcp_guard.cel.closures.scope import BUDGET, Frame, Names, Run, Scope
from mcp_guard.cel.comparison import MISSING, entry
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.syntax import Has, Index, Literal, Name, Node, Select
from mcp_guard.cel.values import NONE, NUMBERS, TYPES, UNKNOWN, OptionalValue, Unknown, Value, kind_of, refusal


def name(node: Name, scope: Scope) -> Run:
    """A variable, or the name of a type."""
    return _read(node, scope)


def select(node: Select, scope: Scope) -> Run:
    """`operand.field`; `operand.?field` gives an optional."""
    if node.optional:
        return _optional_member(scope.build(node.operand), _constant(node.field))
    return _read(node, scope)


def index(node: Index, scope: Scope) -> Run:
    """`operand[key]`; `operand[?key]` gives an optional."""
    if node.optional:
        return _optional_member(scope.build(node.operand), scope.build(node.key))
    if isinstance(node.key, Literal) and isinstance(node.key.value, str):
        return _read(node, scope)
    operand, key = scope.build(node.operand), scope.build(node.key)

    def run(names: Names, frame: Frame) -> Value:
        container = operand(names, frame)
        position = key(names, frame)
        kind = kind_of(container)
        if kind is list and type(position) is int and 0 <= position < len(container):
            return container[position]
        return member(container, position, frame)

    return run


def _constant(value: Value) -> Run:
    return lambda names, frame: value


def _optional_member(operand: Run, key: Run) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        container = operand(names, frame)
        return optional_member(container, key(names, frame), frame)

    return run


def member(container: Value, key: Value, frame: Frame) -> Value:
    """`container[key]`, and `container.key`. Raises `EvaluationError` where there is none, without naming it."""
    kind = kind_of(container)
    if kind is dict:
        found = entry(container, key, frame[BUDGET])
        if found is MISSING:
            raise EvaluationError("no such key")
        return found
    if kind is OptionalValue:
        return optional_member(container, key, frame)
    if kind is list:
        return container[_position(container, key)]
    raise refusal("[]", container, key)


def _position(container: list[Value], key: Value) -> int:
    """The index that a key stands for. Never one from the end."""
    position = _whole(container, key)
    if not 0 <= position < len(container):
        raise EvaluationError("the index is outside the list")
    return position


def _whole(container: list[Value], key: Value) -> int:
    """An int, or a uint or double of the same value."""
    kind = kind_of(key)
    if kind not in NUMBERS or (kind is float and not key.is_integer()):
        raise refusal("[]", container, key)
    return int(key)


def optional_member(container: Value, key: Value, frame: Frame) -> OptionalValue:
    """`container[?key]`, and `container.?key`: an optional, empty where there is no such key."""
    kind = kind_of(container)
    if kind is OptionalValue and key is not UNKNOWN:
        return optional_member(container.value, key, frame) if container.present else NONE
    if kind is dict:
        found = entry(container, key, frame[BUDGET])
        return NONE if found is MISSING else OptionalValue(found)
    if kind is list:
        position = _whole(container, key)
        return OptionalValue(container[position]) if 0 <= position < len(container) else NONE
    raise refusal("[?]", container, key)


def has(node: Has, scope: Scope) -> Run:
    """`has(operand.field)`: whether the map has the field, be it null. A missing operand is an error."""
    operand, field = scope.build(node.operand), node.field

    def run(names: Names, frame: Frame) -> Value:
        container = operand(names, frame)
        if type(container) is dict:
            return field in container
        if type(container) is OptionalValue:
            return optional_member(container, field, frame).present
        if container is UNKNOWN:
            return container
        raise refusal("has", container)

    return run


def _read(node: Name | Select | Index, scope: Scope) -> Run:
    """The closure for a whole path, or for one step where what comes before is no path."""
    fields: list[str] = []
    at: Node = node
    while True:
        if isinstance(at, Select) and not at.optional:
            fields.append(at.field)
            at = at.operand
        elif (
            isinstance(at, Index) and not at.optional and isinstance(at.key, Literal) and isinstance(at.key.value, str)
        ):
            fields.append(at.key.value)
            at = at.operand
        else:
            break
    fields.reverse()
    if not isinstance(at, Name):
        return _steps(scope.build(at), fields)
    slot = None if at.rooted else scope.slot(at.name)
    if slot is not None:
        return _local(slot, fields, at.name in scope.deferred)
    return _global(at.name, fields)


def _steps(operand: Run, fields: list[str]) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        return _follow(operand(names, frame), fields, "", frame)

    return run


def _follow(value: Value, fields: list[str], path: str, frame: Frame) -> Value:
    """Go down the fields one by one, to find the value or to say where the path ends."""
    for depth, field in enumerate(fields):
        kind = kind_of(value)
        if kind is dict:
            if field not in value:
                raise EvaluationError(f"no such field: {'.'.join((path, *fields[: depth + 1])).lstrip('.')}")
            value = value[field]
        elif kind is OptionalValue:
            value = optional_member(value, field, frame)
        elif value is UNKNOWN:
            return value
        else:
            raise refusal(f".{field}", value)
    return value


class PartialNames(dict[str, Value]):
    """The variables of a partial evaluation: one that is missing is unknown."""

    __slots__ = ()

    def __missing__(self, name: str) -> Unknown:
        return UNKNOWN


class Failed:
    """What stands in the slot of a `cel.bind` whose value could not be computed: it fails where it is used."""

    __slots__ = ("error",)

    def __init__(self, error: EvaluationError) -> None:
        self.error = error


def _local(slot: int, fields: list[str], deferred: bool) -> Run:
    """A read that starts at the variable of a loop or a bind."""
    if deferred:
        return _steps(lambda names, frame: _settled(frame[slot]), fields)
    if not fields:
        return lambda names, frame: frame[slot]
    if len(fields) > 1:
        return _steps(lambda names, frame: frame[slot], fields)
    field = fields[0]

    def run(names: Names, frame: Frame) -> Value:
        try:
            return frame[slot][field]
        except Exception:
            return _follow(frame[slot], fields, "", frame)

    return run


def _settled(value: Value) -> Value:
    if type(value) is Failed:
        raise value.error
    return value


def _global(root: str, fields: list[str]) -> Run:
    """A read that starts at one of the caller's variables."""
    if ".".join((root, *fields)) in TYPES:
        return _type_or_variable(root, fields)
    build = GLOBAL_READS.get(len(fields))
    return build(root, *fields) if build else _long(root, fields)


def _variable(root: str) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        try:
            return names[root]
        except Exception:
            return _searched(names, root, [], frame)

    return run


def _one_down(root: str, first: str) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        try:
            return names[root][first]
        except Exception:
            return _searched(names, root, [first], frame)

    return run


def _two_down(root: str, first: str, second: str) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        try:
            return names[root][first][second]
        except Exception:
            return _searched(names, root, [first, second], frame)

    return run


def _three_down(root: str, first: str, second: str, third: str) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        try:
            return names[root][first][second][third]
        except Exception:
            return _searched(names, root, [first, second, third], frame)

    return run


GLOBAL_READS = {0: _variable, 1: _one_down, 2: _two_down, 3: _three_down}


def _long(root: str, fields: list[str]) -> Run:
    return lambda names, frame: _searched(names, root, fields, frame)


def _type_or_variable(root: str, fields: list[str]) -> Run:
    named = TYPES[".".join((root, *fields))]

    def run(names: Names, frame: Frame) -> Value:
        return _searched(names, root, fields, frame) if root in names else named

    return run


def _searched(names: Names, root: str, fields: list[str], frame: Frame) -> Value:
    """Find the variable, which may have a dotted name (the longest counts), go down from it; or say what is missing."""
    if root in names:
        return _follow(names[root], fields, root, frame)
    for length in range(len(fields), 0, -1):
        dotted = ".".join((root, *fields[:length]))
        if dotted in names:
            return _follow(names[dotted], fields[length:], dotted, frame)
    if type(names) is PartialNames:
        return _follow(UNKNOWN, fields, root, frame)
    raise EvaluationError(f"no such variable: {root}")

"""The types of lists, maps, and of the macros over them."""

from mcp_guard.cel.checks.operations import condition
from mcp_guard.cel.checks.sight import Sight, described
from mcp_guard.cel.checks.signatures import common
from mcp_guard.cel.syntax import Bind, ListOf, Loop, MapOf, Node, OptionalMap, Record
from mcp_guard.cel.types import BOOL, DYN, INT, STRING, UINT, Type, list_of, map_of, optional_of

KEYS = (INT, UINT, BOOL, STRING, DYN)


def make_list(node: ListOf, sight: Sight) -> Type:
    """The type of `[a, ?b]`: of `dyn` where its items differ."""
    found: Type | None = None
    for position, item in enumerate(node.items):
        type_ = sight.type_of(item)
        if position in node.optional:
            type_ = _content(item, type_, sight)
        found = type_ if found is None else common(found, type_) or DYN
    return list_of(found or DYN)


def make_map(node: MapOf, sight: Sight) -> Type:
    """The type of `{key: value, ?key: value}`."""
    keys: Type | None = None
    values: Type | None = None
    for position, (key, value) in enumerate(node.entries):
        one, other = sight.type_of(key), sight.type_of(value)
        if one not in KEYS:
            raise sight.wrong(key, f"{described(one)} is no key: keys are strings, ints, uints or bools")
        if position in node.optional:
            other = _content(value, other, sight)
        keys = one if keys is None else common(keys, one) or DYN
        values = other if values is None else common(values, other) or DYN
    return map_of(keys or DYN, values or DYN)


def _content(node: Node, type_: Type, sight: Sight) -> Type:
    """The type within an optional, which this has to be."""
    if type_ is DYN:
        return DYN
    if type_.name != "optional_type":
        raise sight.wrong(node, f"`?` needs an optional, and this is {described(type_)}")
    return type_.parameters[0]


def loop(node: Loop, sight: Sight) -> Type:
    """The type of what a loop gives."""
    variables = dict(zip(node.variables, _items(node, sight.type_of(node.over), sight), strict=True))
    inside = sight.inside(variables)
    if node.test:
        condition(node.test, "the test of a loop", inside)
    first = variables[node.variables[0]]
    found = inside.type_of(node.result) if node.result else first
    if node.kind in ("all", "exists", "exists_one"):
        return BOOL
    if node.kind == "transform_map":
        return map_of(first, found)
    return found if node.kind == "transform_entries" else list_of(found)


def _items(node: Loop, over: Type, sight: Sight) -> tuple[Type, ...]:
    """The types of a loop's variables: items; or keys; or of two variables index and item, or key and value."""
    count = len(node.variables)
    if over is DYN:
        return (DYN,) * count
    if over.fields is not None:
        return (STRING, DYN)[:count]
    if over.name == "list":
        return (INT, *over.parameters)[-count:]
    if over.name == "map":
        return over.parameters[:count]
    raise sight.wrong(node, f"a loop goes over a list or a map, and this is {described(over)}")


def bind(node: Bind, sight: Sight) -> Type:
    """The type of the body of `cel.bind`."""
    return sight.inside({node.variable: sight.type_of(node.value)}).type_of(node.body)


def optional_map(node: OptionalMap, sight: Sight) -> Type:
    """The type of `optMap` and `optFlatMap`."""
    inner = _content(node.target, sight.type_of(node.target), sight)
    found = sight.inside({node.variable: inner}).type_of(node.body)
    if not node.flat:
        return optional_of(found)
    _content(node.body, found, sight)
    return found


def record(node: Record, sight: Sight) -> Type:
    """No such type exists."""
    raise sight.wrong(node, f"there is no type `{node.name}`", "a map is written {…}")

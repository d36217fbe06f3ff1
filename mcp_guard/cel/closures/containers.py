"""Closures for `[…]` and `{…}`, and what may be a key.

A list or map never holds an unknown: making one of it fails at once, so that nothing has to look for it inside.
"""

from mcp_guard.cel.closures.scope import Frame, Names, Run, Scope
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.syntax import ListOf, MapOf
from mcp_guard.cel.values import UNKNOWN, OptionalValue, UInt, Value, refusal

KEYS = frozenset((str, int, UInt, bool))


def known(value: Value) -> Value:
    """The value, unless it is unknown."""
    if value is UNKNOWN:
        raise refusal("[]", value)
    return value


def put(entries: dict[Value, Value], key: Value, value: Value) -> None:
    """Add an entry. Raises `EvaluationError` for what is no key, or a key that is there already.

    `true` and `1` cannot be keys of one map: to Python, which holds the map, they are the same.
    """
    if type(key) not in KEYS:
        raise refusal("{}", key)
    if key in entries:
        raise EvaluationError("a map has the same key twice")
    entries[key] = known(value)


def make_list(node: ListOf, scope: Scope) -> Run:
    """`[a, ?b]`."""
    items = tuple(scope.build(item) for item in node.items)
    if not node.optional:
        return lambda names, frame: [known(item(names, frame)) for item in items]
    marked = [(item, position in node.optional) for position, item in enumerate(items)]

    def run(names: Names, frame: Frame) -> Value:
        found: list[Value] = []
        for item, optional in marked:
            value = known(item(names, frame))
            if not optional:
                found.append(value)
            elif content(value):
                found.append(value.value)
        return found

    return run


def content(value: Value) -> bool:
    """Whether what stands behind a `?` is there; it has to be an optional."""
    if type(value) is not OptionalValue:
        raise refusal("?", value)
    return value.present


def make_map(node: MapOf, scope: Scope) -> Run:
    """`{key: value, ?key: value}`."""
    entries = [
        (scope.build(key), scope.build(value), position in node.optional)
        for position, (key, value) in enumerate(node.entries)
    ]

    def run(names: Names, frame: Frame) -> Value:
        found: dict[Value, Value] = {}
        for key, value, optional in entries:
            one, other = known(key(names, frame)), value(names, frame)
            if not optional:
                put(found, one, other)
            elif content(other):
                put(found, one, other.value)
        return found

    return run

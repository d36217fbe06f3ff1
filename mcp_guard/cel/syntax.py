"""The syntax tree: what an expression says, before anyone asks what it means.

Nodes are never changed once made. `at` is the offset in the source that an error about the node points to. Macros
(`has`, `all`, `cel.bind`, …) have nodes of their own, at the end.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from typing import Literal as OneOf

Scalar = None | bool | int | float | str | bytes
LoopKind = OneOf["all", "exists", "exists_one", "map", "filter", "transform_list", "transform_map", "transform_entries"]


class Node:
    """One part of an expression."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class Literal(Node):
    """`1`, `2u`, `"text"`, `b"bytes"`, `true`, `null`."""

    __slots__ = ("value",)

    def __init__(self, at: int, value: Scalar) -> None:
        self.at = at
        self.value = value


class Name(Node):
    """A variable, or the name of a type. `rooted` for `.name`, which no loop variable can hide."""

    __slots__ = ("name", "rooted")

    def __init__(self, at: int, name: str, rooted: bool = False) -> None:
        self.at = at
        self.name = name
        self.rooted = rooted


class Select(Node):
    """`operand.field`, or `operand.?field`."""

    __slots__ = ("field", "operand", "optional")

    def __init__(self, at: int, operand: Node, field: str, optional: bool = False) -> None:
        self.at = at
        self.operand = operand
        self.field = field
        self.optional = optional


class Index(Node):
    """`operand[key]`, or `operand[?key]`."""

    __slots__ = ("key", "operand", "optional")

    def __init__(self, at: int, operand: Node, key: Node, optional: bool = False) -> None:
        self.at = at
        self.operand = operand
        self.key = key
        self.optional = optional


class Call(Node):
    """`function(arguments)`, or `target.function(arguments)`."""

    __slots__ = ("arguments", "function", "target")

    def __init__(self, at: int, target: Node | None, function: str, arguments: tuple[Node, ...]) -> None:
        self.at = at
        self.target = target
        self.function = function
        self.arguments = arguments


class Unary(Node):
    """`!operand` or `-operand`."""

    __slots__ = ("operand", "operator")

    def __init__(self, at: int, operator: str, operand: Node) -> None:
        self.at = at
        self.operator = operator
        self.operand = operand


class Binary(Node):
    """Arithmetic, comparison, `in`."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, at: int, operator: str, left: Node, right: Node) -> None:
        self.at = at
        self.operator = operator
        self.left = left
        self.right = right


class Logic(Node):
    """A chain of `&&`, or a chain of `||`."""

    __slots__ = ("operands", "operator")

    def __init__(self, at: int, operator: str, operands: tuple[Node, ...]) -> None:
        self.at = at
        self.operator = operator
        self.operands = operands


class Ternary(Node):
    """`condition ? then : otherwise`."""

    __slots__ = ("condition", "otherwise", "then")

    def __init__(self, at: int, condition: Node, then: Node, otherwise: Node) -> None:
        self.at = at
        self.condition = condition
        self.then = then
        self.otherwise = otherwise


class ListOf(Node):
    """`[a, b]`; `optional` holds the positions written as `?item`."""

    __slots__ = ("items", "optional")

    def __init__(self, at: int, items: tuple[Node, ...], optional: frozenset[int] = frozenset()) -> None:
        self.at = at
        self.items = items
        self.optional = optional


class MapOf(Node):
    """`{key: value}`; `optional` holds the positions written as `?key: value`."""

    __slots__ = ("entries", "optional")

    def __init__(self, at: int, entries: tuple[tuple[Node, Node], ...], optional: frozenset[int] = frozenset()) -> None:
        self.at = at
        self.entries = entries
        self.optional = optional


class Record(Node):
    """`Name{field: value}`: valid syntax, of which no type exists here."""

    __slots__ = ("fields", "name")

    def __init__(self, at: int, name: str, fields: tuple[tuple[str, Node], ...]) -> None:
        self.at = at
        self.name = name
        self.fields = fields


class Has(Node):
    """`has(operand.field)`."""

    __slots__ = ("field", "operand", "optional")

    def __init__(self, at: int, operand: Node, field: str, optional: bool = False) -> None:
        self.at = at
        self.operand = operand
        self.field = field
        self.optional = optional


class Loop(Node):
    """A macro over a list or a map. `test` is its predicate or filter, `result` what `map` and the like collect."""

    __slots__ = ("kind", "over", "result", "test", "variables")
    kind: LoopKind

    def __init__(
        self,
        at: int,
        kind: LoopKind,
        over: Node,
        variables: tuple[str, ...],
        test: Node | None,
        result: Node | None,
    ) -> None:
        self.at = at
        self.kind = kind
        self.over = over
        self.variables = variables
        self.test = test
        self.result = result


class Bind(Node):
    """`cel.bind(variable, value, body)`: a name for a value, within the body."""

    __slots__ = ("body", "value", "variable")

    def __init__(self, at: int, variable: str, value: Node, body: Node) -> None:
        self.at = at
        self.variable = variable
        self.value = value
        self.body = body


class OptionalMap(Node):
    """`target.optMap(variable, body)`, or `optFlatMap` where `flat`: the body gives an optional itself."""

    __slots__ = ("body", "flat", "target", "variable")

    def __init__(self, at: int, target: Node, variable: str, body: Node, flat: bool) -> None:
        self.at = at
        self.target = target
        self.variable = variable
        self.body = body
        self.flat = flat


PARTS: Mapping[type[Node], Callable[[Any], tuple[Node, ...]]] = {
    Binary: lambda node: (node.left, node.right),
    Bind: lambda node: (node.value, node.body),
    Call: lambda node: node.arguments if node.target is None else (node.target, *node.arguments),
    Has: lambda node: (node.operand,),
    Index: lambda node: (node.operand, node.key),
    ListOf: lambda node: node.items,
    Literal: lambda node: (),
    Logic: lambda node: node.operands,
    Loop: lambda node: tuple(part for part in (node.over, node.test, node.result) if part is not None),
    MapOf: lambda node: tuple(part for entry in node.entries for part in entry),
    Name: lambda node: (),
    OptionalMap: lambda node: (node.target, node.body),
    Record: lambda node: tuple(value for _, value in node.fields),
    Select: lambda node: (node.operand,),
    Ternary: lambda node: (node.condition, node.then, node.otherwise),
    Unary: lambda node: (node.operand,),
}


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes directly under this one, in the order of the source."""
    return PARTS[type(node)](node)


def walk(root: Node) -> Iterator[tuple[Node, int]]:
    """Every node under `root` with its depth, from 1; without recursion, so that any tree can be walked."""
    waiting = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((part, depth + 1) for part in parts(node))

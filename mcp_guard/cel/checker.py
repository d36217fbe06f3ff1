"""The checker: refuses, when it is compiled, a condition that cannot mean what its author wanted.

It goes up the tree and finds the type of each part. What it refuses is certain to be wrong, whatever the arguments:
names and fields that do not exist, operations on types for which they have no meaning, comparisons that never hold.
What hangs on the arguments is `dyn` and passes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mcp_guard.cel import suggestions, suspicions
from mcp_guard.cel.calls import resolve
from mcp_guard.cel.errors import CompileError, compile_error
from mcp_guard.cel.functions import overloads
from mcp_guard.cel.parser import dotted
from mcp_guard.cel.signatures import OPERATORS, common, fits, may_be_equal, result
from mcp_guard.cel.syntax import (
    Binary,
    Bind,
    Call,
    Has,
    Index,
    ListOf,
    Literal,
    Logic,
    Loop,
    MapOf,
    Name,
    Node,
    OptionalMap,
    Record,
    Select,
    Ternary,
    Unary,
    parts,
)
from mcp_guard.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    TYPE,
    UINT,
    Type,
    list_of,
    map_of,
    optional_of,
)
from mcp_guard.cel.values import TYPES, UInt

LITERALS = {type(None): NULL, bool: BOOL, int: INT, UInt: UINT, float: DOUBLE, str: STRING, bytes: BYTES}
KEYS = (INT, UINT, BOOL, STRING, DYN)
WHOLE = (INT, UINT, DYN)

Locals = Mapping[str, Type]


def check(source: str, tree: Node, variables: Mapping[str, Type], expect_bool: bool) -> Type:
    """The type of an expression that reads these variables. Raises `CompileError` for the first thing wrong with it."""
    found = _Checker(source, variables).type_of(tree, {})
    if expect_bool and found is not BOOL and found is not DYN:
        hint = "compare it with something" if found.name != "optional_type" else "end it with `.orValue(false)`"
        raise compile_error(source, tree.at, f"a condition is true or false, and this gives {described(found)}", hint)
    return found


def described(type_: Type) -> str:
    """A type as a sentence has it: `a string`, `an int`, `null`."""
    if type_ is NULL:
        return "null"
    return f"{'an' if type_.name[0] in 'aeio' else 'a'} {type_!r}"


class _Checker:
    """The types of one expression. `type_of` takes a node and the variables of the loops around it."""

    def __init__(self, source: str, variables: Mapping[str, Type]) -> None:
        self.source = source
        self.variables = variables

    def type_of(self, node: Node, local: Locals) -> Type:
        """The type of a node. Raises `CompileError`."""
        return CHECKS[type(node)](self, node, local)

    def wrong(self, node: Node, message: str, hint: str = "") -> CompileError:
        return compile_error(self.source, node.at, message, hint)

    def literal(self, node: Literal, local: Locals) -> Type:
        return LITERALS[type(node.value)]

    def name(self, node: Name, local: Locals) -> Type:
        if not node.rooted and node.name in local:
            return local[node.name]
        if node.name in self.variables:
            return self.variables[node.name]
        if node.name in TYPES:
            return TYPE
        raise self.wrong(node, f"there is no variable `{node.name}`", suggestions.variable(node.name, self.variables))

    def select(self, node: Select, local: Locals) -> Type:
        named = self.qualified(node, local)
        if named is not None:
            return named
        operand = self.type_of(node.operand, local)
        found = self.field(node, operand, node.field)
        return optional_of(found) if node.optional and found.name != "optional_type" else found

    def qualified(self, node: Select, local: Locals) -> Type | None:
        """The type of a variable with a dotted name, and of the name of a type such as `net.IP`."""
        path = None if node.optional else dotted(node)
        if path is None or path.partition(".")[0] in local:
            return None
        return self.variables.get(path) or (TYPE if path in TYPES else None)

    def field(self, node: Node, operand: Type, field: str) -> Type:
        """The type of a field. On an optional it is optional too."""
        if operand is DYN:
            return DYN
        if operand.fields is not None:
            if field not in operand.fields:
                hint = suggestions.field(field, operand)
                raise self.wrong(node, f"`{operand.name}` has no field `{field}`", hint)
            return operand.fields[field]
        if operand.name == "map":
            if not fits(STRING, operand.parameters[0], {}):
                raise self.wrong(node, f"the keys of {described(operand)} are no field names")
            return operand.parameters[1]
        if operand.name == "optional_type":
            found = self.field(node, operand.parameters[0], field)
            return found if found.name == "optional_type" else optional_of(found)
        hint = f"write `{field}(…)` for the function" if overloads(field, False) else ""
        hint = f"write `.{field}(…)` for the method" if overloads(field, True) else hint
        raise self.wrong(node, f"{described(operand)} has no fields", hint)

    def has(self, node: Has, local: Locals) -> Type:
        self.field(node, self.type_of(node.operand, local), node.field)
        return BOOL

    def index(self, node: Index, local: Locals) -> Type:
        operand, key = self.type_of(node.operand, local), self.type_of(node.key, local)
        found = self.item(node, operand, key)
        return optional_of(found) if node.optional and found.name != "optional_type" else found

    def item(self, node: Index, operand: Type, key: Type) -> Type:
        constant = node.key.value if isinstance(node.key, Literal) else None
        if operand is DYN or operand.fields is not None:
            if isinstance(constant, str):
                return self.field(node, operand, constant)
            return DYN
        if operand.name == "optional_type":
            return optional_of(self.item(node, operand.parameters[0], key))
        if operand.name == "list":
            if key not in WHOLE:
                raise self.wrong(node.key, f"a list is indexed by an int, not by {described(key)}")
            if isinstance(constant, int) and constant < 0:
                hint = "the last item is `x[size(x) - 1]`"
                raise self.wrong(node.key, "a negative index is outside every list", hint)
            return operand.parameters[0]
        if operand.name != "map":
            raise self.wrong(node, f"{described(operand)} has no items")
        if not may_be_equal(operand.parameters[0], key):
            message = f"the keys of this map are of type {operand.parameters[0]!r}, and this is {described(key)}"
            raise self.wrong(node.key, message)
        return operand.parameters[1]

    def call(self, node: Call, local: Locals) -> Type:
        name, arguments, is_method = resolve(node, lambda root: 0 if root in local else None)
        rows = overloads(name, is_method)
        if not rows:
            kind = "method" if is_method else "function"
            raise self.wrong(node, f"there is no {kind} `{name}`", suggestions.function(name, is_method))
        types = [self.type_of(argument, local) for argument in arguments]
        found = result([(row.parameters, row.result) for row in rows], types)
        if found is None:
            raise self.misfit(node, name, types, is_method)
        why = suspicions.unreadable(name, arguments)
        if why:
            raise self.wrong(arguments[0], why)
        pattern = suspicions.backspace(node)
        if pattern:
            raise self.wrong(pattern, "`\\b` in a plain string is a backspace", 'a word boundary is written r"\\b"')
        return found

    def misfit(self, node: Call, name: str, types: Sequence[Type], is_method: bool) -> CompileError:
        """The error for a function that exists, but not for these arguments."""
        rows = overloads(name, is_method)
        first = 1 if is_method else 0
        counts = sorted({len(row.parameters) - first for row in rows})
        if len(types) - first not in counts:
            takes = " or ".join(str(count) for count in counts)
            noun = "argument" if takes == "1" else "arguments"
            return self.wrong(node, f"`{name}` takes {takes} {noun}, not {len(types) - first}")
        given = ", ".join(map(repr, types[first:]))
        shown = f"`{types[0]!r}.{name}({given})`" if is_method else f"`{name}({given})`"
        fitting = (row.parameters for row in rows if len(row.parameters) == len(types))
        takes = " or ".join(dict.fromkeys(_shown(name, parameters, is_method) for parameters in fitting))
        return self.wrong(node, f"{shown} has no meaning", f"there is {takes}")

    def unary(self, node: Unary, local: Locals) -> Type:
        operand = self.type_of(node.operand, local)
        if node.operator == "!":
            return self.condition(node.operand, operand, "`!`")
        found = result(OPERATORS["negate"], [operand])
        if found is None:
            raise self.wrong(node, f"`-` has no meaning for {described(operand)}")
        return found

    def condition(self, node: Node, found: Type, place: str) -> Type:
        """That what stands at such a place is true or false."""
        if found is not BOOL and found is not DYN:
            raise self.wrong(node, f"{place} needs true or false, and this is {described(found)}")
        return BOOL

    def binary(self, node: Binary, local: Locals) -> Type:
        left, right = self.type_of(node.left, local), self.type_of(node.right, local)
        if node.operator in ("==", "!="):
            return self.equality(node, left, right)
        if node.operator == "in":
            return self.membership(node, left, right, local)
        found = result(OPERATORS[node.operator], [left, right])
        if found is None:
            message = f"`{node.operator}` has no meaning for {described(left)} and {described(right)}"
            raise self.wrong(node, message, suspicions.conversion(left, right))
        why = suspicions.impossible_size(node)
        if why:
            raise self.wrong(node, why)
        return found

    def equality(self, node: Binary, left: Type, right: Type) -> Type:
        if not may_be_equal(left, right):
            outcome = "never" if node.operator == "==" else "always"
            message = f"`{node.operator}` between {described(left)} and {described(right)} {outcome} holds"
            raise self.wrong(node, message, suspicions.conversion(left, right))
        why = suspicions.impossible_size(node)
        if why:
            raise self.wrong(node, why)
        return BOOL

    def membership(self, node: Binary, left: Type, right: Type, local: Locals) -> Type:
        if right is DYN:
            return BOOL
        if right is STRING and left in (STRING, DYN):
            hint = "write `text.contains(part)` for a part of a string"
            raise self.wrong(node, "`in` looks into a list or the keys of a map, not into a string", hint)
        item = STRING if right.fields is not None else right.parameters[0] if right.name in ("list", "map") else None
        if item is None:
            raise self.wrong(node, f"`in` looks into a list or the keys of a map, and this is {described(right)}")
        if not may_be_equal(left, item):
            raise self.wrong(node, f"{described(left)} is never in {described(right)}")
        if isinstance(node.right, ListOf) and not node.right.optional:
            self.candidates(left, node.right, local)
        if isinstance(node.right, ListOf | MapOf) and not parts(node.right):
            raise self.wrong(node.right, "nothing is ever in what is empty")
        return BOOL

    def candidates(self, wanted: Type, written: ListOf, local: Locals) -> None:
        """That each item of a list as it is written can be what is looked for."""
        for item in written.items:
            found = self.type_of(item, local)
            if not may_be_equal(wanted, found):
                raise self.wrong(item, f"{described(wanted)} is never equal to {described(found)}")

    def logic(self, node: Logic, local: Locals) -> Type:
        for operand in node.operands:
            self.condition(operand, self.type_of(operand, local), f"`{node.operator}`")
        clash = suspicions.contradiction(node)
        if clash:
            raise self.wrong(clash[0], clash[1], clash[2])
        return BOOL

    def ternary(self, node: Ternary, local: Locals) -> Type:
        self.condition(node.condition, self.type_of(node.condition, local), "what stands before `?`")
        then, otherwise = self.type_of(node.then, local), self.type_of(node.otherwise, local)
        found = common(then, otherwise)
        if found is None:
            raise self.wrong(node, f"`?` gives {described(then)} or {described(otherwise)}: the two have to be alike")
        return found

    def list(self, node: ListOf, local: Locals) -> Type:
        found: Type | None = None
        for position, item in enumerate(node.items):
            type_ = self.type_of(item, local)
            if position in node.optional:
                type_ = self.content(item, type_)
            found = type_ if found is None else common(found, type_) or DYN
        return list_of(found or DYN)

    def content(self, node: Node, type_: Type) -> Type:
        """The type within an optional, which has to stand behind `?`."""
        if type_ is DYN:
            return DYN
        if type_.name != "optional_type":
            raise self.wrong(node, f"`?` needs an optional, and this is {described(type_)}")
        return type_.parameters[0]

    def map(self, node: MapOf, local: Locals) -> Type:
        keys: Type | None = None
        values: Type | None = None
        for position, (key, value) in enumerate(node.entries):
            one, other = self.type_of(key, local), self.type_of(value, local)
            if one not in KEYS:
                raise self.wrong(key, f"{described(one)} is no key: keys are strings, ints, uints or bools")
            if position in node.optional:
                other = self.content(value, other)
            keys = one if keys is None else common(keys, one) or DYN
            values = other if values is None else common(values, other) or DYN
        return map_of(keys or DYN, values or DYN)

    def loop(self, node: Loop, local: Locals) -> Type:
        over = self.type_of(node.over, local)
        inside = {**local, **dict(zip(node.variables, self.items(node, over), strict=True))}
        if node.test:
            self.condition(node.test, self.type_of(node.test, inside), "the test of a loop")
        found = self.type_of(node.result, inside) if node.result else inside[node.variables[0]]
        if node.kind in ("all", "exists", "exists_one"):
            return BOOL
        if node.kind == "transform_map":
            return map_of(inside[node.variables[0]], found)
        return found if node.kind == "transform_entries" else list_of(found)

    def items(self, node: Loop, over: Type) -> tuple[Type, ...]:
        """The types of a loop's variables: items; or keys; or of two variables index and item, or key and value."""
        if over is DYN:
            return (DYN,) * len(node.variables)
        if over.fields is not None:
            return (STRING, DYN)[: len(node.variables)]
        if over.name == "list":
            return (over.parameters[0],) if len(node.variables) == 1 else (INT, over.parameters[0])
        if over.name == "map":
            return over.parameters[: len(node.variables)]
        raise self.wrong(node, f"a loop goes over a list or a map, and this is {described(over)}")

    def bind(self, node: Bind, local: Locals) -> Type:
        return self.type_of(node.body, {**local, node.variable: self.type_of(node.value, local)})

    def optional_map(self, node: OptionalMap, local: Locals) -> Type:
        inner = self.content(node.target, self.type_of(node.target, local))
        found = self.type_of(node.body, {**local, node.variable: inner})
        if not node.flat:
            return optional_of(found)
        self.content(node.body, found)
        return found

    def record(self, node: Record, local: Locals) -> Type:
        raise self.wrong(node, f"there is no type `{node.name}`", "a map is written {…}")


def _shown(name: str, parameters: Sequence[Type], is_method: bool) -> str:
    if is_method:
        return f"`{parameters[0]!r}.{name}({', '.join(map(repr, parameters[1:]))})`"
    return f"`{name}({', '.join(map(repr, parameters))})`"


CHECKS: Mapping[type[Node], Callable[[_Checker, Any, Locals], Type]] = {
    Binary: _Checker.binary,
    Bind: _Checker.bind,
    Call: _Checker.call,
    Has: _Checker.has,
    Index: _Checker.index,
    ListOf: _Checker.list,
    Literal: _Checker.literal,
    Logic: _Checker.logic,
    Loop: _Checker.loop,
    MapOf: _Checker.map,
    Name: _Checker.name,
    OptionalMap: _Checker.optional_map,
    Record: _Checker.record,
    Select: _Checker.select,
    Ternary: _Checker.ternary,
    Unary: _Checker.unary,
}

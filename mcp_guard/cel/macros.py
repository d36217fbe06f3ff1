"""The calls that are syntax, not functions: `has`, the loops, `cel.bind`, `optMap`.

A call that looks like a macro but is not written as one (`x.all(1, 2)`, `has(x)`) is an error here, with the place.
Which names are macros, and with how many arguments, stands in two tables.
"""

from mcp_guard.cel.errors import compile_error
from mcp_guard.cel.syntax import Bind, Call, Has, ListOf, Literal, Loop, LoopKind, Name, Node, OptionalMap, Select

ACCUMULATOR = "__result__"

LOOPS: dict[tuple[str, int], tuple[LoopKind, int, bool, bool]] = {
    # name, arguments: kind, variables, whether a test comes next, whether a result comes last
    ("all", 2): ("all", 1, True, False),
    ("exists", 2): ("exists", 1, True, False),
    ("exists_one", 2): ("exists_one", 1, True, False),
    ("existsOne", 2): ("exists_one", 1, True, False),
    ("map", 2): ("map", 1, False, True),
    ("map", 3): ("map", 1, True, True),
    ("filter", 2): ("filter", 1, True, False),
    ("all", 3): ("all", 2, True, False),
    ("exists", 3): ("exists", 2, True, False),
    ("exists_one", 3): ("exists_one", 2, True, False),
    ("existsOne", 3): ("exists_one", 2, True, False),
    ("transformList", 3): ("transform_list", 2, False, True),
    ("transformList", 4): ("transform_list", 2, True, True),
    ("transformMap", 3): ("transform_map", 2, False, True),
    ("transformMap", 4): ("transform_map", 2, True, True),
    ("transformMapEntry", 3): ("transform_entries", 2, False, True),
    ("transformMapEntry", 4): ("transform_entries", 2, True, True),
}


def expand(source: str, call: Call) -> Node:
    """The node for a call: that of a macro, or the call itself. Raises `CompileError`."""
    target, function, count = call.target, call.function, len(call.arguments)
    if target is None:
        return _has(source, call) if function == "has" and count == 1 else call
    if (function, count) in LOOPS:
        return _loop(source, call, target)
    if isinstance(target, Name) and target.name == "cel":
        return _cel(source, call)
    if function in ("optMap", "optFlatMap") and count == 2:
        variable = _variable(source, call.arguments[0])
        return OptionalMap(call.at, target, variable, call.arguments[1], function == "optFlatMap")
    return call


def _has(source: str, call: Call) -> Node:
    field = call.arguments[0]
    if not isinstance(field, Select):
        raise compile_error(source, field.at, "`has` takes a field: `has(a.b)`", 'for other keys write `"key" in a`')
    return Has(call.at, field.operand, field.field, field.optional)


def _loop(source: str, call: Call, target: Node) -> Node:
    kind, variables, has_test, has_result = LOOPS[call.function, len(call.arguments)]
    names = tuple(_variable(source, argument) for argument in call.arguments[:variables])
    if len(set(names)) != len(names):
        raise compile_error(source, call.at, "the two variables of a loop have the same name")
    test = call.arguments[variables] if has_test else None
    result = call.arguments[-1] if has_result else None
    return Loop(call.at, kind, target, names, test, result)


def _cel(source: str, call: Call) -> Node:
    """`cel.bind`, and `cel.block` with its `cel.index` and `cel.iterVar`, which optimizers write."""
    arguments = call.arguments
    if call.function == "bind" and len(arguments) == 3:
        return Bind(call.at, _variable(source, arguments[0]), arguments[1], arguments[2])
    if call.function == "block" and len(arguments) == 2 and isinstance(arguments[0], ListOf):
        body = arguments[1]
        for position, value in reversed(list(enumerate(arguments[0].items))):
            body = Bind(call.at, f"@index:{position}", value, body)
        return body
    if call.function in ("index", "iterVar"):
        numbers = [str(argument.value) for argument in arguments if isinstance(argument, Literal)]
        return Name(call.at, ":".join((f"@{call.function}", *numbers)))
    return call


def _variable(source: str, node: Node) -> str:
    if not isinstance(node, Name) or node.rooted:
        raise compile_error(source, node.at, "a variable of a loop is a plain name")
    if node.name == ACCUMULATOR:
        raise compile_error(source, node.at, f"`{ACCUMULATOR}` cannot be a variable")
    return node.name

"""The types of calls: whether there is such a function, for such arguments."""

from collections.abc import Sequence

from mcp_guard.cel.checks import suggestions, suspicions
from mcp_guard.cel.checks.sight import Sight
from mcp_guard.cel.checks.signatures import result
from mcp_guard.cel.closures.calls import resolve
from mcp_guard.cel.errors import CompileError
from mcp_guard.cel.functions import Function, overloads
from mcp_guard.cel.syntax import Call
from mcp_guard.cel.types import Type


def call(node: Call, sight: Sight) -> Type:
    """The type of what a function gives."""
    name, arguments, is_method = resolve(node, lambda root: root in sight.local)
    rows = overloads(name, is_method)
    if not rows:
        kind = "method" if is_method else "function"
        raise sight.wrong(node, f"there is no {kind} `{name}`", suggestions.function(name, is_method))
    types = [sight.type_of(argument) for argument in arguments]
    found = result([(row.parameters, row.result) for row in rows], types)
    if found is None:
        raise _misfit(node, rows, types, sight)
    why = suspicions.unreadable(name, arguments)
    if why:
        raise sight.wrong(arguments[0], why)
    pattern = suspicions.backspace(node)
    if pattern:
        raise sight.wrong(pattern, "`\\b` in a plain string is a backspace", 'a word boundary is written r"\\b"')
    return found


def _misfit(node: Call, rows: Sequence[Function], types: Sequence[Type], sight: Sight) -> CompileError:
    """The error for a function that exists, but not for these arguments."""
    name, is_method = rows[0].name, rows[0].method
    targets = 1 if is_method else 0
    counts = sorted({len(row.parameters) - targets for row in rows})
    if len(types) - targets not in counts:
        takes = " or ".join(map(str, counts))
        noun = "argument" if takes == "1" else "arguments"
        return sight.wrong(node, f"`{name}` takes {takes} {noun}, not {len(types) - targets}")
    fitting = (row.parameters for row in rows if len(row.parameters) == len(types))
    takes = " or ".join(dict.fromkeys(_written(name, parameters, is_method) for parameters in fitting))
    return sight.wrong(node, f"{_written(name, types, is_method)} has no meaning", f"there is {takes}")


def _written(name: str, types: Sequence[Type], is_method: bool) -> str:
    if is_method:
        return f"`{types[0]!r}.{name}({', '.join(map(repr, types[1:]))})`"
    return f"`{name}({', '.join(map(repr, types))})`"

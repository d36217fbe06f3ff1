"""The functions on strings and sizes that are part of the core language."""

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.functions import Function, function, method
from mcp_guard.cel.functions.regex import matches
from mcp_guard.cel.types import ANY_A, ANY_B, BOOL, BYTES, INT, STRING, list_of, map_of
from mcp_guard.cel.values import Value, refusal

SIZED = frozenset((str, bytes, list, dict))


def size(budget: Budget, value: Value) -> Value:
    """`size(value)`: characters, bytes, items or entries."""
    if type(value) in SIZED:
        return len(value)
    raise refusal("size", value)


def contains(budget: Budget, text: Value, part: Value) -> Value:
    """`text.contains(part)`."""
    if type(text) is str and type(part) is str:
        budget.spend_characters(len(text))
        return part in text
    raise refusal("contains", text, part)


def starts_with(budget: Budget, text: Value, start: Value) -> Value:
    """`text.startsWith(start)`."""
    if type(text) is str and type(start) is str:
        budget.spend_characters(len(start))
        return text.startswith(start)
    raise refusal("startsWith", text, start)


def ends_with(budget: Budget, text: Value, end: Value) -> Value:
    """`text.endsWith(end)`."""
    if type(text) is str and type(end) is str:
        budget.spend_characters(len(end))
        return text.endswith(end)
    raise refusal("endsWith", text, end)


FUNCTIONS: tuple[Function, ...] = (
    *(function("size", [one], INT, size) for one in (STRING, BYTES, list_of(ANY_A), map_of(ANY_A, ANY_B))),
    *(method(one, "size", [], INT, size) for one in (STRING, BYTES, list_of(ANY_A), map_of(ANY_A, ANY_B))),
    method(STRING, "contains", [STRING], BOOL, contains),
    method(STRING, "startsWith", [STRING], BOOL, starts_with),
    method(STRING, "endsWith", [STRING], BOOL, ends_with),
    method(STRING, "matches", [STRING], BOOL, matches),
    function("matches", [STRING, STRING], BOOL, matches),
)

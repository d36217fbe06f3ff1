"""The string extension: searching, cutting, replacing, joining. Positions count characters, from 0.

What is built is charged by its size before it is built, so that no chain of `replace` can fill the memory.
"""

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.functions import Function, function, method
from mcp_guard.cel.functions.formatting import format_text
from mcp_guard.cel.types import DYN, INT, STRING, list_of
from mcp_guard.cel.values import INT_MAX, Value, kind_of, refusal

BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Unicode calls white space; Python's own `strip` takes more."""

ESCAPES = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v", "\\": "\\", '"': '"'}
QUOTED = str.maketrans({char: f"\\{letter}" for char, letter in ESCAPES.items()})


def _texts(name: str, *values: Value) -> None:
    """That all of these are strings."""
    for value in values:
        if type(value) is not str:
            raise refusal(name, *values)


def _position(name: str, value: Value, last: int) -> int:
    """That this is a position from 0 to `last`."""
    if type(value) is not int:
        raise refusal(name, value)
    if not 0 <= value <= last:
        raise EvaluationError(f"`{name}`: the position is outside the string")
    return value


def char_at(budget: Budget, text: Value, position: Value) -> Value:
    """`text.charAt(position)`; behind the last character it is empty."""
    _texts("charAt", text)
    at = _position("charAt", position, len(text))
    return text[at : at + 1]


def index_of(budget: Budget, text: Value, part: Value, start: Value = 0) -> Value:
    """`text.indexOf(part)`, from a position on; -1 where it is not found."""
    _texts("indexOf", text, part)
    at = _position("indexOf", start, len(text))
    budget.spend_characters(len(text))
    return text.find(part, at)


def last_index_of(budget: Budget, text: Value, part: Value, start: Value = None) -> Value:
    """`text.lastIndexOf(part)`, starting at a position at most; -1 where it is not found."""
    _texts("lastIndexOf", text, part)
    last = len(text) if start is None else _position("lastIndexOf", start, len(text))
    budget.spend_characters(len(text))
    return text.rfind(part, 0, last + len(part))


def last_index_of_from(budget: Budget, text: Value, part: Value, start: Value) -> Value:
    """`text.lastIndexOf(part, start)`, where a null is no position."""
    if start is None:
        raise refusal("lastIndexOf", text, part, start)
    return last_index_of(budget, text, part, start)


def lower_ascii(budget: Budget, text: Value) -> Value:
    """`text.lowerAscii()`: A to Z, and no other letter, which is what `bytes.lower` does."""
    _texts("lowerAscii", text)
    budget.spend_characters(len(text))
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def upper_ascii(budget: Budget, text: Value) -> Value:
    """`text.upperAscii()`: a to z, and no other letter, which is what `bytes.upper` does."""
    _texts("upperAscii", text)
    budget.spend_characters(len(text))
    return text.encode("utf-8", "surrogatepass").upper().decode("utf-8", "surrogatepass")


def replace(budget: Budget, text: Value, old: Value, new: Value, limit: Value = -1) -> Value:
    """`text.replace(old, new)`, at most `limit` times; a negative limit is none."""
    _texts("replace", text, old, new)
    count = _count("replace", limit)
    budget.spend_characters(len(text))
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    budget.spend_characters(len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new, times)


def _count(name: str, limit: Value) -> int:
    if type(limit) is not int:
        raise refusal(name, limit)
    return max(-1, min(limit, INT_MAX))


def split(budget: Budget, text: Value, separator: Value, limit: Value = -1) -> Value:
    """`text.split(separator)`, into at most `limit` parts; a negative limit is none."""
    _texts("split", text, separator)
    count = _count("split", limit)
    if count == 0:
        return []
    budget.spend_characters(len(text))
    found = text.count(separator) if separator else len(text)
    budget.spend(found if count < 0 else min(found, count))
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    if 0 < count < len(text):
        return [*text[: count - 1], text[count - 1 :]]
    return list(text)


def substring(budget: Budget, text: Value, start: Value, end: Value = None) -> Value:
    """`text.substring(start, end)`: from `start` up to, not including, `end`."""
    _texts("substring", text)
    last = len(text) if end is None else _position("substring", end, len(text))
    first = _position("substring", start, last)
    budget.spend_characters(last - first)
    return text[first:last]


def substring_to(budget: Budget, text: Value, start: Value, end: Value) -> Value:
    """`text.substring(start, end)`, where a null is no position."""
    if end is None:
        raise refusal("substring", text, start, end)
    return substring(budget, text, start, end)


def trim(budget: Budget, text: Value) -> Value:
    """`text.trim()`: without the white space at both ends."""
    _texts("trim", text)
    budget.spend_characters(len(text), 16)
    return text.strip(BLANKS)


def reverse(budget: Budget, text: Value) -> Value:
    """`text.reverse()`."""
    _texts("reverse", text)
    budget.spend_characters(len(text))
    return text[::-1]


def join(budget: Budget, items: Value, separator: Value = "") -> Value:
    """`list.join(separator)` of strings."""
    _texts("join", separator)
    kind = kind_of(items)
    if kind is not list:
        raise refusal("join", items)
    budget.spend(len(items))
    for item in items:
        _texts("join", item)
    budget.spend_characters(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def quote(budget: Budget, text: Value) -> Value:
    """`strings.quote(text)`: as a literal of the language."""
    _texts("strings.quote", text)
    budget.spend_characters(len(text), 4)
    return f'"{text.translate(QUOTED)}"'


FUNCTIONS: tuple[Function, ...] = (
    method(STRING, "charAt", [INT], STRING, char_at),
    method(STRING, "indexOf", [STRING], INT, index_of),
    method(STRING, "indexOf", [STRING, INT], INT, index_of),
    method(STRING, "lastIndexOf", [STRING], INT, last_index_of),
    method(STRING, "lastIndexOf", [STRING, INT], INT, last_index_of_from),
    method(STRING, "lowerAscii", [], STRING, lower_ascii),
    method(STRING, "upperAscii", [], STRING, upper_ascii),
    method(STRING, "replace", [STRING, STRING], STRING, replace),
    method(STRING, "replace", [STRING, STRING, INT], STRING, replace),
    method(STRING, "split", [STRING], list_of(STRING), split),
    method(STRING, "split", [STRING, INT], list_of(STRING), split),
    method(STRING, "substring", [INT], STRING, substring),
    method(STRING, "substring", [INT, INT], STRING, substring_to),
    method(STRING, "trim", [], STRING, trim),
    method(STRING, "reverse", [], STRING, reverse),
    method(STRING, "format", [list_of(DYN)], STRING, format_text),
    method(list_of(STRING), "join", [], STRING, join),
    method(list_of(STRING), "join", [STRING], STRING, join),
    function("strings.quote", [STRING], STRING, quote),
)

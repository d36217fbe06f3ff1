"""`"%s is %d".format([…])`: the placeholders of the string extension, and how each kind of value is written."""

from collections.abc import Callable, Iterator
from math import isfinite

from mcp_guard.cel.arithmetic import checked
from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.functions.conversions import encoded, to_double, to_string
from mcp_guard.cel.limits import VALUE_DEPTH
from mcp_guard.cel.literals import DIGITS
from mcp_guard.cel.values import NUMBERS, TypeValue, UInt, Value, kind_of, refusal

PRECISION = 6
MOST_PRECISION = 100
"""Digits behind the point that may be asked for: a text out of arguments could ask for a billion."""

COST_OF_PLACEHOLDER = 8

WHOLE = frozenset((int, UInt))


def format_text(budget: Budget, template: Value, values: Value) -> Value:
    """`template.format(values)`. Raises `EvaluationError` for a placeholder without a value of its kind."""
    kind = kind_of(values)
    if type(template) is not str or kind is not list:
        raise refusal("format", template, values)
    budget.spend_characters(len(template), 1)
    pieces: list[str] = []
    for piece in _pieces(template, values, budget):
        budget.spend_characters(len(piece))
        pieces.append(piece)
    return "".join(pieces)


def _pieces(template: str, values: list[Value], budget: Budget) -> Iterator[str]:
    """The text cut at its placeholders, each of them with its value in its place."""
    at, used = 0, 0
    while True:
        mark = template.find("%", at)
        if mark < 0:
            yield template[at:]
            return
        yield template[at:mark]
        if template.startswith("%%", mark):
            yield "%"
            at = mark + 2
            continue
        budget.spend(COST_OF_PLACEHOLDER)
        precision, letter, at = _placeholder(template, mark + 1)
        if used >= len(values):
            raise EvaluationError("`format` has more placeholders than values")
        yield WRITERS[letter](values[used], precision, budget)
        used += 1


def _placeholder(template: str, at: int) -> tuple[int, str, int]:
    """The precision and the letter of a placeholder, and the offset behind it."""
    precision = PRECISION
    if template[at : at + 1] == ".":
        end = at + 1
        while template[end : end + 1] in DIGITS and end < len(template):
            end += 1
        digits = template[at + 1 : end]
        if not 1 <= len(digits) <= 3 or int(digits) > MOST_PRECISION:
            raise EvaluationError(f"`format` takes a precision from 0 to {MOST_PRECISION}")
        precision, at = int(digits), end
    letter = template[at : at + 1]
    if letter not in WRITERS:
        raise EvaluationError("`format` does not know this placeholder")
    return precision, letter, at + 1


def _text(value: Value, precision: int, budget: Budget) -> str:
    return written(value, budget)


def written(value: Value, budget: Budget, depth: int = 0) -> str:
    """`%s`: any value; a map by the order of its keys as they are written."""
    kind = kind_of(value)
    if depth > VALUE_DEPTH:
        raise EvaluationError(f"a value is nested more than {VALUE_DEPTH} levels deep")
    if value is None:
        return "null"
    if kind is float:
        return _special(value) or to_string(budget, value)
    if kind is TypeValue:
        return value.name
    if kind is list:
        budget.spend(len(value))
        return f"[{', '.join([written(item, budget, depth + 1) for item in value])}]"
    if kind is dict:
        budget.spend(2 * len(value))
        texts = [(written(key, budget), written(item, budget, depth + 1)) for key, item in value.items()]
        return f"{{{', '.join(f'{key}: {item}' for key, item in sorted(texts))}}}"
    text: str = to_string(budget, value)
    budget.spend_characters(len(text))
    return text


def _special(value: float) -> str:
    if isfinite(value):
        return ""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _decimal(value: Value, precision: int, budget: Budget) -> str:
    kind = kind_of(value)
    if kind in WHOLE:
        return format(value if kind is UInt else checked(value), "d")
    if kind is float and not isfinite(value):
        return _special(value)
    raise refusal("%d", value)


def _real(letter: str) -> "Callable[[Value, int, Budget], str]":
    def write(value: Value, precision: int, budget: Budget) -> str:
        if type(value) not in NUMBERS:
            raise refusal(f"%{letter}", value)
        number: float = to_double(budget, value)
        return _special(number) or f"{number:.{precision}{letter}}"

    return write


def _based(letter: str) -> "Callable[[Value, int, Budget], str]":
    def write(value: Value, precision: int, budget: Budget) -> str:
        if type(value) in WHOLE:
            return format(value if type(value) is UInt else checked(value), letter)
        if letter == "b" and type(value) is bool:
            return "1" if value else "0"
        if letter in "xX" and type(value) in (str, bytes):
            digits = (value if type(value) is bytes else encoded(value, budget)).hex()
            return digits.upper() if letter == "X" else digits
        raise refusal(f"%{letter}", value)

    return write


WRITERS: dict[str, Callable[[Value, int, Budget], str]] = {
    "s": _text,
    "d": _decimal,
    "f": _real("f"),
    "e": _real("e"),
    **{letter: _based(letter) for letter in "boxX"},
}

"""The conversions: `int(…)`, `double(…)`, `string(…)`, … and `type(…)`, `dyn(…)`.

A text is a number only as the language itself would write it: ASCII digits, no blanks, no underscores, nothing of what
Python's own `int` and `float` are generous about.
"""

from math import isfinite

from mcp_guard.cel.arithmetic import checked, unsigned, whole
from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.functions import Function, function
from mcp_guard.cel.literals import DIGITS
from mcp_guard.cel.types import (
    ANY_A,
    BOOL,
    BYTES,
    CIDR,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    IP,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
)
from mcp_guard.cel.values import NUMBERS, TYPE_NAMES, TYPES, UInt, Value, kind_of, refusal, type_name

LONGEST_NUMBER = 400
"""Characters that a number can sensibly have; more is refused before Python reads it."""

NUMERIC = DIGITS | frozenset("+-.eE")
BOOLS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
DOUBLES = {
    **dict.fromkeys(("NaN", "nan"), float("nan")),
    **dict.fromkeys(("Inf", "+Inf", "Infinity", "+Infinity", "inf", "+inf", "infinity", "+infinity"), float("inf")),
    **dict.fromkeys(("-Inf", "-Infinity", "-inf", "-infinity"), float("-inf")),
}


def to_int(budget: Budget, value: Value) -> Value:
    """`int(value)`: a double loses its fraction, a timestamp gives its seconds."""
    kind = kind_of(value)
    if kind is int:
        return checked(value)
    if kind is UInt:
        return whole(int(value))
    if kind is float:
        return _whole_part(value, -(2.0**63), 2.0**63)
    if kind is str:
        return whole(_digits(value, "int", budget))
    if kind not in TYPE_NAMES:
        from mcp_guard.cel import times

        return times.to_seconds(value)
    raise refusal("int", value)


def to_uint(budget: Budget, value: Value) -> Value:
    """`uint(value)`."""
    kind = kind_of(value)
    if kind is UInt:
        return value
    if kind is int:
        return unsigned(value)
    if kind is float:
        return UInt(_whole_part(value, -1.0, 2.0**64))
    if kind is str and not value.startswith("-"):
        return unsigned(_digits(value, "uint", budget))
    raise refusal("uint", value)


def _whole_part(value: float, above: float, below: float) -> int:
    if not above < value < below:  # not true of NaN either
        raise EvaluationError("the result is outside 64 bits")
    return int(value)


def _digits(text: str, kind: str, budget: Budget) -> int:
    budget.spend_characters(len(text), 8)
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not digits or len(digits) > LONGEST_NUMBER or not DIGITS.issuperset(digits):
        raise EvaluationError(f"the string is no {kind}")
    return int(text)


def to_double(budget: Budget, value: Value) -> Value:
    """`double(value)`."""
    kind = kind_of(value)
    if kind is float:
        return value
    if kind in NUMBERS:
        return float(checked(value) if kind is int else value)
    if kind is str:
        return _double(value, budget)
    raise refusal("double", value)


def _double(text: str, budget: Budget) -> float:
    budget.spend_characters(len(text), 8)
    if text in DOUBLES:
        return DOUBLES[text]
    if 0 < len(text) <= LONGEST_NUMBER and NUMERIC.issuperset(text):
        try:
            return float(text)
        except ValueError:
            pass
    raise EvaluationError("the string is no double")


def to_bool(budget: Budget, value: Value) -> Value:
    """`bool(value)`."""
    if type(value) is bool:
        return value
    if type(value) is str:
        if value in BOOLS:
            return BOOLS[value]
        raise EvaluationError("the string is no bool")
    raise refusal("bool", value)


def to_bytes(budget: Budget, value: Value) -> Value:
    """`bytes(value)`: the UTF-8 of a string."""
    if type(value) is bytes:
        return value
    if type(value) is str:
        return encoded(value, budget)
    raise refusal("bytes", value)


def encoded(text: str, budget: Budget) -> bytes:
    """The UTF-8 of a string. Half a surrogate pair, which JSON can smuggle in, has none."""
    budget.spend_characters(len(text))
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise EvaluationError("the string holds half a surrogate pair")


def to_string(budget: Budget, value: Value) -> Value:
    """`string(value)`: as the language would write it, without quotes."""
    kind = kind_of(value)
    if kind is str:
        return value
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(checked(value))
    if kind is UInt:
        return str(int(value))
    if kind is float:
        return double_text(value)
    if kind is bytes:
        return _decoded(value, budget)
    if kind in TYPE_NAMES:
        if hasattr(value, "text"):
            return value.text
        raise refusal("string", value)
    from mcp_guard.cel import times

    return times.to_text(value)


def double_text(value: float) -> str:
    """The shortest text that reads back as the same double."""
    if not isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    return text.removesuffix(".0")


def _decoded(value: bytes, budget: Budget) -> str:
    budget.spend_characters(len(value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        pass
    raise EvaluationError("the bytes are no UTF-8")


def type_of(budget: Budget, value: Value) -> Value:
    """`type(value)`."""
    name = type_name(value)
    if name not in TYPES:
        raise refusal("type", value)
    return TYPES[name]


def dyn(budget: Budget, value: Value) -> Value:
    """`dyn(value)`: the value; only the checker sees it differently."""
    return value


FUNCTIONS: tuple[Function, ...] = (
    *(function("int", [one], INT, to_int) for one in (INT, UINT, DOUBLE, STRING, TIMESTAMP)),
    *(function("uint", [one], UINT, to_uint) for one in (UINT, INT, DOUBLE, STRING)),
    *(function("double", [one], DOUBLE, to_double) for one in (DOUBLE, INT, UINT, STRING)),
    *(function("bool", [one], BOOL, to_bool) for one in (BOOL, STRING)),
    *(function("bytes", [one], BYTES, to_bytes) for one in (BYTES, STRING)),
    *(
        function("string", [one], STRING, to_string)
        for one in (STRING, BOOL, INT, UINT, DOUBLE, BYTES, TIMESTAMP, DURATION, IP, CIDR)
    ),
    function("type", [ANY_A], TYPE, type_of),
    function("dyn", [ANY_A], DYN, dyn),
)

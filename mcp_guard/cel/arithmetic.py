"""`+ - * / %` and the sign, by the CEL specification ("Arithmetic"): 64-bit integers that fail instead of wrapping.

Both operands have the same type. JSON may hold integers beyond 64 bits: they can be compared, but not computed with.
"""

from collections.abc import Callable
from operator import add, mul, sub

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.values import INT_MAX, INT_MIN, TYPE_NAMES, UINT_MAX, UInt, Value, kind_of, refusal


def _divide(left: int, right: int) -> int:
    """Division that rounds towards zero, where Python's rounds down."""
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) is (right < 0) else -quotient


def _remainder(left: int, right: int) -> int:
    """The remainder with the sign of the dividend."""
    if right == 0:
        raise EvaluationError("modulus by zero")
    if left == INT_MIN and right == -1:
        raise EvaluationError("the result is outside 64 bits")
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def _divide_doubles(left: float, right: float) -> float:
    """Division by IEEE 754: by zero it gives an infinity or NaN, where Python raises."""
    if right:
        return left / right
    if not left or left != left:
        return float("nan")
    negative = (left < 0) is not str(right).startswith("-")
    return float("-inf") if negative else float("inf")


WHOLE: dict[str, Callable[[int, int], int]] = {"+": add, "-": sub, "*": mul, "/": _divide, "%": _remainder}
DOUBLE: dict[str, Callable[[float, float], float]] = {"+": add, "-": sub, "*": mul, "/": _divide_doubles}


def compute(operator: str, left: Value, right: Value, budget: Budget) -> Value:
    """`left operator right`. Raises `EvaluationError` on overflow, division by zero, or types that do not fit."""
    kind = kind_of(left)
    if kind is type(right):
        if kind is int:
            return whole(WHOLE[operator](checked(left), checked(right)))
        if kind is float and operator in DOUBLE:
            return DOUBLE[operator](left, right)
        if kind is UInt:
            return unsigned(WHOLE[operator](int(left), int(right)))
        if operator == "+" and kind in (str, bytes, list):
            return _joined(left, right, budget)
    if kind not in TYPE_NAMES and operator in ("+", "-"):
        from mcp_guard.cel import times

        return times.compute(operator, left, right)
    raise refusal(operator, left, right)


def checked(number: int) -> int:
    """An int from outside, if it is one of 64 bits."""
    if INT_MIN <= number <= INT_MAX:
        return number
    raise EvaluationError("a number is outside 64 bits")


def whole(number: int) -> int:
    """A result, if it fits an int."""
    if INT_MIN <= number <= INT_MAX:
        return number
    raise EvaluationError("the result is outside 64 bits")


def unsigned(number: int) -> UInt:
    """A result, if it fits a uint."""
    if 0 <= number <= UINT_MAX:
        return UInt(number)
    raise EvaluationError("the result is outside 64 bits without a sign")


def _joined(left: Value, right: Value, budget: Budget) -> Value:
    size = len(left) + len(right)
    if type(left) is list:
        budget.spend(size)
    else:
        budget.spend_characters(size)
    return left + right


def negative(value: Value) -> Value:
    """`-value`."""
    kind = kind_of(value)
    if kind is int:
        return whole(-checked(value))
    if kind is float:
        return -value
    raise refusal("-", value)

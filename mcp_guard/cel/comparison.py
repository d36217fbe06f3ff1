"""Equality, order and membership, across types as the CEL specification has them ("Equality", "Ordering").

Numbers compare by value whatever their types, exactly (Python does not round an int to compare it with a double); a
bool is no number. Values of different types are unequal, not an error. What is walked or searched is charged by size.
"""

from operator import ge, gt, le, lt

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.limits import VALUE_DEPTH
from mcp_guard.cel.values import NUMBERS, TYPE_NAMES, UNKNOWN, OptionalValue, TypeValue, UInt, Value, kind_of, refusal

PLAIN = frozenset((bool, int, UInt, float, type(None), TypeValue))
TEXTS = frozenset((str, bytes))
ORDERED = frozenset((bool, str, bytes))


def equal(left: Value, right: Value, budget: Budget, depth: int = 0) -> bool:
    """`left == right`. Raises `EvaluationError` for what is no value, or too deep."""
    kind = kind_of(left)
    other = kind_of(right)
    if kind is other:
        if kind in PLAIN:
            return left == right
        if kind in TEXTS:
            if len(left) != len(right):
                return False
            budget.spend_characters(len(left))
            return left == right
        if kind is list:
            return _equal_lists(left, right, budget, depth + 1)
        if kind is dict:
            return _equal_maps(left, right, budget, depth + 1)
        if kind is OptionalValue:
            return _equal_optionals(left, right, budget, depth + 1)
    if kind in NUMBERS and other in NUMBERS:
        return left == right
    if kind in TYPE_NAMES and other in TYPE_NAMES:
        return kind is other and left == right
    if left is UNKNOWN or right is UNKNOWN:
        raise refusal("==", left, right)
    return _equal_late(left, right)


def _equal_late(left: Value, right: Value) -> bool:
    """Equality where one side is of a type that loads late, or no value at all."""
    from mcp_guard.cel import times

    one, other = times.measure(left), times.measure(right)
    if (one or type(left) in TYPE_NAMES) and (other or type(right) in TYPE_NAMES):
        return one is not None and one == other
    raise refusal("==", left, right)


def _too_deep(depth: int) -> None:
    if depth > VALUE_DEPTH:
        raise EvaluationError(f"a value is nested more than {VALUE_DEPTH} levels deep")


def _equal_lists(left: list[Value], right: list[Value], budget: Budget, depth: int) -> bool:
    _too_deep(depth)
    if len(left) != len(right):
        return False
    budget.spend(len(left))
    for one, other in zip(left, right, strict=True):  # noqa: SIM110 (`all` would cost a frame a level)
        if not equal(one, other, budget, depth):
            return False
    return True


def _equal_maps(left: dict[Value, Value], right: dict[Value, Value], budget: Budget, depth: int) -> bool:
    _too_deep(depth)
    if len(left) != len(right):
        return False
    budget.spend(4 * len(left))
    for key, value in left.items():
        found = entry(right, key, budget)
        if found is MISSING or not equal(value, found, budget, depth):
            return False
    return True


def _equal_optionals(left: OptionalValue, right: OptionalValue, budget: Budget, depth: int) -> bool:
    _too_deep(depth)
    if not (left.present and right.present):
        return left.present == right.present
    return equal(left.value, right.value, budget, depth)


MISSING = object()
"""What `entry` gives where there is no such key."""


def entry(container: dict[Value, Value], key: Value, budget: Budget) -> Value:
    """The value under a key, or `MISSING`. To Python `True`, `1` and `1.0` are one key; here the bool is another."""
    kind = kind_of(key)
    if kind is str:
        return container.get(key, MISSING)
    if kind not in NUMBERS and kind is not bool:
        raise refusal("[]", container, key)
    found = container.get(key, MISSING)
    if found is not MISSING and key in (0, 1):
        budget.spend(len(container))
        stored = next(candidate for candidate in container if candidate == key)
        if (type(stored) is bool) is not (kind is bool):
            return MISSING
    return found


def contains(container: Value, wanted: Value, budget: Budget) -> bool:
    """`wanted in container`, for the items of a list and the keys of a map."""
    kind = kind_of(container)
    if kind is dict:
        return entry(container, wanted, budget) is not MISSING
    if kind is not list or wanted is UNKNOWN:
        raise refusal("in", wanted, container)
    budget.spend(len(container))
    return any(equal(wanted, item, budget) for item in container)


ORDERINGS = {"<": lt, "<=": le, ">": gt, ">=": ge}


def ordered(operator: str, left: Value, right: Value, budget: Budget) -> bool:
    """Whether `<`, `<=`, `>` or `>=` holds. NaN is neither below nor above anything."""
    kind = kind_of(left)
    other = kind_of(right)
    if kind in NUMBERS and other in NUMBERS:
        return ORDERINGS[operator](left, right)
    if kind is other and kind in ORDERED:
        if kind is not bool:
            budget.spend_characters(min(len(left), len(right)))
        return ORDERINGS[operator](left, right)
    if kind not in TYPE_NAMES and other not in TYPE_NAMES:
        from mcp_guard.cel import times

        one, another = times.measure(left), times.measure(right)
        if one and another and one[0] == another[0]:
            return ORDERINGS[operator](one[1], another[1])
    raise refusal(operator, left, right)

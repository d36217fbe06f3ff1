"""The functions on optional values. `or` and `orValue` look at their argument only where they need it: see `logic`."""

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.closures.containers import known
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.functions import Function, function, method
from mcp_guard.cel.types import ANY_A, BOOL, DYN, list_of, optional_of
from mcp_guard.cel.values import NONE, TYPE_NAMES, OptionalValue, Value, kind_of, refusal, type_name


def of(budget: Budget, value: Value) -> Value:
    """`optional.of(value)`."""
    return OptionalValue(known(value))


def of_non_zero(budget: Budget, value: Value) -> Value:
    """`optional.ofNonZeroValue(value)`: nothing for null, false, 0, and what is empty."""
    if kind_of(known(value)) in TYPE_NAMES or type_name(value) != "unsupported":
        return OptionalValue(value) if value else NONE
    raise refusal("optional.ofNonZeroValue", value)


def none(budget: Budget) -> Value:
    """`optional.none()`."""
    return NONE


def has_value(budget: Budget, optional: Value) -> Value:
    """`optional.hasValue()`."""
    return _checked("hasValue", optional).present


def value_of(budget: Budget, optional: Value) -> Value:
    """`optional.value()`. Raises `EvaluationError` where there is none."""
    found = _checked("value", optional)
    if not found.present:
        raise EvaluationError("the optional has no value")
    return found.value


def _checked(name: str, optional: Value) -> OptionalValue:
    if type(optional) is not OptionalValue:
        raise refusal(name, optional)
    return optional


def unwrap(budget: Budget, optionals: Value) -> Value:
    """`optional.unwrap(list)`: the values of those that have one."""
    kind = kind_of(optionals)
    if kind is not list:
        raise refusal("optional.unwrap", optionals)
    budget.spend(len(optionals))
    return [item.value for item in optionals if _checked("optional.unwrap", item).present]


def or_other(budget: Budget, optional: Value, other: Value) -> Value:
    """`optional.or(other)`."""
    return optional if _checked("or", optional).present else _checked("or", other)


def or_value(budget: Budget, optional: Value, other: Value) -> Value:
    """`optional.orValue(other)`."""
    found = _checked("orValue", optional)
    return found.value if found.present else other


FUNCTIONS: tuple[Function, ...] = (
    function("optional.of", [ANY_A], optional_of(ANY_A), of),
    function("optional.ofNonZeroValue", [ANY_A], optional_of(ANY_A), of_non_zero),
    function("optional.none", [], optional_of(DYN), none),
    function("optional.unwrap", [list_of(optional_of(ANY_A))], list_of(ANY_A), unwrap),
    method(list_of(optional_of(ANY_A)), "unwrapOpt", [], list_of(ANY_A), unwrap),
    method(optional_of(ANY_A), "hasValue", [], BOOL, has_value),
    method(optional_of(ANY_A), "value", [], ANY_A, value_of),
    method(optional_of(ANY_A), "or", [optional_of(ANY_A)], optional_of(ANY_A), or_other),
    method(optional_of(ANY_A), "orValue", [ANY_A], ANY_A, or_value),
)

"""The values of the language that Python has no type for, and what every value is called.

Null, bool, int, double, string, bytes, list and map are plain Python values, told apart by their exact type: `True` is
no int here. Nothing but an exact type is a value; a subclass from outside has no operations.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from mcp_guard.cel.errors import EvaluationError, UnknownValueError

Value: TypeAlias = Any
"""A value of the language, JSON included. What it is, is asked at run time, by `type(value)`."""

kind_of: Callable[[Value], type[object]] = type
"""The exact type of a value."""

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1


class UInt(int):
    """An unsigned integer, `1u`. Equal to the int and the double of the same value, but no operand of theirs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


class Unknown:
    """The type of `UNKNOWN`: a value that is not known yet. So is every field of it, and every operation on it.

    Closures hand it on as it is; what looks closer fails with `UnknownValueError`. Both are absorbed by logic.
    """

    __slots__ = ()
    __contains__ = None
    __iter__ = None

    def __getitem__(self, key: object) -> "Unknown":
        return self

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false: compare with `is`")


UNKNOWN = Unknown()


class TypeValue:
    """A type as a value: what `type(x)` gives, and what `int`, `string`, … stand for."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is TypeValue and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return self.name


class OptionalValue:
    """`optional.of(value)`; with `present` false, `optional.none()`."""

    __slots__ = ("present", "value")

    def __init__(self, value: Value, present: bool = True) -> None:
        self.value = value
        self.present = present

    def __repr__(self) -> str:
        return f"optional.of({self.value!r})" if self.present else "optional.none()"


NONE = OptionalValue(None, False)

TYPE_NAMES: dict[type[object], str] = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    TypeValue: "type",
    OptionalValue: "optional_type",
}
"""What each Python type is called. The families of values that load late (times, networks) add theirs."""

NUMBERS = frozenset((int, UInt, float))

TYPES = {
    name: TypeValue(name)
    for name in (*TYPE_NAMES.values(), "google.protobuf.Timestamp", "google.protobuf.Duration", "net.IP", "net.CIDR")
}
"""The types that an expression can name."""


def type_name(value: Value) -> str:
    """What the type of a value is called; for what is no value of the language, that it is not."""
    kind = kind_of(value)
    known = TYPE_NAMES.get(kind)
    if known:
        return known
    from mcp_guard.cel import times

    measured = times.measure(value)
    return measured[0] if measured else "unsupported"


def refusal(operation: str, *values: Value) -> EvaluationError:
    """The failure of an operation that has no meaning for values of these types, or for one that is unknown."""
    for value in values:
        if value is UNKNOWN:
            return UnknownValueError("the value is not known yet")
    types = ", ".join(type_name(value) for value in values)
    return EvaluationError(f"`{operation}` has no meaning for ({types})")

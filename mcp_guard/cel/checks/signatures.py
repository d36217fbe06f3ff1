"""Which overload fits which argument types, and the overloads of the operators.

`dyn` fits everything, both ways: what is not known when a condition is compiled shows when it is evaluated. So a misfit
found here is certain to be one.
"""

from collections.abc import Sequence

from mcp_guard.cel.types import (
    ANY_A,
    ANY_B,
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    Type,
    list_of,
)

Signature = tuple[tuple[Type, ...], Type]
"""What an operation takes, and what it gives."""

NUMBERS = (INT, UINT, DOUBLE)
ORDERED = (BOOL, STRING, BYTES, TIMESTAMP, DURATION)

OPERATORS: dict[str, tuple[Signature, ...]] = {
    "+": (
        *(((one, one), one) for one in (*NUMBERS, STRING, BYTES, DURATION)),
        ((list_of(ANY_A), list_of(ANY_A)), list_of(ANY_A)),
        ((TIMESTAMP, DURATION), TIMESTAMP),
        ((DURATION, TIMESTAMP), TIMESTAMP),
    ),
    "-": (
        *(((one, one), one) for one in (*NUMBERS, DURATION)),
        ((TIMESTAMP, DURATION), TIMESTAMP),
        ((TIMESTAMP, TIMESTAMP), DURATION),
    ),
    "*": tuple(((one, one), one) for one in NUMBERS),
    "/": tuple(((one, one), one) for one in NUMBERS),
    "%": tuple(((one, one), one) for one in (INT, UINT)),
    "<": (
        *(((one, other), BOOL) for one in NUMBERS for other in NUMBERS),
        *(((one, one), BOOL) for one in ORDERED),
    ),
    "negate": tuple(((one,), one) for one in (INT, DOUBLE)),
}
OPERATORS.update(dict.fromkeys(("<=", ">", ">="), OPERATORS["<"]))


def result(signatures: Sequence[Signature], arguments: Sequence[Type]) -> Type | None:
    """What an operation gives for arguments of these types: `dyn` where several overloads fit; None where none does."""
    found: Type | None = None
    for parameters, gives in signatures:
        bound: dict[str, Type] = {}
        if len(parameters) == len(arguments) and all(
            fits(parameter, argument, bound) for parameter, argument in zip(parameters, arguments, strict=True)
        ):
            given = _filled(gives, bound)
            found = given if found is None or found == given else DYN
    return found


def fits(parameter: Type, argument: Type, bound: dict[str, Type]) -> bool:
    """Whether an argument may stand for a parameter. `bound` holds what `A` and `B` stand for, and is added to."""
    if parameter is ANY_A or parameter is ANY_B:
        before = bound.get(parameter.name)
        bound[parameter.name] = argument if before is None else common(before, argument) or DYN
        return before is None or common(before, argument) is not None
    if parameter is DYN or argument is DYN:
        return True
    if parameter.name == "map" and argument.fields is not None:
        return fits(parameter.parameters[0], STRING, bound)
    if parameter.name != argument.name:
        return False
    inner = zip(parameter.parameters, argument.parameters, strict=True)
    return all(fits(one, other, bound) for one, other in inner)


def _filled(type_: Type, bound: dict[str, Type]) -> Type:
    if type_ is ANY_A or type_ is ANY_B:
        return bound.get(type_.name, DYN)
    if not type_.parameters:
        return type_
    return Type(type_.name, tuple(_filled(inner, bound) for inner in type_.parameters))


def common(one: Type, other: Type) -> Type | None:
    """The type of what is one or the other; None where no value is both."""
    if one == other:
        return one
    if one is DYN or other is DYN:
        return DYN
    if one.name != other.name or one.fields is not None or one is TYPE:
        return None
    inner = [common(left, right) for left, right in zip(one.parameters, other.parameters, strict=True)]
    return Type(one.name, tuple(part for part in inner if part)) if all(inner) else None


def may_be_equal(one: Type, other: Type) -> bool:
    """Whether values of these types can ever be equal. Numbers can, whatever their types."""
    if one is DYN or other is DYN or (one in NUMBERS and other in NUMBERS):
        return True
    if one.name != other.name:
        return "map" in (one.name, other.name) and (one.fields or other.fields) is not None
    # Two empty lists are equal whatever their items would be; that is not what anyone compares them for.
    return all(may_be_equal(left, right) for left, right in zip(one.parameters, other.parameters, strict=True))

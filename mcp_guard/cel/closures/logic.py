"""Closures for `&&`, `||`, `!` and `?:`, and how failures are absorbed.

`&&` and `||` do not care for the order of their operands: one `false` settles an `&&` whatever the others do. What is
not settled is unknown if any operand is, else the first failure. Nothing but a bool is true or false.
"""

from mcp_guard.cel.closures.scope import Frame, Names, Run, Scope
from mcp_guard.cel.errors import EvaluationError, UnknownValueError
from mcp_guard.cel.syntax import Logic, Ternary
from mcp_guard.cel.values import UNKNOWN, OptionalValue, Unknown, Value, refusal


def logic(node: Logic, scope: Scope) -> Run:
    """A chain of `&&` or of `||`."""
    operands = tuple(scope.build(operand) for operand in node.operands)
    if len(operands) == 2:
        return _pair(node.operator, *operands)
    return _chain(node.operator, operands)


def _pair(operator: str, left: Run, right: Run) -> Run:
    """The chain of two, which is nearly every one, without a loop."""
    settles = operator == "||"
    both = (left, right)

    def run(names: Names, frame: Frame) -> Value:
        try:
            first = left(names, frame)
        except EvaluationError as error:
            return _undecided(operator, both, 1, error, names, frame)
        if first is settles:
            return settles
        if first is not True and first is not False:
            return _undecided(operator, both, 1, no_bool(operator, first), names, frame)
        second = right(names, frame)
        if second is True or second is False or second is UNKNOWN:
            return second
        raise refusal(operator, second)

    return run


def _chain(operator: str, operands: tuple[Run, ...]) -> Run:
    settles = operator == "||"
    numbered = tuple(enumerate(operands, 1))

    def run(names: Names, frame: Frame) -> Value:
        for position, operand in numbered:
            try:
                value = operand(names, frame)
            except EvaluationError as error:
                return _undecided(operator, operands, position, error, names, frame)
            if value is settles:
                return settles
            if value is not True and value is not False:
                return _undecided(operator, operands, position, no_bool(operator, value), names, frame)
        return not settles

    return run


Doubt = EvaluationError | Unknown
"""Why a chain or a loop has no value so far."""


def no_bool(operator: str, value: Value) -> Doubt:
    """The doubt that an operand leaves which is neither true nor false."""
    return value if value is UNKNOWN else refusal(operator, value)


def graver(first: Doubt | None, second: Doubt) -> Doubt:
    """Which of two doubts stands for both: what is unknown may still become an answer, so it outranks a failure."""
    if first is UNKNOWN or second is UNKNOWN or isinstance(second, UnknownValueError):
        return UNKNOWN
    return second if first is None else first


def outcome(doubt: Doubt) -> Unknown:
    """What is left where nothing settled it: the unknown, or the failure raised."""
    if isinstance(doubt, Unknown | UnknownValueError):
        return UNKNOWN
    try:
        raise doubt
    finally:
        del doubt  # It holds its traceback, the traceback this frame: without this, both wait for the collector.


def _undecided(
    operator: str, operands: tuple[Run, ...], position: int, doubt: Doubt, names: Names, frame: Frame
) -> Value:
    """The rest of a chain after a doubt: only an operand that settles it can still give it a value."""
    settles = operator == "||"
    for operand in operands[position:]:
        try:
            value = operand(names, frame)
        except EvaluationError as error:
            doubt = graver(doubt, error)
            continue
        if value is settles:
            return settles
        if value is not True and value is not False:
            doubt = graver(doubt, no_bool(operator, value))
    try:
        return outcome(doubt)
    finally:
        del doubt


def negation(operand: Run) -> Run:
    """`!operand`."""

    def run(names: Names, frame: Frame) -> Value:
        value = operand(names, frame)
        if value is True:
            return False
        if value is False:
            return True
        if value is UNKNOWN:
            return value
        raise refusal("!", value)

    return run


def fallback(optional: Run, other: Run, unwrap: bool) -> Run:
    """`optional.or(other)`, and `optional.orValue(other)` where `unwrap`: `other` runs only where it is needed."""

    def run(names: Names, frame: Frame) -> Value:
        found = optional(names, frame)
        if type(found) is OptionalValue:
            if found.present:
                return found.value if unwrap else found
            instead = other(names, frame)
            if unwrap or instead is UNKNOWN or type(instead) is OptionalValue:
                return instead
            raise refusal("or", found, instead)
        if found is UNKNOWN:
            return found
        raise refusal("or", found)

    return run


def ternary(node: Ternary, scope: Scope) -> Run:
    """`condition ? then : otherwise`. A failing condition fails it."""
    condition, then, otherwise = scope.build(node.condition), scope.build(node.then), scope.build(node.otherwise)

    def run(names: Names, frame: Frame) -> Value:
        value = condition(names, frame)
        if value is True:
            return then(names, frame)
        if value is False:
            return otherwise(names, frame)
        raise refusal("?:", value)

    return run

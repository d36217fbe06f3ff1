"""Timestamps and durations: what they are made of, their arithmetic, their parts. Loaded only where one occurs.

Outside they are aware `datetime` and `timedelta`, which hold microseconds; the language has nanoseconds. What Python
cannot hold stands in a subclass with the nanoseconds that are left over. All arithmetic is on whole nanoseconds.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.values import INT_MAX, INT_MIN, Value, kind_of, refusal

TIMESTAMP, DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 10**9
FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1
"""0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z."""
MICROSECOND = timedelta(microseconds=1)


class FineTimestamp(datetime):
    """A timestamp with `nanoseconds` below its microsecond."""

    nanoseconds: int


class FineDuration(timedelta):
    """A duration with `nanoseconds` below its microsecond."""

    nanoseconds: int


def measure(value: Value) -> tuple[str, int] | None:
    """What a timestamp or a duration is and its nanoseconds (since 1970 for a timestamp); None for anything else."""
    kind = kind_of(value)
    if kind is timedelta:
        return DURATION, value // MICROSECOND * 1000
    if kind is FineDuration:
        return DURATION, value // MICROSECOND * 1000 + value.nanoseconds
    if kind is datetime and value.tzinfo is not None:
        try:
            return TIMESTAMP, (value - EPOCH) // MICROSECOND * 1000
        except (OverflowError, TypeError, ValueError):
            return None
    if kind is FineTimestamp:
        return TIMESTAMP, (value - EPOCH) // MICROSECOND * 1000 + value.nanoseconds
    return None


def timestamp_of(nanoseconds: int) -> datetime:
    """The timestamp so many nanoseconds after 1970. Raises `EvaluationError` outside the years 1 to 9999."""
    if not FIRST <= nanoseconds <= LAST:
        raise EvaluationError("the timestamp is outside the years 1 to 9999")
    micro, rest = divmod(nanoseconds, 1000)
    exact = EPOCH + timedelta(microseconds=micro)
    if not rest:
        return exact
    fine = FineTimestamp.combine(exact.date(), exact.timetz())
    fine.nanoseconds = rest
    return fine


def duration_of(nanoseconds: int) -> timedelta:
    """The duration of so many nanoseconds. Raises `EvaluationError` beyond 64 bits of them, some 292 years."""
    if not INT_MIN <= nanoseconds <= INT_MAX:
        raise EvaluationError("the duration is longer than 64 bits of nanoseconds")
    micro, rest = divmod(nanoseconds, 1000)
    if not rest:
        return timedelta(microseconds=micro)
    fine = FineDuration(microseconds=micro)
    fine.nanoseconds = rest
    return fine


def compute(operator: str, left: Value, right: Value) -> Value:
    """`+` and `-` between timestamps and durations. Raises `EvaluationError`."""
    one, other = measure(left), measure(right)
    if one is None or other is None:
        raise refusal(operator, left, right)
    sign = 1 if operator == "+" else -1
    make = RESULTS.get((operator, one[0], other[0]))
    if make is None:
        raise refusal(operator, left, right)
    return make(one[1] + sign * other[1])


RESULTS: dict[tuple[str, str, str], Callable[[int], Value]] = {
    ("+", TIMESTAMP, DURATION): timestamp_of,
    ("+", DURATION, TIMESTAMP): timestamp_of,
    ("+", DURATION, DURATION): duration_of,
    ("-", TIMESTAMP, DURATION): timestamp_of,
    ("-", TIMESTAMP, TIMESTAMP): duration_of,
    ("-", DURATION, DURATION): duration_of,
}


def to_seconds(value: Value) -> int:
    """`int(timestamp)`: whole seconds since 1970."""
    measured = measure(value)
    if measured is None or measured[0] != TIMESTAMP:
        raise refusal("int", value)
    return measured[1] // SECOND


def to_text(value: Value) -> str:
    """`string(…)`: a timestamp as `2026-11-21T08:00:00.5Z`, a duration as `90.5s`."""
    measured = measure(value)
    if measured is None:
        raise refusal("string", value)
    kind, nanoseconds = measured
    if kind == TIMESTAMP:
        seconds, rest = divmod(nanoseconds, SECOND)
        moment = EPOCH + timedelta(seconds=seconds)
        return f"{moment.year:04}{moment:-%m-%dT%H:%M:%S}{_fraction(rest)}Z"
    seconds, rest = divmod(abs(nanoseconds), SECOND)
    return f"{'-' if nanoseconds < 0 else ''}{seconds}{_fraction(rest)}s"


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""

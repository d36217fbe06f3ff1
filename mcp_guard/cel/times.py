"""Timestamps and durations: what they are made of, their arithmetic, their parts. Loaded only where one occurs.

Outside they are aware `datetime` and `timedelta`, which hold microseconds; the language has nanoseconds. What Python
cannot hold stands in a subclass with the nanoseconds that are left over. All arithmetic is on whole nanoseconds.
"""

from datetime import UTC, datetime, timedelta

from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.values import INT_MAX, INT_MIN, Value, kind_of

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

"""The functions on timestamps and durations: reading them from text, and taking them apart.

A time zone by name is looked up once, when the condition is compiled; a computed one can only be an offset. So
evaluating reads no time zone data, whatever an agent sends.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.functions import Function, function, method
from mcp_guard.cel.limits import READING
from mcp_guard.cel.times import DURATION as DURATION_NAME
from mcp_guard.cel.times import EPOCH, SECOND, duration_of, measure, timestamp_of
from mcp_guard.cel.times import TIMESTAMP as TIMESTAMP_NAME
from mcp_guard.cel.types import DURATION, INT, STRING, TIMESTAMP
from mcp_guard.cel.values import Value, refusal

LONGEST = 64
"""Characters that a time or a time zone can sensibly have."""

MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
OFFSET = re.compile(r"([+-]?)([0-9]{2}):([0-9]{2})")
STRETCH = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|μs|ns)")
UNITS = {"h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": 10**6, "us": 1000, "µs": 1000, "μs": 1000, "ns": 1}


class UnknownZoneError(Exception):
    """No time zone has this name here."""


def to_timestamp(budget: Budget, value: Value) -> Value:
    """`timestamp(value)` of a text by RFC 3339, or of seconds since 1970."""
    budget.spend(READING)
    if type(value) is str:
        return _read_moment(value)
    if type(value) is int:
        return timestamp_of(value * SECOND)
    measured = measure(value)
    if measured is None or measured[0] != TIMESTAMP_NAME:
        raise refusal("timestamp", value)
    return value


def _read_moment(text: str) -> Value:
    found = MOMENT.fullmatch(text) if len(text) <= LONGEST else None
    if found:
        try:
            local = datetime.fromisoformat(found[1])
            shift = timedelta() if found[3] == "Z" else _offset(found[3])
            whole = (local.replace(tzinfo=UTC) - EPOCH - shift) // timedelta(seconds=1)
            return timestamp_of(whole * SECOND + int((found[2] or "").ljust(9, "0")))
        except (ValueError, OverflowError):
            pass
    raise EvaluationError("the string is no timestamp")


def _offset(text: str) -> timedelta:
    """The distance from UTC of `+02:00`. Raises `ValueError`."""
    found = OFFSET.fullmatch(text) if len(text) <= LONGEST else None
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        raise ValueError
    distance = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -distance if found[1] == "-" else distance


def to_duration(budget: Budget, value: Value) -> Value:
    """`duration(value)` of a text such as `1h30m`, `-1.5s`."""
    if type(value) is str:
        budget.spend(READING + 4 * min(len(value), LONGEST))
        return duration_of(_read_stretch(value))
    measured = measure(value)
    if measured is None or measured[0] != DURATION_NAME:
        raise refusal("duration", value)
    return value


def _read_stretch(text: str) -> int:
    """The nanoseconds of a text, by the rules of Go's durations, in one pass."""
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return 0
    total, at = 0, 0
    while at < len(body) <= LONGEST:
        part = STRETCH.match(body, at)
        if part is None:
            break
        whole, _, fraction = part[1].partition(".")
        unit = UNITS[part[2]]
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        at = part.end()
    if not body or at < len(body):
        raise EvaluationError("the string is no duration")
    return -total if text[0] == "-" else total


def zone(name: str) -> tzinfo:
    """The time zone of a name or an offset. Raises `UnknownZoneError`."""
    try:
        return timezone(_offset(name))
    except ValueError:
        pass
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except Exception:
        raise UnknownZoneError from None


Part = Callable[[datetime], int]

PARTS: dict[str, Part] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}

DURATION_PARTS: dict[str, Callable[[int], int]] = {
    "getHours": lambda nanoseconds: nanoseconds // UNITS["h"],
    "getMinutes": lambda nanoseconds: nanoseconds // UNITS["m"],
    "getSeconds": lambda nanoseconds: nanoseconds // SECOND,
    "getMilliseconds": lambda nanoseconds: nanoseconds % SECOND // UNITS["ms"],
}


def part_of(name: str, value: Value, place: tzinfo = UTC) -> int:
    """One part of a timestamp, as a clock and a calendar at a place have it; or of a duration."""
    measured = measure(value)
    if measured is None:
        raise refusal(name, value)
    kind, nanoseconds = measured
    if kind == TIMESTAMP_NAME:
        try:
            return PARTS[name](value.astimezone(place))
        except (OverflowError, ValueError):
            pass
        raise EvaluationError("the timestamp is outside the years 1 to 9999 there")
    if name not in DURATION_PARTS:
        raise refusal(name, value)
    size = DURATION_PARTS[name](abs(nanoseconds))
    return -size if nanoseconds < 0 else size


def _getter(name: str) -> Callable[..., Value]:
    def get(budget: Budget, value: Value, place: Value = "+00:00") -> Value:
        if type(place) is not str:
            raise refusal(name, value, place)
        budget.spend(READING)
        try:
            return part_of(name, value, timezone(_offset(place)))
        except ValueError:
            pass
        raise EvaluationError("a computed time zone has to be an offset such as `+02:00`")

    return get


FUNCTIONS: tuple[Function, ...] = (
    *(function("timestamp", [one], TIMESTAMP, to_timestamp) for one in (STRING, INT, TIMESTAMP)),
    *(function("duration", [one], DURATION, to_duration) for one in (STRING, DURATION)),
    *(method(TIMESTAMP, name, zoned, INT, _getter(name)) for name in PARTS for zoned in ([], [STRING])),
    *(method(DURATION, name, [], INT, _getter(name)) for name in DURATION_PARTS),
)

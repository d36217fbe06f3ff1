"""An event as a row: the columns in order, time as text, data as JSON text.

Text columns hold Unicode, the tool's name without NUL, which SQLite's own functions would take for the end of a text: a
NUL or a lone surrogate is recorded as U+FFFD. The gate escapes both long before; this is the last line.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

import msgspec
from msgspec.structs import astuple

from mcp_guard.events import Event

COLUMNS = (
    "id, ts, type, connection_id, agent, agent_verified, user, server, tool, decision, decided_by, rule, policy_hash, "
    "data"
)
_DATA = COLUMNS.count(",")  # the place of the last column
_PLACES = "(" + ", ".join("?" * (_DATA + 1)) + ")"

Value = str | int | None
Row = tuple[str, str, str, str, Value, int, Value, Value, Value, Value, Value, Value, Value, str]  # the last: data

_LAST_SECOND = 253_402_300_799  # of the year 9999: a clock that says more is as wrong as one before 1970

_encode = msgspec.json.Encoder().encode


def insertion(rows: int) -> str:
    """The statement that inserts so many rows at once."""
    return f"INSERT INTO events ({COLUMNS}) VALUES " + ", ".join([_PLACES] * rows)


def conditional_insertion(rows: int) -> str:
    """The same, with one more parameter: the registry's version. Where that is another by now, no row is inserted."""
    given = f"SELECT {_PLACES[1:-1]}" if rows == 1 else f"SELECT * FROM (VALUES {', '.join([_PLACES] * rows)})"
    return f"INSERT INTO events ({COLUMNS}) {given} WHERE (SELECT version FROM registry) = ?"


def row(event: Event) -> Row:
    """The columns of one event; `storable` where a text has a lone surrogate (SQLite raises UnicodeEncodeError).

    Data that JSON cannot hold is left out, and the row says so.
    """
    try:
        data = _encode(event.data).decode()
    except (UnicodeEncodeError, TypeError, RecursionError, msgspec.MsgspecError):
        data = _encode_unusual(event.data)
    told = astuple(event)  # in the order of the columns, and what an event has beside its row behind them
    values: Row = (told[0], timestamp(event.ts), *told[2:_DATA], data)
    return values if event.tool is None or "\0" not in event.tool else storable(values)


def storable(values: Row) -> Row:
    """The columns with U+FFFD in place of what SQLite cannot store, or would not find again."""
    return cast("Row", tuple(storable_text(value) if isinstance(value, str) else value for value in values))


@lru_cache(maxsize=4)  # calls that come together have one time
def timestamp(microseconds: int) -> str:
    """Microseconds since the Unix epoch as ISO 8601 in UTC; the texts sort as the times do."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{str(1_000_000 + rest)[1:]}Z"  # six digits, in half the time that a format takes


def moment(text: str) -> int:
    """Microseconds since the Unix epoch for such a text. Raises ValueError."""
    since = datetime.fromisoformat(text) - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST_SECOND), UTC).strftime("%Y-%m-%dT%H:%M:%S")


def storable_text(text: str) -> str:
    """A text with U+FFFD in the place of what SQLite cannot store, or would not find again."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _encode_unusual(data: Mapping[str, object]) -> str:
    """Data with lone surrogates, or in a mapping that is no dict: the slow way, with the same result."""
    from json import dumps  # not at the start of a guard: this is next to never

    try:
        return dumps(_plain(data), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return '{"arguments": null, "redacted": [{"path": "", "hash": null, "why": "unencodable", "bytes": null}]}'


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Raw):
        from json import loads

        return loads(bytes(value))
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, Mapping):
        return {storable_text(str(key)): _plain(inner) for key, inner in value.items()}  # pyright: ignore
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(inner) for inner in value]  # pyright: ignore
    return value

"""A call's arguments on one short line, for a table, a comment or the name of a test."""

import json
import re
from collections.abc import Mapping

from mcp_guard.insight.holes import holes
from mcp_guard.redaction import safe_text
from mcp_guard.store.reader import RecordedEvent

_LONGEST_VALUE = 60
_NEEDS_QUOTES = re.compile(r'^…?$|[\s"=]|^[\[{]|^(?:true|false|null|-?[0-9][0-9.]*(?:[eE][+-]?[0-9]+)?)$')
NOT_KEPT = "…"


def brief_arguments(event: RecordedEvent, limit: int) -> str:
    """The arguments as `path=/srv/x n=3`, in at most `limit` characters; `…` stands for what was not kept."""
    missing, arguments = holes(event.data), event.data.get("arguments")
    if missing is None or not isinstance(arguments, dict) or any(not hole.pointer for hole in missing):
        return NOT_KEPT
    lost = {hole.pointer[0] for hole in missing}
    return brief(arguments, limit, lost)  # pyright: ignore[reportUnknownArgumentType]  (JSON: its keys are texts)


def brief(arguments: Mapping[str, object], limit: int, lost: set[str] | frozenset[str] = frozenset()) -> str:
    """Arguments as `path=/srv/x n=3`, in at most `limit` characters; the values of those in `lost` are not shown."""
    shown = (f"{told(name)}={NOT_KEPT if name in lost else brief_value(value)}" for name, value in arguments.items())
    return safe_text(" ".join(shown), limit)


def brief_value(value: object) -> str:
    """A value without more quotes than it needs, cut where it is long."""
    text = told(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + NOT_KEPT


def told(value: object) -> str:
    """A value as JSON; a text without its quotes where it can be taken neither for another value nor for two."""
    if isinstance(value, str) and not _NEEDS_QUOTES.search(value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

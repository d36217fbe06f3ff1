"""A call's arguments on one short line, for a table, a comment or the name of a test."""

import json
from collections.abc import Mapping

from mcp_guard.insight.recorded import holes
from mcp_guard.redaction import safe_text
from mcp_guard.store.reader import RecordedEvent

_LONGEST_VALUE = 60
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
    shown = (f"{name}={NOT_KEPT if name in lost else brief_value(value)}" for name, value in arguments.items())
    return safe_text(" ".join(shown), limit)


def brief_value(value: object) -> str:
    """A value without more quotes than it needs, cut where it is long."""
    plain = isinstance(value, str) and value and not any(character in value for character in ' "=\n\t')
    text = value if plain else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert isinstance(text, str)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + NOT_KEPT

"""Levels of log messages, least severe first (2026-07-28, "Logging"; the same in all revisions)."""

from mcp_guard.policy.values import Json

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
LEVEL_META = "io.modelcontextprotocol/logLevel"

_RANKS = {level: rank for rank, level in enumerate(LEVELS)}


def rank(level: Json) -> int | None:
    """How severe a level is, from 0; None where it is none."""
    return _RANKS.get(level) if isinstance(level, str) else None

"""A text of a client's or an upstream's, made fit for a log line or a column: bounded, visible, without secrets."""

from mcp_guard.redaction.patterns import mask
from mcp_guard.redaction.visible import escaped, shows

MARK = "[redacted]"
_MARGIN = 4096  # characters looked at beyond the limit, so that a secret cut off there is still known for one


def safe_text(text: str, limit: int) -> str:
    """The text in at most `limit` characters, each of them to be seen, with `[redacted]` for what looks like a secret.

    Characters that would not show, or would move the cursor or the reading direction, become escapes such as `\\\\x1b`;
    a text that was cut ends in `…`.
    """
    masked = mask(text[: limit + _MARGIN], MARK)
    if len(masked) <= limit and shows(masked):
        return masked
    shown = escaped(masked[: limit + 1])
    return shown if len(shown) <= limit else shown[: max(0, limit - 1)] + "…"[:limit]

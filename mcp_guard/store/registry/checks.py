"""What may be written into the registry: slugs, patterns, reasons, moments. Whoever asks (a command, the API) is told
what is wrong and what would be right.
"""

import re

from mcp_guard.slugs import AGENT_RULE, is_agent
from mcp_guard.store.registry.book import Change, InvalidError, kept_text
from mcp_guard.store.rows import timestamp

LONGEST_REASON = 1_000  # characters
LONGEST_PATTERN = 300
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_PATTERN = re.compile(r"(?:[^\x00-\x20\x7f:-][^\x00-\x20\x7f:]*:)?[^\x00-\x20\x7f:-][^\x00-\x20\x7f:]*")


def check_agent(slug: str) -> None:
    """Whether this can be an agent that some client has or will have. One need not be registered to be spoken of."""
    if not is_agent(slug):
        raise InvalidError(f"`{slug}` cannot be the slug of an agent", AGENT_RULE)


def check_label(text: str) -> None:
    """Whether this can name a user, a group, or a token of somebody else's."""
    if _LABEL.fullmatch(text) is None:
        raise InvalidError(f"`{text}` is no short text on one line", "1 to 256 characters")


def check_pattern(pattern: str) -> None:
    """Whether this is a pattern of tools: `TOOL` or `SERVER:TOOL`, each with `*` for any run. None begins like an
    option of a command: that would be one whose value is missing. And none is a secret that was pasted, as patterns are
    shown to everybody; `token-server:get_it`, which only names one, may be.
    """
    if _is_secret(pattern):
        hint = "if it is the name of a tool, write a part of it with *; if it is a secret, it is not kept here"
        raise InvalidError("what was given as a pattern of tools looks like a secret", hint)
    if len(pattern) > LONGEST_PATTERN or _PATTERN.fullmatch(pattern) is None:
        hint = "write TOOL or SERVER:TOOL, with * for any run of characters: `delete_*`, `github:create_*`"
        raise InvalidError(f"`{pattern}` is no pattern of tools", hint)


def _is_secret(pattern: str) -> bool:
    from mcp_guard.redaction.patterns import kind_of_secret  # not on the path of a guard's start

    return kind_of_secret(pattern) not in (None, "assignment")


def kept_reason(reason: str) -> str:
    """A reason as it is kept. One that is too long to be shown is refused."""
    if len(reason) > LONGEST_REASON:
        raise InvalidError(f"the reason is longer than {LONGEST_REASON} characters")
    return kept_text(reason)


def expiry(change: Change, expires: int | None) -> str | None:
    """When something ends, as the tables hold it. It has to be in the future."""
    if expires is None:
        return None
    if expires <= change.now:
        raise InvalidError(
            "what expires has to expire in the future", "such as `--expires 2h` or `--expires 2030-01-31`"
        )
    return timestamp(expires)

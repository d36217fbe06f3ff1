"""Secrets that stand in a configuration, where a reference should: by their shape, or by what they are called.

Whatever the log or the table of servers would redact is found here. Nothing here shows one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from mcp_guard.redaction.patterns import is_secret_name, mask
from mcp_guard.redaction.text import MARK

_SHORTEST = 6  # characters of what is a secret by its name alone
_NO_SECRET = re.compile(r"[0-9.,:]*\Z|[~./]|https?://|(?i:true|false|none|null|default|enabled|disabled)\Z")


def in_texts(texts: Mapping[str, str]) -> Iterator[str]:
    """The names of variables or headers under which one stands."""
    return (name for name, text in texts.items() if "${" not in text and _is_secret(name, text))


def in_arguments(arguments: Sequence[str]) -> Iterator[int]:
    """The positions of arguments that are or hold one: `--token=…`, or what follows `--token`."""
    for position, text in enumerate(arguments):
        before = arguments[position - 1] if position else ""
        if _masked(text) or _masked(f"{before} {text}") > _masked(before):
            yield position


def in_url(url: str) -> bool:
    """Whether one stands in a URL."""
    if _masked(url):
        return True
    try:
        fields = parse_qsl(urlsplit(url).query)
    except ValueError:
        return False
    return any("${" not in value and _is_secret(name, value) for name, value in fields)


def _is_secret(name: str, text: str) -> bool:
    """Whether a text that stands under this name is to be taken for a secret. Paths, URLs and numbers are none,
    whatever they are called: those of `SSH_KEY_FILE` or `MAX_TOKENS` may be read.
    """
    named = is_secret_name(name) and len(text) >= _SHORTEST and not _NO_SECRET.match(text)
    return named or _masked(text) or _masked(f"{name}={text}")


def _masked(text: str) -> bool:
    return mask(text, MARK) != text

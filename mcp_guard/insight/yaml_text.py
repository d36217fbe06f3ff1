"""Plain data as text for a policy file: on one line, quoted only where it must be, whatever is in it.

What is written here and read by `policy.load` is the same data again.
"""

import re
from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@-]*\Z")  # what no reader of YAML takes for anything but this text
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", ".inf", ".nan"))
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def flow(value: object) -> str:
    """A value in YAML's flow style."""
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case int() | float():
            return repr(value)
        case str():
            return scalar(value)
        case Mapping():
            return "{" + ", ".join(f"{scalar(str(key))}: {flow(inner)}" for key, inner in value.items()) + "}"  # pyright: ignore
        case Sequence():
            return "[" + ", ".join(map(flow, value)) + "]"  # pyright: ignore[reportUnknownArgumentType]
        case _:
            raise TypeError("plain data only")


def scalar(text: str) -> str:
    """A text: as it stands where it can, else in double quotes."""
    return text if _PLAIN.match(text) and text.lower() not in _WORDS and not _like_number(text) else quoted(text)


def quoted(text: str) -> str:
    """A text in double quotes. It is good as a string of the condition language, too."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _like_number(text: str) -> bool:
    return text.lstrip("._").isdigit() or re.match(r"\.[0-9]", text) is not None


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable() and character != "\ufeff":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

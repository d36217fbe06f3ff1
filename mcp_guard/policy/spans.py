"""From a place in a scalar's value to the place in the file where that character was written.

Needed because a condition's errors count in the condition, and the author looks at the file: quotes, escapes,
indentation and folded lines lie between. The value is walked along with the text that it was read from.
"""

import re

from mcp_guard.policy.tree import Scalar, Text

SURROGATES = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
ESCAPE = re.compile(rf"\\(?:{SURROGATES}|x[0-9a-fA-F]{{2}}|u[0-9a-fA-F]{{4}}|U[0-9a-fA-F]{{8}}|.)", re.DOTALL)
SPACE = " \t\r\n"


def offset_of(text: Text, scalar: Scalar, line: int, column: int) -> int:
    """The offset in the file of the character at `line`, `column` (from 1) of a text scalar's value."""
    value = str(scalar.value)
    wanted = _value_offset(value, line, column)
    written, at = text.characters, _content_start(text, scalar)
    for char in value[:wanted]:
        at = _after(char, written, at, scalar)
    if wanted < len(value):
        at = _onto(value[wanted], written, at, scalar)
    return max(scalar.start, min(at, scalar.end - 1))


def _value_offset(value: str, line: int, column: int) -> int:
    lines = value.split("\n")
    line = max(1, min(line, len(lines)))
    return sum(len(one) + 1 for one in lines[: line - 1]) + max(0, min(column - 1, len(lines[line - 1])))


def _content_start(text: Text, scalar: Scalar) -> int:
    """Where the content begins: after the quote, after the line of `|` or `>`, or at once."""
    if scalar.style in ("single", "double", "json"):
        return scalar.start + 1
    if scalar.style in ("literal", "folded"):
        header_end = text.characters.find("\n", scalar.start, scalar.end)
        return scalar.end if header_end < 0 else header_end + 1
    return scalar.start


def _onto(char: str, written: str, at: int, scalar: Scalar) -> int:
    """Step over what was written only for the layout: up to where `char` itself stands."""
    if char in SPACE:
        return at
    while at < scalar.end and written[at] in SPACE:
        at += 1
    if scalar.style == "double" and written[at : at + 2] in ("\\\n", "\\\r"):
        return _onto(char, written, at + 2, scalar)
    return at


def _after(char: str, written: str, at: int, scalar: Scalar) -> int:
    """The offset behind `char` as it was written at or after `at`."""
    at = _onto(char, written, at, scalar)
    if scalar.style in ("double", "json") and (escape := ESCAPE.match(written, at)):
        return escape.end()
    if char == "'" and scalar.style == "single":
        return at + 2
    if char not in SPACE:
        return at + 1
    if char == "\n" or written[at : at + 1] != char:
        return _after_line_break(char, written, at, scalar)
    return at + 1


def _after_line_break(char: str, written: str, at: int, scalar: Scalar) -> int:
    """Behind one line break, and the spaces before it; a folded break stands for a space."""
    following = at
    while following < scalar.end and written[following] in " \t":
        following += 1
    if written[following : following + 2] == "\r\n":
        return following + 2
    if written[following : following + 1] in ("\n", "\r"):
        return following + 1
    return at + 1 if written[at : at + 1] == char else at

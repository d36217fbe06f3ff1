"""The constants of the language: numbers, strings and bytes as they are written, and what they stand for.

Each reader takes the source and an offset and gives the value and the offset behind it. A number has no sign here:
`-9223372036854775808` is put together by the parser, which is why an int may be 2^63.
"""

from collections.abc import Iterator

from mcp_guard.cel.errors import compile_error
from mcp_guard.cel.values import INT_MAX, UINT_MAX, UInt

DIGITS = frozenset("0123456789")
HEXADIGITS = frozenset("0123456789abcdefABCDEF")
OCTAL = frozenset("01234567")
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
WORD = LETTERS | DIGITS

ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "?": "?",
    '"': '"',
    "'": "'",
    "`": "`",
}
CODE_LENGTHS = {"x": 2, "X": 2, "u": 4, "U": 8}
BYTE_LENGTHS = {"x": 2, "X": 2}


def number(source: str, at: int) -> tuple[int | float, int]:
    """An int, uint or double literal. Raises `CompileError` where it is out of range or runs into a name."""
    if source[at] == "0" and source[at + 1 : at + 2] in ("x", "X"):
        end = _run(source, at + 2, HEXADIGITS)
        if end == at + 2:
            raise compile_error(source, at, "`0x` needs hexadecimal digits")
        return _whole(source, at, end, 16)
    end = _run(source, at, DIGITS)
    fraction = _run(source, end + 1, DIGITS) if source[end : end + 1] == "." else end + 1
    is_double = fraction > end + 1
    if is_double:
        end = fraction
    exponent = _exponent(source, end)
    if not is_double and exponent == end:
        return _whole(source, at, end, 10)
    _ends_here(source, at, exponent)
    value = float(source[at:exponent])
    if value in (float("inf"), float("-inf")):
        raise compile_error(source, at, "the number is too large for a double")
    return value, exponent


def _run(source: str, at: int, allowed: frozenset[str]) -> int:
    length = len(source)
    while at < length and source[at] in allowed:
        at += 1
    return at


def _exponent(source: str, at: int) -> int:
    """The offset behind `e12`, `E+12`, or `at` itself where no exponent stands there."""
    if source[at : at + 1] not in ("e", "E"):
        return at
    digits = at + 2 if source[at + 1 : at + 2] in ("+", "-") else at + 1
    end = _run(source, digits, DIGITS)
    return end if end > digits else at


def _whole(source: str, at: int, end: int, base: int) -> tuple[int, int]:
    digits = source[at:end].lstrip("0xX") or "0"
    unsigned = source[end : end + 1] in ("u", "U")
    after = end + 1 if unsigned else end
    _ends_here(source, at, after)
    # 2^64 has 20 digits; a longer text is out of range before it is worth converting.
    value = int(digits, base) if len(digits) <= 20 else UINT_MAX + 1
    if value > (UINT_MAX if unsigned else INT_MAX + 1):
        raise compile_error(source, at, f"the number is too large for {'a uint' if unsigned else 'an int'}")
    return (UInt(value) if unsigned else value), after


def _ends_here(source: str, at: int, end: int) -> None:
    if source[end : end + 1] in WORD and end < len(source):
        raise compile_error(source, at, "a number runs into a name")


def quoted(source: str, at: int) -> tuple[str | bytes, int]:
    """A string or bytes literal: raw or not, in single or triple quotes. Raises `CompileError`."""
    start = at
    while source[at] not in "\"'":
        at += 1
    prefix = source[start:at].lower()
    quote = source[at] * 3 if source.startswith(source[at] * 3, at) else source[at]
    body = at + len(quote)
    end = _closing(source, start, body, quote, "r" in prefix)
    text = source[body:end]
    if len(quote) == 3:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    elif "\n" in text or "\r" in text:
        raise compile_error(source, start, "a string in single quotes ends on its line", 'use """ for several lines')
    after = end + len(quote)
    if "b" in prefix:
        return (_encode(source, start, text) if "r" in prefix else _bytes(source, body, text)), after
    return (_checked(source, start, text) if "r" in prefix else _text(source, body, text)), after


def _closing(source: str, start: int, at: int, quote: str, raw: bool) -> int:
    while True:
        end = source.find(quote, at)
        if end < 0:
            raise compile_error(source, start, "the string does not end")
        escape = -1 if raw else source.find("\\", at, end)
        if escape < 0:
            return end
        at = escape + 2


def _text(source: str, body: int, text: str) -> str:
    if "\\" in text:
        text = "".join(piece for piece, _ in _pieces(source, body, text, CODE_LENGTHS))
    return _checked(source, body, text)


def _bytes(source: str, body: int, text: str) -> bytes:
    """An escape stands for one byte, everything else for its UTF-8."""
    if "\\" not in text:
        return _encode(source, body, text)
    pieces = _pieces(source, body, text, BYTE_LENGTHS)
    return b"".join(piece.encode("latin-1") if escaped else _encode(source, body, piece) for piece, escaped in pieces)


def _pieces(source: str, body: int, text: str, lengths: dict[str, int]) -> Iterator[tuple[str, bool]]:
    """The text cut at its escapes: what each piece stands for, and whether it was an escape."""
    at = 0
    while True:
        escape = text.find("\\", at)
        if escape < 0:
            yield text[at:], False
            return
        yield text[at:escape], False
        piece, at = _escape(source, body, text, escape, lengths)
        yield piece, True


def _escape(source: str, body: int, text: str, at: int, lengths: dict[str, int]) -> tuple[str, int]:
    letter = text[at + 1]
    if letter in ESCAPES:
        return ESCAPES[letter], at + 2
    first, length, allowed = (at + 1, 3, OCTAL) if letter in OCTAL else (at + 2, lengths.get(letter, 0), HEXADIGITS)
    digits = text[first : first + length]
    if not length or len(digits) < length or not allowed.issuperset(digits):
        raise compile_error(source, body + at, f"`\\{letter}` is no escape here", 'a raw string, r"…", has no escapes')
    code = int(digits, 8 if allowed is OCTAL else 16)
    if code > 0x10FFFF or (allowed is OCTAL and code > 0xFF):
        raise compile_error(source, body + at, "the escape is no character")
    return chr(code), first + length


def _encode(source: str, at: int, text: str) -> bytes:
    return _checked(source, at, text).encode()


def _checked(source: str, at: int, text: str) -> str:
    """The text, unless it holds half a surrogate pair, which is no character."""
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise compile_error(source, at, "half a surrogate pair is no character")
    return text

"""JSON text to values and back: the only parser and the only encoder of what a client sends.

The invariant: what `encode` gives is one line that no reader can take for two. It is ASCII throughout, so there is no
line or paragraph separator, no NEL, and no byte that another encoding could read as one; control characters are always
escaped in JSON. A value decoded here and encoded here has lost duplicate keys, odd whitespace and every other way in
which a second reading could have hidden in the client's bytes. Numbers keep their value.
"""

import codecs
import re
from json.encoder import encode_basestring_ascii

import msgspec

from mcp_guard.policy.values import Json


class UnreadableError(Exception):
    """Text that is not JSON, or JSON whose values cannot be kept. The text says why, without quoting any of it."""


def _escape_run(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: a run of non-ASCII characters as JSON escapes. They occur only inside JSON strings."""
    assert isinstance(error, UnicodeEncodeError)
    return encode_basestring_ascii(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("mcp_guard_json_escape", _escape_run)

# To take the upstream's texts apart, whose parts stay as it wrote them. What these raise is `UNREADABLE`.
decode_any = msgspec.json.Decoder().decode
decode_text = msgspec.json.Decoder(str).decode
decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
UNREADABLE = (msgspec.MsgspecError, RecursionError, ValueError)

encode_unsealed = msgspec.json.Encoder().encode


def decode(text: bytes) -> Json:
    """Decode one JSON text (RFC 8259, UTF-8, no BOM). The last of duplicate keys stands.

    Raises UnreadableError for anything that is not JSON, nests deeper than the interpreter can follow, or holds a
    number that has no double (1e400) or too many digits.
    """
    try:
        return decode_any(text)
    except RecursionError:
        raise UnreadableError("nested too deeply") from None
    except UnicodeDecodeError:
        raise UnreadableError("not valid UTF-8") from None
    except msgspec.ValidationError:
        raise UnreadableError("a number is out of range") from None
    except msgspec.DecodeError as error:
        raise UnreadableError(_without_quotes(str(error))) from None
    except (ValueError, OverflowError, MemoryError):
        raise UnreadableError("a number has too many digits") from None


def encode(value: object) -> bytes:
    """Encode JSON values (with `msgspec.Raw` for parts already encoded here) as ASCII, without a line end.

    Raises UnreadableError for values nested too deeply to be encoded or strings that are not Unicode text.
    """
    try:
        text = encode_unsealed(value)
        return text if text.isascii() else text.decode().encode("ascii", "mcp_guard_json_escape")
    except RecursionError:
        raise UnreadableError("nested too deeply") from None
    except (ValueError, msgspec.MsgspecError):
        raise UnreadableError("a value cannot be encoded as JSON") from None


def encode_slices(value: object) -> bytes:
    """Encode values that hold slices of the upstream's own text (`msgspec.Raw`), sealed. Raises UnreadableError."""
    try:
        return seal(encode_unsealed(value))
    except RecursionError:
        raise UnreadableError("nested too deeply") from None


# What some readers take for a line end inside the UTF-8 of a JSON string, and its escape: NEL, LINE SEPARATOR and
# PARAGRAPH SEPARATOR (str.splitlines in Python, readline in Node). A carriage return can only stand between tokens.
_SEPARATORS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def seal(line: bytes) -> bytes:
    """The upstream's own line, made safe to pass on: the same JSON text, with every character that a reader might take
    for a line end escaped or, between tokens, turned into a space. A line without any is given back as it is.
    """
    if b"\r" in line:
        line = line.replace(b"\r", b" ")
    if not line.isascii():
        for separator, escape in _SEPARATORS:
            if separator in line:
                line = line.replace(separator, escape)
    return line


MENDED = 4 * 1024 * 1024  # bytes of a line in which halves of characters are looked for
_skim = msgspec.json.Decoder(msgspec.Raw).decode
_BACKSLASH, _IN_PLACE = rb"\\", b"\0\0"  # an escaped one; what no JSON text holds
_HIGH, _LOW = rb"[89abAB][0-9a-fA-F]{2}", rb"[c-fC-F][0-9a-fA-F]{2}"
_HALF = rb"\\u[dD](?:%b(?!\\u[dD]%b)|(?<!\\u[dD]%b\\u[dD])%b)" % (_HIGH, _LOW, _HIGH, _LOW)  # compiled when met


def without_halves(line: bytes) -> bytes:
    """The upstream's line with U+FFFD for each half of a character that stands alone (`\\ud83d`). Servers write such
    when they cut a text in the middle of an emoji; JavaScript reads it, and hardly anything else does. A line without
    any is given back as it is, and so is a very long one: to look through it would hold up everybody.
    """
    if (b"\\ud" not in line and b"\\uD" not in line) or _IN_PLACE[:1] in line or len(line) > MENDED:
        return line
    try:
        _skim(line)
        return line
    except UNREADABLE:
        pass  # most lines are fine, and most of the rest no better without halves
    escapes = line.replace(_BACKSLASH, _IN_PLACE)  # now every backslash begins an escape
    mended = re.sub(_HALF, rb"\\ufffd", escapes)
    return line if mended == escapes else mended.replace(_IN_PLACE, _BACKSLASH)


def _without_quotes(error: str) -> str:
    """msgspec's message with the place but without any of the text: `JSON is malformed: … (byte 7)`."""
    return error.removeprefix("JSON is malformed: ")

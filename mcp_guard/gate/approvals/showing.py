"""How somebody else's text is shown to a person who decides by it: all of it, and none passes for the guard's words.

Python calls printable what has a glyph or belongs to one, and some of that shows nothing: fillers of scripts that are
written in blocks, selectors of variants, blank patterns. Here whatever a reader cannot see is an escape.
"""

from collections.abc import Iterator

GOES_ON = "↩"
"""Stands at the end of a line of somebody else's that goes on in the next one; nothing in them is shown so."""

_BLANK_RANGES = (  # printable to Python, and nothing to see (Unicode, "Default_Ignorable_Code_Point"; blank symbols)
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors
    (0x2800, 0x2800),  # Braille pattern blank
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0x13441, 0x13442),  # hieroglyphic blanks
    (0x16FE4, 0x16FE4),  # Khitan filler
    (0x1D159, 0x1D159),  # musical null notehead
    (0xE0100, 0xE01EF),  # more variation selectors
)
_BLANK = frozenset(chr(one) for first, last in _BLANK_RANGES for one in range(first, last + 1))
_MISTAKABLE = "“”„‟″‴‶‷⁗〃〝〞〟＂ʺ˝ˮ״«»❝❞❠⹂🙶🙷🙸" + GOES_ON  # for what the guard sets round a text
_ESCAPES = {ord(one): one.encode("unicode_escape").decode() for one in _MISTAKABLE}


def visible(text: str, *, lines: bool = True) -> str:
    """A text in which everything shows: what would not, or would turn the reading direction, becomes an escape.
    `lines`: the ends of its lines stay what they are.
    """
    return "".join(_shown(text, "\n" if lines else ""))


def _shown(text: str, kept: str) -> Iterator[str]:
    for one in text:
        shows = one in kept or (one.isprintable() and one not in _BLANK)
        yield one if shows else one.encode("unicode_escape").decode()


def quoted(text: str) -> str:
    """Somebody else's text on one line and in quotes: nothing in it shows as the end of them, or not at all."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{visible(escaped, lines=False).translate(_ESCAPES)}"'

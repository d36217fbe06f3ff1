"""Which characters a reader sees, and the escapes that stand for the others.

Python calls printable what has a glyph or belongs to one, and some of that shows nothing: fillers of scripts that are
written in blocks, selectors of variants, blank patterns. This is the only place that knows of them, for what a person
decides by as for a line of the log: whatever a reader cannot see is an escape in both.
"""

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


def shows(text: str) -> bool:
    """Whether a reader sees every character of a text, on one line and in its order."""
    return text.isprintable() and (text.isascii() or _BLANK.isdisjoint(text))


def escaped(text: str, kept: str = "") -> str:
    """The text with an escape such as `\\\\x1b` for each character that would not show, or would move the cursor or the
    reading direction; but for those that are `kept`.
    """
    if shows(text):
        return text
    return "".join(one if one in kept or shows(one) else one.encode("unicode_escape").decode() for one in text)

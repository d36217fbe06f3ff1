"""How somebody else's text is shown to a person who decides by it: all of it, and none passes for the guard's words.

What a reader cannot see is an escape (`redaction.visible` knows what that is), and so is what looks like a quote.
"""

from mcp_guard.redaction.visible import escaped

GOES_ON = "↩"
"""Stands at the end of a line of somebody else's that goes on in the next one; nothing in them is shown so."""

_MISTAKABLE = "“”„‟″‴‶‷⁗〃〝〞〟＂ʺ˝ˮ״«»❝❞❠⹂🙶🙷🙸" + GOES_ON  # for what the guard sets round a text
_ESCAPES = {ord(one): one.encode("unicode_escape").decode() for one in _MISTAKABLE}


def visible(text: str, *, lines: bool = True) -> str:
    """A text in which everything shows: what would not, or would turn the reading direction, becomes an escape.
    `lines`: the ends of its lines stay what they are.
    """
    return escaped(text, "\n" if lines else "")


def quoted(text: str) -> str:
    """Somebody else's text on one line and in quotes: nothing in it shows as the end of them, or not at all."""
    within = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{visible(within, lines=False).translate(_ESCAPES)}"'

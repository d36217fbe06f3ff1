"""URI templates (RFC 6570), as far as a policy has to know them: which URIs could one expand to.

What a variable may hold is the server's secret, so an expression stands for anything here, slashes included. A template
therefore stands for at least the URIs that it can really expand to, and what holds for all of those holds for them.
"""

import re
from collections.abc import Iterable
from typing import Literal

from mcp_guard.policy.globs import Glob

EXPRESSION = re.compile(r"\{[^{}]*\}?")

Fit = Literal["none", "some", "all"]
"""Whether patterns fit none of a template's URIs, perhaps some of them, or all."""


def expansions(template: str) -> Glob:
    """The URIs that a template could expand to. An opening brace that is never closed begins an expression, too."""
    begin, *rest = EXPRESSION.split(template)
    return Glob(begin, tuple(piece for piece in rest[:-1] if piece), rest[-1]) if rest else Glob(begin)


def fit(patterns: Iterable[str] | None, uris: Glob) -> Fit:
    """How the entries of a rule's `resources` fit these URIs; left out (None) they fit all."""
    if patterns is None:
        return "all"
    found = {_fit(Glob.of(pattern), uris) for pattern in patterns}
    return "all" if "all" in found else "some" if "some" in found else "none"


def _fit(pattern: Glob, uris: Glob) -> Fit:
    if uris.end is None:
        return "all" if pattern.matches(uris.begin) else "none"
    if pattern.end is None:
        return "some" if uris.matches(pattern.begin) else "none"
    begins_alike = pattern.begin.startswith(uris.begin) or uris.begin.startswith(pattern.begin)
    ends_alike = pattern.end.endswith(uris.end) or uris.end.endswith(pattern.end)
    if not begins_alike or not ends_alike:
        return "none"
    is_wider = uris.begin.startswith(pattern.begin) and uris.end.endswith(pattern.end)
    return "all" if is_wider and _holds(pattern, uris.begin, uris.between, uris.end) else "some"


def _holds(pattern: Glob, begin: str, between: Iterable[str], end: str) -> bool:
    """Whether what comes between in a pattern stands, in its order, in what every URI has: each piece of it in one of
    the texts between the expressions. `begin` begins as the pattern does, and `end` ends so.
    """
    texts = iter((begin[len(pattern.begin) :], *between, end[: len(end) - len(pattern.end or "")]))
    text = next(texts)
    for piece in pattern.between:
        while piece not in text:
            following = next(texts, None)
            if following is None:
                return False
            text = following
        text = text.partition(piece)[2]
    return True

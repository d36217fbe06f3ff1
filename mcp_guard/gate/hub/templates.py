"""Whether a resource template (RFC 6570) could have made a URI: its expressions stand for anything.

Generous on purpose, since it only says which server to ask: that server, and the policy, say what may be read.
"""

import re

from mcp_guard.policy.globs import Glob

_EXPRESSION = re.compile(r"\{[^{}]*\}")
_LONGEST = 2_048  # characters of a template that is looked at


def could_make(template: str, uri: str) -> bool:
    """Whether the URI may come of the template. Time is linear in the URI for each expression."""
    if len(template) > _LONGEST:
        return False
    begin, *rest = _EXPRESSION.split(template)
    if not rest:
        return template == uri
    return Glob(begin, tuple(piece for piece in rest[:-1] if piece), rest[-1]).matches(uri)


def names_scheme(template: str) -> bool:
    """Whether a template says at least of which scheme its URIs are; one that does not could be any server's."""
    return ":" in _EXPRESSION.split(template, maxsplit=1)[0]

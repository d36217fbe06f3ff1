"""Whether a resource template (RFC 6570) could have made a URI: its expressions stand for anything.

Generous on purpose, since it only says which server to ask: that server, and the policy, say what may be read. A
template is read once, when it is first asked about, and there is a limit to how many of one server's are: whoever reads
a resource waits for all of them.
"""

import re
from collections.abc import Iterable
from itertools import islice

import msgspec

from mcp_guard.policy.globs import Glob

MOST = 1_000  # templates of one server that are asked about
_EXPRESSION = re.compile(r"\{[^{}]*\}")
_LONGEST = 2_048  # characters of a template that is looked at
_LONGEST_URI = 8_192  # and of a URI: a longer one is found by its list, or not at all


class Template(msgspec.Struct, frozen=True):
    """What a template says of its URIs. `names_scheme`: at least of which scheme they are; those of one that does not
    could be any server's.
    """

    glob: Glob
    names_scheme: bool

    def could_make(self, uri: str) -> bool:
        """Whether the URI may come of the template. Time is linear in the URI for each expression."""
        return len(uri) <= _LONGEST_URI and self.glob.matches(uri)


def read(template: str) -> Template:
    """What the text of a template says."""
    begin, *rest = _EXPRESSION.split(template)
    glob = Glob(begin, tuple(piece for piece in rest[:-1] if piece), rest[-1]) if rest else Glob(begin)
    return Template(glob, ":" in begin)


def read_all(templates: Iterable[str]) -> list[Template]:
    """What the templates of one server say, as far as they are looked at."""
    return [read(template) for template in islice(templates, MOST) if len(template) <= _LONGEST]

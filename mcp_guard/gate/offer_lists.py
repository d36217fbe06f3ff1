"""The lists of prompts, resources and resource templates: of each page a client gets what it may use.

The guard keeps no catalog of these: a name or URI that was never listed is judged like one that was. An element that
cannot be read is left out.
"""

from collections.abc import Callable

import msgspec

from mcp_guard.gate.offers import is_shown
from mcp_guard.gate.outputs import Output
from mcp_guard.gate.pages import elements, filtered, read_page, reads_otherwise
from mcp_guard.gate.requests import Open, Request
from mcp_guard.gate.session import Session, forward
from mcp_guard.gate.wire import UNREADABLE, decode_members, decode_text, encode_slices
from mcp_guard.policy.values import OfferKind


class OfferList(msgspec.Struct, frozen=True):
    """One of the lists: of what, the member of the result that holds it, the element's own member that names it, and
    whether a client is shown what is so named.
    """

    kind: OfferKind
    member: str
    named_by: str
    shown: Callable[[Session, str], bool]


def _may_expand(session: Session, template: str) -> bool:
    return session.shows_template(template)


LISTS: dict[str, OfferList] = {
    "prompts/list": OfferList("prompt", "prompts", "name", lambda session, name: is_shown(session, "prompt", name)),
    "resources/list": OfferList(
        "resource", "resources", "uri", lambda session, uri: is_shown(session, "resource", uri)
    ),
    "resources/templates/list": OfferList("resource", "resourceTemplates", "uriTemplate", _may_expand),
}


def ask(session: Session, request: Request, now: int) -> list[Output]:
    """One of the list requests: its answer is filtered, where the policy has a say."""
    governed = session.governs(LISTS[request.method].kind)
    return forward(session, request, "offers" if governed else "other", now)


def visible(session: Session, entry: Open, line: bytes) -> bytes:
    """The answer to it as this client may see it. Raises UnlistableError."""
    listed = LISTS[entry.method]
    page = read_page(line, listed.member)
    kept = [element for element in elements(page) if _is_shown(session, listed, element)]
    return filtered(page, encode_slices(kept), modern=entry.modern)


def _is_shown(session: Session, listed: OfferList, element: msgspec.Raw) -> bool:
    try:
        members = decode_members(element)
        name = decode_text(members[listed.named_by])
    except (*UNREADABLE, KeyError):
        return False
    return listed.shown(session, name) and not reads_otherwise(bytes(element), members, listed.named_by)

"""`subscriptions/listen` (2026-07-28, "Subscriptions"): what a client wants to hear of, and what of it it may.

Resources that it may not read are taken out of the request; the upstream acknowledges the rest, which is how the
protocol says that something is not honoured. Changes of the lists that the guard filters are announced by it, too.
"""

from mcp_guard.events import Judged
from mcp_guard.gate import offers
from mcp_guard.gate.messages import (
    INVALID_PARAMS,
    LISTEN_MEMBERS,
    SUBSCRIBED_MEMBERS,
    MalformedError,
    refuse_near_names,
    within,
)
from mcp_guard.gate.outputs import Admitted, Denied, Output, Record
from mcp_guard.gate.requests import Open, ReadCall, Request
from mcp_guard.gate.session import Session, forward
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Json, OfferKind

METHOD = "subscriptions/listen"
MOST_RESOURCES = 1_000  # in one subscription: each is a row of the log
FLAGS: dict[OfferKind, str] = {
    "tool": "toolsListChanged",
    "prompt": "promptsListChanged",
    "resource": "resourcesListChanged",
}

_RESOURCES = "resourceSubscriptions"


def listen(session: Session, request: Request, now: int) -> list[Output]:
    """Forward the request, without the resources that this client may not read; for one that is stopped as a whole,
    without anything but the lists that it will see when it goes on.
    """
    wanted = request.params.get("notifications")
    if isinstance(wanted, dict) and session.stopped(now) is not None:
        for name in wanted.keys() - {*FLAGS.values(), _RESOURCES}:
            del wanted[name]
    uris = within(wanted, _RESOURCES)
    if session.governs("resource"):
        refuse_near_names(request.params, LISTEN_MEMBERS, "parameter")
        refuse_near_names(wanted if isinstance(wanted, dict) else {}, SUBSCRIBED_MEMBERS, "member")
        if isinstance(wanted, dict) and uris is not None:
            return _narrowed(session, request, wanted, _uris(uris), now)
    outputs = forward(session, request, "listen", now)
    session.open[request.id].wants = wants(wanted)
    return outputs


def again(session: Session, request: Request, now: int) -> list[Output]:
    """Judge the resources anew that it was let through with, because the registry was changed."""
    wanted = request.params["notifications"]
    assert isinstance(wanted, dict)
    return _narrowed(session, request, wanted, _uris(wanted[_RESOURCES]), now)


def wants(wanted: Json) -> frozenset[OfferKind]:
    """The lists of whose changes a filter asks to hear."""
    return frozenset(kind for kind, flag in FLAGS.items() if within(wanted, flag) is True)


def _uris(given: Json) -> list[str]:
    if not isinstance(given, list) or len(given) > MOST_RESOURCES:
        raise MalformedError(INVALID_PARAMS, f"resourceSubscriptions must be a list of at most {MOST_RESOURCES} URIs")
    uris = [uri for uri in given if isinstance(uri, str) and len(uri) <= offers.LONGEST_NAME]
    if len(uris) < len(given):
        raise MalformedError(
            INVALID_PARAMS, f"resourceSubscriptions must be URIs of up to {offers.LONGEST_NAME} characters"
        )
    return list(dict.fromkeys(uris))


def _narrowed(session: Session, request: Request, wanted: dict[str, Json], uris: list[str], now: int) -> list[Output]:
    """Judge each resource. The row of the last that is let through goes with the request, so that the rows of all of
    them are committed before it is forwarded.
    """
    denials: list[Output] = []
    rows: dict[str, Judged] = {}
    for uri in uris:
        call = ReadCall(request, uri, {}, b"{}", b"", "resource")
        decision = offers.decide(session, call, now)
        if decision.outcome == "require_approval" and not session.observing:
            decision = offers.approved_to_read(session, call, decision)
        forwarded = session.forwards(decision)
        event = offers.row(session, call, decision, now, forwarded=forwarded)
        if forwarded:
            rows[uri] = event
        else:
            denials.append(Denied(event, None))
    wanted[_RESOURCES] = [*rows]
    if not rows:
        outputs = forward(session, request, "listen", now)
        session.open[request.id].wants = wants(wanted)
        return [*denials, *outputs]
    call = ReadCall(request, "", {}, b"{}", encode(request.message), "resource")
    session.opened(Open(request.id, "listen", now, request.modern, request.batch, wants=wants(wanted)))
    *others, last = rows.values()
    along = tuple(event.id for event in others)
    return [*denials, *map(Record, others), Admitted(last, call.line, request.id, call, along=along)]

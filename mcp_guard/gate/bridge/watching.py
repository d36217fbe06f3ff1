"""A legacy client's `resources/subscribe` and its changed lists, by `subscriptions/listen` (2026-07-28,
"Subscriptions").

One subscription of the guard's hears of changed lists, one more for each resource that the client watches. The client
hears of their notices without the tag that says which subscription they are for.
"""

from mcp_guard.gate.bridge import errors, members
from mcp_guard.gate.bridge.client_link import ClientLink, Say, Step
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.subscriptions import LISTS, MAX_RESOURCES
from mcp_guard.gate.bridge.wanted import Wanted
from mcp_guard.gate.messages import INTERNAL_ERROR, INVALID_PARAMS, RequestId
from mcp_guard.policy.values import Json

_FIRST_PAUSE, _LONGEST_PAUSE = 5_000_000, 300_000_000  # microseconds before a subscription that ended is opened again
_TOO_MANY = f"mcp-guard: more than {MAX_RESOURCES} resources are watched"
_NOT_HONOURED = "mcp-guard: the server does not watch this resource"


def listen(link: ClientLink) -> list[Step]:
    """Hear of changed lists, as far as the upstream has any. The guard itself tells of changed tools."""
    link.listen_at = 0
    wanted: dict[str, Json] = {
        name: True
        for name, capability in LISTS.values()
        if isinstance(link.offered.get(capability), dict)
        and (capability == "tools" or _changes(link.offered[capability]))
    }
    if not wanted:
        return []
    subscription = Wanted("", "subscriptions/listen", "listen")
    say = link.request("subscriptions/listen", {"notifications": members.raw(wanted)}, subscription)
    link.listening = subscription.gate_id
    return [say]


def _changes(capability: Json) -> bool:
    return isinstance(capability, dict) and capability.get("listChanged") is True


def ended(link: ClientLink, now: int) -> list[Step]:
    """The upstream ended the subscription to changed lists: try again, ever more seldom."""
    link.listening = None
    link.listen_pause = min(max(_FIRST_PAUSE, 2 * link.listen_pause), _LONGEST_PAUSE)
    link.listen_at = now + link.listen_pause
    return []


def watch(link: ClientLink, wanted: Wanted, params: Members) -> list[Step]:
    """The client wants to hear of a resource."""
    uri = members.text_of(params, "uri")
    if uri is None:
        return [*link.fail(wanted, INVALID_PARAMS, "uri must be a string")]
    known = link.watched.get(uri)
    if known is not None and known.settled:
        return [*link.give(wanted, {})]
    if known is not None or len(link.watched) >= MAX_RESOURCES:
        return [*link.fail(wanted, INTERNAL_ERROR, _TOO_MANY if known is None else "mcp-guard: already asked for")]
    wanted.kind, wanted.uri = "watch", uri
    link.watched[uri] = wanted
    return [link.request("subscriptions/listen", _filter(uri), wanted)]


def unwatch(link: ClientLink, wanted: Wanted, params: Members) -> list[Step]:
    """The client does not want to hear of a resource any more."""
    uri = members.text_of(params, "uri")
    reply: list[Step] = [*link.give(wanted, {})]
    watched = link.watched.get(uri) if uri is not None else None
    return [*reply, *stop(link, watched)] if watched is not None and watched.settled else reply


def stop(link: ClientLink, watched: Wanted) -> list[Step]:
    """End the subscription to a resource."""
    link.watched.pop(watched.uri, None)
    gate_id = watched.gate_id
    link.book.close(watched)
    return [] if gate_id is None else [cancelled(gate_id)]


def cancelled(gate_id: RequestId) -> Say:
    """The guard's own cancellation of a request."""
    return Say(members.up(members.message("notifications/cancelled", {"requestId": gate_id})))


def acknowledged(link: ClientLink, watched: Wanted, params: Members) -> list[Step]:
    """The upstream says what it honours: the client's `resources/subscribe` is answered."""
    honoured = members.plain(params.get("notifications"))
    uris = honoured.get("resourceSubscriptions") if isinstance(honoured, dict) else None
    if watched.settled:
        return []
    if isinstance(uris, list) and watched.uri in uris:
        watched.settled = True
        gate_id = watched.gate_id
        reply = link.give(watched, {})
        if gate_id is not None:
            link.book.add(watched, gate_id)
        return [*reply]
    stopped = stop(link, watched)
    return [*link.fail(watched, INVALID_PARAMS, _NOT_HONOURED), *stopped]


def refused(link: ClientLink, watched: Wanted, message: Members) -> list[Step]:
    """The subscription to a resource ended: before it was acknowledged, the client hears why."""
    link.watched.pop(watched.uri, None)
    if watched.settled:
        return []
    if "error" not in message:
        return [*link.fail(watched, INTERNAL_ERROR, _NOT_HONOURED)]
    error = errors.legacy("resources/subscribe", message["error"])
    return [*link.reply(watched, members.down({"jsonrpc": "2.0", "id": watched.id, "error": error}))]


def _filter(uri: str) -> Members:
    return {"notifications": members.raw({"resourceSubscriptions": [uri]})}

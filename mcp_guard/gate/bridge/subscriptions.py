"""A modern client's subscriptions on a legacy upstream (2026-07-28, "Subscriptions"; 2025-11-25, "Resources").

A legacy upstream tells of changed lists to whoever is connected, and of a resource to whoever sent it
`resources/subscribe`. Here each subscription gets what it asked for: first the acknowledgment, once the upstream has
said which of the resources it honours, then every notice that it wants, tagged with its id.
"""

from collections.abc import Iterator

import msgspec

from mcp_guard.gate.bridge.members import Members, down, is_id, message, plain, raw, read, text_of
from mcp_guard.gate.connection import SUBSCRIPTION_META
from mcp_guard.gate.messages import RequestId
from mcp_guard.policy.values import Json

MAX_RESOURCES = 1_000  # resources that the subscriptions of one connection may watch
PATIENCE = 5_000_000  # microseconds that an upstream has to say whether it honours a resource

LISTS = {  # a notice of the upstream's, the member of the filter that asks for it, the capability that promises it
    "notifications/prompts/list_changed": ("promptsListChanged", "prompts"),
    "notifications/resources/list_changed": ("resourcesListChanged", "resources"),
    "notifications/tools/list_changed": ("toolsListChanged", "tools"),
}


class Subscription(msgspec.Struct):
    """One `subscriptions/listen` of the client's. `asked` are the resources that the upstream has not answered for."""

    id: RequestId
    lists: list[str]
    resources: list[str]
    asked: set[str]
    deadline: int
    acknowledged: bool = False


class Subscriptions:
    """The subscriptions of one connection. `capabilities` are the upstream's."""

    def __init__(self, capabilities: dict[str, Json]) -> None:
        self._capabilities = capabilities
        self._open: dict[RequestId, Subscription] = {}
        self._watched: dict[str, set[RequestId]] = {}  # by URI: who wants to hear of it
        self._standing: set[str] = set()  # the URIs that the upstream has agreed to watch

    def begin(self, request_id: RequestId, wanted: Json, now: int) -> list[str]:
        """A client listens; gives the resources that the upstream is to be asked to watch."""
        filter = wanted if isinstance(wanted, dict) else {}
        lists = [
            name
            for name, capability in LISTS.values()
            if filter.get(name) is True and self._promises(capability, "listChanged")
        ]
        subscription = Subscription(request_id, lists, [], set(), now + PATIENCE)
        self._open[request_id] = subscription
        if not self._promises("resources", "subscribe"):
            return []
        uris = dict.fromkeys(_texts(filter.get("resourceSubscriptions")))
        return [uri for uri in uris if self._watch(subscription, uri)]

    def _watch(self, subscription: Subscription, uri: str) -> bool:
        """Add a resource to a subscription. Gives whether the upstream has to be asked for it."""
        if uri not in self._watched and len(self._watched) >= MAX_RESOURCES:
            return False
        new = uri not in self._watched
        self._watched.setdefault(uri, set()).add(subscription.id)
        if uri in self._standing:
            subscription.resources.append(uri)
        else:
            subscription.asked.add(uri)
        return new

    def answered(self, uri: str, *, honoured: bool) -> None:
        """The upstream has said whether it watches a resource."""
        for request_id in self._watched.get(uri, ()):
            subscription = self._open[request_id]
            subscription.asked.discard(uri)
            if honoured and not subscription.acknowledged:
                subscription.resources.append(uri)
        if not honoured:
            self._watched.pop(uri, None)
        elif uri in self._watched:
            self._standing.add(uri)

    def ready(self, now: int) -> list[bytes]:
        """The acknowledgments that can be sent now: all is answered, or the upstream took too long."""
        lines: list[bytes] = []
        for subscription in self._open.values():
            if not subscription.acknowledged and (not subscription.asked or subscription.deadline <= now):
                subscription.acknowledged = True
                lines.append(_acknowledgment(subscription))
        return lines

    def end(self, request_id: RequestId) -> list[str] | None:
        """A client listens no more; gives the resources that nobody watches any more. None: it never did."""
        subscription = self._open.pop(request_id, None)
        if subscription is None:
            return None
        unwatched: list[str] = []
        for uri, watchers in list(self._watched.items()):
            watchers.discard(request_id)
            if not watchers:
                del self._watched[uri]
                self._standing.discard(uri)
                unwatched.append(uri)
        return unwatched

    def notices(self, members: Members, params: Members) -> Iterator[bytes]:
        """A notice of the upstream's, once for each subscription that wants it."""
        method = text_of(members, "method") or ""
        for subscription in self._open.values():
            if subscription.acknowledged and self._wants(subscription, method, params):
                meta = {**(read(params.get("_meta")) or {}), SUBSCRIPTION_META: raw(subscription.id)}
                yield down({**members, "params": {**params, "_meta": meta}})

    def _wants(self, subscription: Subscription, method: str, params: Members) -> bool:
        if method in LISTS:
            return LISTS[method][0] in subscription.lists
        uri = plain(params.get("uri"))
        return isinstance(uri, str) and any(_within(uri, one) for one in subscription.resources)

    def _promises(self, capability: str, what: str) -> bool:
        offered = self._capabilities.get(capability)
        return isinstance(offered, dict) and offered.get(what) is True


def subscription_of(params: Members | None) -> RequestId | None:
    """The subscription that a notice was sent for."""
    meta = read(params.get("_meta")) if params else None
    value = plain(meta.get(SUBSCRIPTION_META)) if meta else None
    return value if is_id(value) else None


def _acknowledgment(subscription: Subscription) -> bytes:
    honoured: dict[str, Json] = dict.fromkeys(subscription.lists, True)
    if subscription.resources:
        honoured["resourceSubscriptions"] = list(subscription.resources)
    params = {"_meta": {SUBSCRIPTION_META: subscription.id}, "notifications": honoured}
    return down(message("notifications/subscriptions/acknowledged", params))


def _texts(value: Json) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _within(uri: str, watched: str) -> bool:
    """A notice may be about a sub-resource of the one that is watched (2026-07-28, "Resources: Subscriptions")."""
    return uri == watched or uri.startswith(watched.rstrip("/") + "/")

"""`subscriptions/listen` (2026-07-28, "Subscriptions"): one of the client's, and for it one at each server.

The hub acknowledges it when the servers have, or time is up; nothing is sent on it before. A server's notices come
under the id of the hub's own request and leave under that of the client's. List changes are always honoured: the hub
sends them itself when a server comes or goes.
"""

from functools import partial

from mcp_guard.gate import subscriptions
from mcp_guard.gate.answers import LISTS
from mcp_guard.gate.connection import SUBSCRIPTION_META
from mcp_guard.gate.hub import messages, routes
from mcp_guard.gate.hub.arm import Arm
from mcp_guard.gate.hub.desk import Desk, lasting_meta
from mcp_guard.gate.hub.messages import Head
from mcp_guard.gate.hub.under_way import LISTED, Subscription
from mcp_guard.gate.messages import INTERNAL_ERROR, RequestId, within
from mcp_guard.gate.requests import Request
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Json

FLAGS = {f"notifications/{LISTS[kind]}/list_changed": flag for kind, flag in subscriptions.FLAGS.items()}
MAX_SUBSCRIPTIONS = 1_024
MAX_BYTES = 16 * 1024 * 1024  # of all that ask for them
MAX_RESOURCES = 1_000  # of one of them
MAX_EARLY = 256  # notices kept until the acknowledgment


def tagged(method: str, params: dict[str, Json], subscription: RequestId) -> bytes:
    """A notice that belongs to a subscription."""
    meta = params.get("_meta")
    mine = {**(meta if isinstance(meta, dict) else {}), SUBSCRIPTION_META: subscription}
    return messages.notification(method, {**params, "_meta": mine})


def begin(desk: Desk, request: Request, now: int) -> None:
    """The client subscribes: so does the hub, at each server that is ready."""
    size = len(encode(request.message))
    open_size = sum(one.size for one in desk.subscriptions.values())
    if len(desk.subscriptions) >= MAX_SUBSCRIPTIONS or open_size + size > MAX_BYTES:
        limit = f"more than {MAX_SUBSCRIPTIONS} subscriptions, or {MAX_BYTES} bytes of them"
        desk.fail(request.id, INTERNAL_ERROR, f"{limit}, would be open")
        return
    subscription = Subscription(request, size, lasting_meta(request.params), now + desk.patience.wait)
    desk.subscriptions[request.id] = subscription
    for arm in desk.arms.values():
        if arm.standing == "ready":
            _subscribe(desk, subscription, arm, now)
    if not subscription.waiting:
        _acknowledge(desk, subscription)


def join(desk: Desk, arm: Arm, now: int) -> None:
    """A server is ready: subscribe there for every subscription of the client's."""
    for subscription in desk.subscriptions.values():
        _subscribe(desk, subscription, arm, now)


def _subscribe(desk: Desk, subscription: Subscription, arm: Arm, now: int) -> None:
    params: dict[str, Json] = {"notifications": _part(desk, subscription, arm)}
    if subscription.meta:
        params["_meta"] = subscription.meta
    if not subscription.acknowledged and not arm.overdue:
        subscription.waiting.add(arm.slug)
    request_id = desk.ask(arm, "subscriptions/listen", params, partial(_ended, desk, subscription), now)
    subscription.asks[arm.slug] = request_id


def _part(desk: Desk, subscription: Subscription, arm: Arm) -> Json:
    """What of the client's wishes is for this server: its own resources and tasks, and all else."""
    part: dict[str, Json] = dict(subscription.wanted)
    uris, tasks = (part.get(name) for name in LISTED)
    if isinstance(uris, list):
        part["resourceSubscriptions"] = [
            uri for uri in uris if isinstance(uri, str) and _owner(desk, subscription, uri) == arm.slug
        ]
    if isinstance(tasks, list):
        part["taskIds"] = [task for task in tasks if desk.tasks.get(task) == arm.slug]
    return part


def _owner(desk: Desk, subscription: Subscription, uri: str) -> str | None:
    """The server that is asked to tell of a resource: the same one as long as the subscription lasts."""
    if uri not in subscription.owners and (arm := routes.located(desk, uri)) is not None:
        subscription.owners[uri] = arm.slug
    return subscription.owners.get(uri)


def _ended(desk: Desk, subscription: Subscription, arm: Arm, head: Head, now: int) -> None:
    """A server has ended its part, or cannot do it. The client's subscription lives on: there are the others."""
    subscription.asks.pop(arm.slug, None)
    _settled(desk, subscription, arm.slug)


def _settled(desk: Desk, subscription: Subscription, slug: str) -> None:
    subscription.waiting.discard(slug)
    if not subscription.waiting:
        _acknowledge(desk, subscription)


def notice(desk: Desk, subscription: Subscription, line: bytes) -> None:
    """Send a notice of a subscription, or keep it until that has been acknowledged."""
    if subscription.acknowledged:
        desk.reply(line)
    elif len(subscription.early) < MAX_EARLY and line not in subscription.early:
        subscription.early.append(line)


def _acknowledge(desk: Desk, subscription: Subscription) -> None:
    """Tell the client what it will hear of, and then what it should have heard by now."""
    if subscription.acknowledged:
        return
    subscription.acknowledged = True
    wanted = subscription.wanted
    honoured: dict[str, Json] = {flag: True for flag in FLAGS.values() if wanted.get(flag) is True}
    honoured |= {name: subscription.agreed[name] for name in LISTED if name in wanted}
    params: dict[str, Json] = {"notifications": honoured}
    desk.reply(tagged("notifications/subscriptions/acknowledged", params, subscription.id))
    for line in subscription.early:
        desk.reply(line)
    subscription.early.clear()


# What servers say


def owner(desk: Desk, arm: Arm, params: dict[str, Json]) -> Subscription | None:
    """The subscription that a notice of a server's belongs to."""
    tag = within(params, "_meta", SUBSCRIPTION_META)
    return next((one for one in desk.subscriptions.values() if tag and one.asks.get(arm.slug) == tag), None)


def asked_under(desk: Desk, arm: Arm, request_id: RequestId) -> RequestId:
    """The client's subscription behind a request of the hub's own; any other id as it is."""
    found = (one.id for one in desk.subscriptions.values() if one.asks.get(arm.slug) == request_id)
    return next(found, request_id)


def acknowledged(desk: Desk, arm: Arm, params: dict[str, Json]) -> None:
    """A server says what it will tell of."""
    subscription, honoured = owner(desk, arm, params), params.get("notifications")
    if subscription is None:
        return
    part = _part(desk, subscription, arm)
    for name in LISTED:
        mine = part.get(name) if isinstance(part, dict) else None
        agreed = honoured.get(name) if isinstance(honoured, dict) else None
        if isinstance(agreed, list) and isinstance(mine, list):
            subscription.agreed[name] += [one for one in mine if one in agreed]
    _settled(desk, subscription, arm.slug)


def withdrawn(desk: Desk, arm: Arm, request_id: Json) -> bool:
    """A server ends its part by cancelling the hub's request. Gives whether it was one."""
    for subscription in desk.subscriptions.values():
        if request_id is not None and subscription.asks.get(arm.slug) == request_id:
            arm.asks.pop(subscription.asks.pop(arm.slug), None)
            _settled(desk, subscription, arm.slug)
            return True
    return False


# The end


def end(desk: Desk, request_id: RequestId, params: dict[str, Json], now: int) -> bool:
    """The client cancels a subscription. Gives whether there was one."""
    subscription = desk.subscriptions.pop(request_id, None)
    if subscription is None:
        return False
    for slug, own_id in subscription.asks.items():
        arm = desk.arms[slug]
        arm.asks.pop(own_id, None)
        desk.notify(arm, "notifications/cancelled", {**params, "requestId": own_id}, now)
    return True


def arm_gone(desk: Desk, arm: Arm) -> None:
    """A server is gone, and its part of every subscription with it."""
    for subscription in desk.subscriptions.values():
        subscription.asks.pop(arm.slug, None)
        _settled(desk, subscription, arm.slug)


def expire(desk: Desk, now: int) -> None:
    """Acknowledge what is overdue with what has been agreed so far."""
    for subscription in desk.subscriptions.values():
        if not subscription.acknowledged and now >= subscription.deadline:
            subscription.waiting.clear()
            _acknowledge(desk, subscription)

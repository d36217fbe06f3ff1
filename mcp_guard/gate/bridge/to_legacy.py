"""What the gate lets go upstream, in a legacy upstream's words: the tables below say which method needs what.

Everything else goes on with the modern envelope taken off. What the legacy era has no words for is answered here.
"""

from collections.abc import Callable

from mcp_guard.gate.bridge import levels, members, questions, results
from mcp_guard.gate.bridge.bound import Bound, Step, read_bound
from mcp_guard.gate.bridge.eras import MODERN_VERSION, UNSUPPORTED_VERSION
from mcp_guard.gate.bridge.errands import Errand
from mcp_guard.gate.bridge.from_legacy import deliver
from mcp_guard.gate.bridge.link import Link
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.tokens import digest
from mcp_guard.gate.connection import CAPABILITIES_META, CLIENT_META, PROTOCOL_META
from mcp_guard.gate.messages import INVALID_PARAMS, METHOD_NOT_FOUND
from mcp_guard.gate.outputs import Admitted, Forward

_ENVELOPE = (PROTOCOL_META, CLIENT_META, CAPABILITIES_META, levels.LEVEL_META)
_RETRY = ("inputResponses", "requestState")


def carry(link: Link, output: Forward | Admitted, now: int) -> list[Step]:
    """Turn one output of the gate's into what goes upstream for it, and what is answered instead."""
    message = members.read(output.line) or {}
    bound = read_bound(output, message)
    if bound is None:
        return _notify(link, message)
    version = members.plain(bound.meta.get(PROTOCOL_META))
    if version is None and bound.method != "initialize":  # with which a client of both eras turns to the other one
        return bound.failed(INVALID_PARAMS, f"params._meta needs {PROTOCOL_META}")
    if version is not None and version != MODERN_VERSION:
        data = {"supported": [MODERN_VERSION], "requested": version}
        return bound.failed(UNSUPPORTED_VERSION, "Unsupported protocol version", data)
    return _REQUESTS.get(bound.method, _send)(link, bound, now)


# Requests


def _send(link: Link, bound: Bound, now: int) -> list[Step]:
    """Take the envelope off, and send the request on."""
    level = members.plain(bound.meta.get(levels.LEVEL_META))
    rank = levels.rank(level)
    if level is not None and rank is None:
        return bound.failed(INVALID_PARAMS, "Invalid log level")
    errand = _errand(link, bound, rank)
    link.errands.add(errand)
    message = {**bound.message, "id": members.raw(errand.upstream_id)}
    params = _bare(bound.params, bound.meta)
    if params:
        message["params"] = members.raw(params)
    else:
        message.pop("params", None)
    return [*_set_level(link, rank), bound.carrying(members.up(message))]


def _errand(link: Link, bound: Bound, rank: int | None) -> Errand:
    offered = members.plain(bound.meta.get(CAPABILITIES_META))
    offered = offered if isinstance(offered, dict) else {}
    askable = bound.method in results.INTERACTIVE and any(name in offered for name in questions.CAPABILITY.values())
    token = members.plain(bound.meta.get("progressToken"))
    token = token if members.is_id(token) else None
    return Errand(
        upstream_id=link.errands.free_id(bound.id),
        asked_under=bound.id,
        last=bound.id,
        method=bound.method,
        digest=digest(bound.method, bound.params) if askable else b"",
        capabilities=offered,
        level=rank,
        token=token,
        upstream_token=token,
    )


def _interactive(link: Link, bound: Bound, now: int) -> list[Step]:
    """A request that may be asked back about, or the retry of one that was."""
    if not any(name in bound.params for name in _RETRY):
        return _send(link, bound, now)
    steps = link.asking.retry(bound, now)
    if steps is None:
        return _send(link, bound, now)
    errand = link.errands.by_client.get(bound.id)
    if errand is None:
        return steps
    errand.level = levels.rank(members.plain(bound.meta.get(levels.LEVEL_META)))
    if errand.answer is not None:
        return steps + deliver(link, errand, errand.answer, now)
    return _set_level(link, errand.level) + steps


def _initialize(link: Link, bound: Bound, now: int) -> list[Step]:
    """The client speaks both eras and has given the modern one up: the upstream's handshake becomes its own."""
    steps = bound.answered(link.initialized)
    link.fall_back()
    return steps


def _discover(link: Link, bound: Bound, now: int) -> list[Step]:
    return bound.answered(link.discovered)


def _listen(link: Link, bound: Bound, now: int) -> list[Step]:
    """Ask the upstream to watch the resources; acknowledge when it has answered for all of them."""
    uris = link.subscriptions.begin(bound.id, members.plain(bound.params.get("notifications")), now)
    if not uris:
        return [*bound.kept_back(), *link.acknowledge(now)]
    first, *others = [_watch(link, uri) for uri in uris]
    if isinstance(bound.output, Forward):
        return [first, *others]
    link.after_row[bound.id] = [*others]
    return [bound.carrying(first.line)]


def _watch(link: Link, uri: str) -> Forward:
    def answered(message: Members) -> None:
        link.subscriptions.answered(uri, honoured="result" in message)

    return link.ask("resources/subscribe", {"uri": uri}, answered)


def _removed(link: Link, bound: Bound, now: int) -> list[Step]:
    """A method that the modern era does not have: a modern server would not know it either."""
    return bound.failed(METHOD_NOT_FOUND, f"Method not found: {bound.method} is not part of {MODERN_VERSION}")


def _no_tasks(link: Link, bound: Bound, now: int) -> list[Step]:
    return bound.failed(METHOD_NOT_FOUND, "Method not found: mcp-guard does not carry tasks between protocol eras")


def _set_level(link: Link, rank: int | None) -> list[Step]:
    """Tell the upstream the level that is wanted now: the least severe that any open request asks for."""
    if rank is None or not isinstance(link.offered.get("logging"), dict):
        return []
    wanted = min((one.level for one in link.errands.by_client.values() if one.level is not None), default=rank)
    if wanted == link.level:
        return []
    link.level = wanted
    return [link.ask("logging/setLevel", {"level": levels.LEVELS[wanted]})]


def _bare(params: Members, meta: Members) -> Members:
    """Params without what only the modern era has."""
    kept = {name: value for name, value in meta.items() if name not in _ENVELOPE}
    bare = {name: value for name, value in params.items() if name != "_meta" and name not in _RETRY}
    if kept:
        bare["_meta"] = members.raw(kept)
    return bare


# Notifications


def _notify(link: Link, message: Members) -> list[Step]:
    method = members.text_of(message, "method")
    if method is None:
        return []  # a response: in the modern era a client has nobody to respond to
    params = members.read(message.get("params"))
    if method == "notifications/cancelled":
        return _cancel(link, message, params or {})
    if params is not None:
        message["params"] = members.raw(_bare(params, members.read(params.get("_meta")) or {}))
    return [Forward(members.up(message))]


def _cancel(link: Link, message: Members, params: Members) -> list[Step]:
    """The client wants no answer: to a request upstream, to one that was asked back about, or to a subscription."""
    request_id = members.plain(params.get("requestId"))
    if not members.is_id(request_id):
        return []
    unwatched = link.subscriptions.end(request_id)
    if unwatched is not None:
        return [link.ask("resources/unsubscribe", {"uri": uri}) for uri in unwatched]
    errand = link.errands.by_client.get(request_id)
    if errand is None:
        suspended = link.errands.asked_last_under(request_id)
        return [] if suspended is None else link.asking.give_up(suspended)
    link.errands.cancel(errand)
    params["requestId"] = members.raw(errand.upstream_id)
    return [Forward(members.up({**message, "params": members.raw(params)}))]


_REQUESTS: dict[str, Callable[[Link, Bound, int], list[Step]]] = {
    "initialize": _initialize,
    "logging/setLevel": _removed,
    "prompts/get": _interactive,
    "resources/read": _interactive,
    "resources/subscribe": _removed,
    "resources/unsubscribe": _removed,
    "server/discover": _discover,
    "subscriptions/listen": _listen,
    "tasks/cancel": _no_tasks,
    "tasks/get": _no_tasks,
    "tasks/list": _removed,
    "tasks/result": _removed,
    "tasks/update": _no_tasks,
    "tools/call": _interactive,
}

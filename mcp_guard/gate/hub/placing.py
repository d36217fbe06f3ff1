"""Requests that are for one server: which one a name, a URI or a reference means, and what that server calls it.

Where the lists have to tell and are not known yet, a request waits for them once (`final` says that it has).
"""

from collections.abc import Mapping

import msgspec

from mcp_guard.gate.answers import LEGACY_NOT_FOUND
from mcp_guard.gate.hub import listen, lists, routes
from mcp_guard.gate.hub.arm import Arm
from mcp_guard.gate.hub.desk import Desk, shown
from mcp_guard.gate.messages import INVALID_PARAMS, MalformedError
from mcp_guard.gate.requests import Request
from mcp_guard.policy.values import Json


def by_name(desk: Desk, request: Request, now: int, final: bool) -> None:
    """`tools/call` and `prompts/get`: to the server whose name it carries, under that server's own name for it."""
    method = "tools/list" if request.method == "tools/call" else "prompts/list"
    name = request.params.get("name")
    if not isinstance(name, str):
        raise MalformedError(INVALID_PARAMS, "params.name must be a string")
    found = routes.named(desk, method, name)
    if found is None and not desk.naming.prefixed and not final and not lists.settled(desk, [method]):
        lists.hold(desk, request, [method], now)
    elif found is None:
        what = "tool" if method == "tools/list" else "prompt"
        desk.rejected("client", f"`{shown(name)}`: no server behind the guard has such a {what}", 0, now)
        desk.fail(request.id, INVALID_PARAMS, f"Unknown {what}: {shown(name)}")
    else:
        arm, own = found
        desk.send(_with(request, {"name": own}), arm, now)


def by_uri(desk: Desk, request: Request, now: int, final: bool) -> None:
    """`resources/read`, `resources/subscribe` and its undoing: to the server that the URI belongs to."""
    uri = request.params.get("uri")
    if not isinstance(uri, str):
        raise MalformedError(INVALID_PARAMS, "params.uri must be a string")
    arm = _subscribed_at(desk, request, uri) or routes.located(desk, uri)
    if not final and not _listed(desk, arm, uri) and not lists.settled(desk, routes.URI_LISTS):
        lists.hold(desk, request, routes.URI_LISTS, now)
    elif arm is None:
        code = INVALID_PARAMS if request.modern else LEGACY_NOT_FOUND
        desk.fail(request.id, code, f"Resource not found: no server behind mcp-guard lists {shown(uri)}")
    else:
        if request.method == "resources/subscribe":
            desk.subscribe(uri, arm)
        elif request.method == "resources/unsubscribe":
            desk.subscribed.pop(uri, None)
        desk.send(request, arm, now)


def _subscribed_at(desk: Desk, request: Request, uri: str) -> Arm | None:
    slug = desk.subscribed.get(uri) if request.method == "resources/unsubscribe" else None
    return None if slug is None else desk.arms[slug]


def _listed(desk: Desk, arm: Arm | None, uri: str) -> bool:
    """Whether it is certain where a URI belongs: the lists name it, or there is only one server."""
    return arm is not None and (routes.alone(desk) is arm or uri in arm.shelves["resources/list"].entries)


def complete(desk: Desk, request: Request, now: int, final: bool) -> None:
    """`completion/complete`: to the server whose prompt or template is being filled in."""
    ref = request.params.get("ref")
    kind, key = (
        (ref.get("type"), ref.get("name" if "name" in ref else "uri")) if isinstance(ref, dict) else (None, None)
    )
    if not isinstance(ref, dict) or not isinstance(key, str) or kind not in ("ref/prompt", "ref/resource"):
        raise MalformedError(INVALID_PARAMS, "params.ref must name a prompt or a resource template")
    method = "prompts/list" if kind == "ref/prompt" else "resources/templates/list"
    found = routes.named(desk, method, key) if kind == "ref/prompt" else _template(desk, key)
    if found is not None:
        arm, own = found
        desk.send(_with(request, {"ref": {**ref, "name" if kind == "ref/prompt" else "uri": own}}), arm, now)
    elif not final and not lists.settled(desk, [method]):
        lists.hold(desk, request, [method], now)
    else:
        desk.fail(request.id, INVALID_PARAMS, "no server behind mcp-guard has this prompt or resource template")


def _template(desk: Desk, key: str) -> tuple[Arm, str] | None:
    arm = routes.alone(desk) or routes.listed(desk, "resources/templates/list", key) or routes.located(desk, key)
    return None if arm is None else (arm, key)


def subscribe(desk: Desk, request: Request, now: int, final: bool) -> None:
    """`subscriptions/listen`: at every server, each for its own resources, once it is known which those are."""
    wanted = request.params.get("notifications")
    uris = wanted.get("resourceSubscriptions") if isinstance(wanted, dict) else None
    named = [uri for uri in uris if isinstance(uri, str)] if isinstance(uris, list) else []
    if len(named) > listen.MAX_RESOURCES:
        raise MalformedError(INVALID_PARAMS, f"more than {listen.MAX_RESOURCES} resources in one subscription")
    unsure = routes.alone(desk) is None and any(routes.listed(desk, "resources/list", uri) is None for uri in named)
    if unsure and not final and not lists.settled(desk, routes.URI_LISTS):
        lists.hold(desk, request, routes.URI_LISTS, now)
    else:
        listen.begin(desk, request, now)


def _with(request: Request, members: Mapping[str, Json]) -> Request:
    """The request with other params in it."""
    params = {**request.params, **members}
    return msgspec.structs.replace(request, params=params, message={**request.message, "params": params})

"""The handshake: the client's with the hub, and the hub's with each server, in the client's name and era.

Legacy (2025-11-25, "Lifecycle"): the hub answers `initialize` once every server that is there has answered its own, or
time is up. Modern (2026-07-28, "Discovery"): a server is asked for its capabilities when it is first spoken to, and
`server/discover` is answered out of that. A server that comes later is announced by list changes.
"""

from functools import partial

import msgspec

from mcp_guard.gate.hub import announcing, listen, lists, merging, messages, polls, waiting
from mcp_guard.gate.hub.arm import Arm
from mcp_guard.gate.hub.desk import Desk, shown, without_token
from mcp_guard.gate.hub.messages import Head
from mcp_guard.gate.hub.under_way import Poll
from mcp_guard.gate.messages import INTERNAL_ERROR, INVALID_REQUEST, MalformedError
from mcp_guard.gate.outputs import Reply
from mcp_guard.gate.requests import Request
from mcp_guard.policy.values import Json

MAX_HELLO = 1024 * 1024  # bytes in which a server may introduce itself
_TOO_MUCH = msgspec.Raw(b'{"code": -32603, "message": "the server says too much of itself"}')
UNSUPPORTED_VERSION = -32022  # 2026-07-28, "Protocol Version Negotiation"


def initialize(desk: Desk, request: Request, now: int) -> None:
    """The legacy client introduces itself: greet every server but the lazy ones, and wait for them."""
    if request.batch is not None:
        raise MalformedError(INVALID_REQUEST, "initialize must not be part of a batch")
    if desk.hello is not None:
        raise MalformedError(INVALID_REQUEST, "initialize was sent before")
    desk.era, desk.hello = "legacy", without_token(request.params)
    desk.client.introduce(request.params.get("clientInfo"), None, desk.policy)
    eager = [arm for arm in desk.arms.values() if not arm.lazy or arm.standing in ("ready", "greeting")]
    expected = {arm.slug for arm in eager if arm.standing not in ("down", "refused")}
    for arm in eager:
        if arm.slug in expected:
            greet(desk, arm, now)
    polls.begin(desk, Poll(request, expected, now + desk.patience.wait, partial(_initialize_answer, desk)), now)


def introduced(desk: Desk, envelope: dict[str, Json], now: int) -> None:
    """A modern request tells who the client is: with the first one, greet the servers that are not lazy."""
    desk.client.introduce_by_envelope(envelope, desk.policy)
    if desk.era:
        return
    desk.era = "modern"
    for arm in desk.arms.values():
        if not arm.lazy:
            desk.want(arm)


def discover(desk: Desk, request: Request, now: int) -> None:
    """The modern client asks what there is: answered once the servers that are being greeted have answered."""
    expected = {arm.slug for arm in desk.arms.values() if _expected(arm)}
    polls.begin(desk, Poll(request, expected, now + desk.patience.wait, partial(_discover_answer, desk)), now)


def _expected(arm: Arm) -> bool:
    return not arm.overdue and (arm.standing == "greeting" or (arm.standing == "idle" and not arm.lazy))


def greet(desk: Desk, arm: Arm, now: int) -> None:
    """Open the connection to a server in the client's name. Before any client has said who it is: nothing."""
    if not desk.era:
        return
    desk.open_gate(arm, now)
    arm.standing, arm.since = "greeting", now
    waiting.owes(desk, arm, waiting.GREETING, now)
    if desk.era == "legacy":
        desk.ask(arm, "initialize", desk.hello or {}, partial(_greeted, desk), now)
    else:
        desk.ask(arm, "server/discover", {"_meta": desk.client.envelope or {}}, partial(_greeted, desk), now)


def _greeted(desk: Desk, arm: Arm, head: Head, now: int) -> None:
    """A server has answered: it is ready, unless it wants nothing to do with this client."""
    if head.result is not msgspec.UNSET and len(bytes(head.result)) > MAX_HELLO:
        head = Head(error=_TOO_MUCH)
    error = messages.fields(head.error)
    if head.result is msgspec.UNSET and (desk.era == "legacy" or error.get("code") == UNSUPPORTED_VERSION):
        arm.standing = "refused"
        arm.how = f"refused the connection: {shown(error.get('message'))}"
        waiting.paid(desk, arm, waiting.GREETING)
        dismiss(desk, arm, now)
        for poll in list(desk.polls):
            polls.answered(desk, poll, arm.slug, head, now)
        return
    arm.hello = messages.fields(head.result)
    found = arm.hello.get("capabilities")
    arm.capabilities = found if isinstance(found, dict) else None if desk.era == "modern" else {}
    arm.standing, arm.failing = "ready", False
    _ready(desk, arm, head, now)
    waiting.paid(
        desk, arm, waiting.GREETING
    )  # not before: what it is asked by now, its first list, is in the same wait


def _ready(desk: Desk, arm: Arm, head: Head, now: int) -> None:
    """Tell a server what it would know by now had it been there from the start, and give it what waited for it.

    Its handshake is done when it has answered, whoever else has not: it is told so at once, and what its gate and the
    hub ask every server for is there when the slowest has answered. Nothing of the client's goes there before the
    client has said as much itself.
    """
    if desk.era == "legacy":
        desk.notify(arm, "notifications/initialized", {}, now)
    if desk.level is not None and arm.has("logging"):
        desk.ask(arm, "logging/setLevel", desk.level, ignore, now)
    for uri, slug in desk.subscribed.items():
        if slug == arm.slug:
            desk.ask(arm, "resources/subscribe", {"uri": uri}, ignore, now)
    listen.join(desk, arm, now)
    _release(desk, arm, now)
    lists.arm_ready(desk, arm, now)
    if desk.era == "legacy" and not desk.greeted:
        lists.ask_ahead(desk, arm, now)
    expected = [poll for poll in desk.polls if arm.slug in poll.waiting]
    for poll in expected:
        polls.answered(desk, poll, arm.slug, head, now)
    if not expected:
        announcing.arm_changed(desk, arm)


def _release(desk: Desk, arm: Arm, now: int) -> None:
    """Send what has waited for a server, unless it waits for the client as well."""
    if not desk.awaits_client:
        for held in arm.release():
            if desk.still(held.request):
                desk.send(held.request, arm, now)


def initialized(desk: Desk, now: int) -> None:
    """The legacy client is ready: servers may ask it things, and have heard of it before."""
    desk.initialized = True
    desk.outbox += [(line.slug, Reply(line.text)) for line in desk.early.requests()]
    for arm in desk.arms.values():
        if arm.standing == "ready":
            _release(desk, arm, now)


def dismiss(desk: Desk, arm: Arm, now: int) -> None:
    """A server will not answer what waits for it to get ready."""
    reason = desk.unreachable(arm, now) or f"the MCP server `{arm.slug}` behind mcp-guard {arm.how}"
    for held in arm.release():
        desk.fail(held.request.id, INTERNAL_ERROR, reason)
    lists.arm_gone(desk, arm, now)


def ignore(arm: Arm, head: Head, now: int) -> None:
    """An answer that changes nothing."""


# What the client gets


def _initialize_answer(desk: Desk, poll: Poll, now: int) -> None:
    """All servers have answered, or time is up. Only where every one has refused is the client refused."""
    if refusal := _refusal(desk, poll):
        desk.hello = None
        desk.answer(poll.request.id, messages.response(poll.request.id, refusal))
        return
    hellos = {arm.slug: arm.hello for arm in desk.arms.values() if arm.hello is not None}
    version = merging.revision((desk.hello or {}).get("protocolVersion"), [_version(one) for one in hellos.values()])
    desk.client.introduce(None, version, desk.policy)
    desk.greeted = True
    result: dict[str, Json] = {"protocolVersion": version, **_merged(desk, hellos), "serverInfo": merging.SERVER_INFO}
    if len(desk.arms) == 1 and hellos:
        (alone,) = hellos.values()
        result = {**alone, "protocolVersion": version, "capabilities": result["capabilities"]}
    desk.answer(poll.request.id, messages.result(poll.request.id, result))
    desk.outbox += [(line.slug, Reply(line.text)) for line in desk.early.notices()]


def _version(hello: dict[str, Json]) -> Json:
    return hello.get("protocolVersion")


def _refusal(desk: Desk, poll: Poll) -> Head | None:
    """The first server's error, where no server has anything else to say, now or later."""
    if any(arm.standing != "refused" for arm in desk.arms.values()):
        return None
    errors = [poll.answers.get(slug) for slug in desk.arms]
    return next((head for head in errors if head is not None), None)


def _discover_answer(desk: Desk, poll: Poll, now: int) -> None:
    if refusal := _refusal(desk, poll):
        desk.answer(poll.request.id, messages.response(poll.request.id, refusal))
        return
    hellos = {arm.slug: arm.hello for arm in desk.arms.values() if arm.hello is not None}
    complete = len(hellos) == len(desk.arms)
    result: dict[str, Json] = {
        "resultType": "complete",
        "supportedVersions": merging.versions([one.get("supportedVersions") for one in hellos.values()]),
        **_merged(desk, hellos),
        "ttlMs": merging.ttl(one.get("ttlMs") for one in hellos.values()) if complete else 0,
        "cacheScope": "private",
        "_meta": {merging.SERVER_META: merging.SERVER_INFO},
    }
    if len(desk.arms) == 1 and hellos:
        (alone,) = hellos.values()
        result = {**alone, **{name: value for name, value in result.items() if name != "_meta"}}
    desk.answer(poll.request.id, messages.result(poll.request.id, result))


def _merged(desk: Desk, hellos: dict[str, dict[str, Json]]) -> dict[str, Json]:
    """Capabilities and instructions of all servers; those that have not said theirs yet may have any."""
    silent = [arm for arm in desk.arms.values() if arm.hello is None and arm.standing != "refused"]
    known = [arm.capabilities for arm in desk.arms.values() if arm.hello is not None]
    merged: dict[str, Json] = {"capabilities": merging.capabilities([*known, *([None] if silent else [])])}
    texts = {slug: text for slug, one in hellos.items() if isinstance(text := one.get("instructions"), str) and text}
    if len(desk.arms) == 1:
        return {**merged, **({"instructions": next(iter(texts.values()))} if texts else {})}
    prefixes = {slug: desk.naming.prefix(slug) for slug in texts}
    return {**merged, **({"instructions": merging.instructions(texts, prefixes)} if texts else {})}

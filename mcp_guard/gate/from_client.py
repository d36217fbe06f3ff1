"""What a client's message makes the guard do: the tables below say which method needs what.

Every request is paired with its answer. A call goes to `calls`; everything else goes upstream as the guard's own
encoding of what was read, unknown methods and members included.
"""

from collections.abc import Callable

from mcp_guard.gate import answers, calls, listing, offer_lists, offers, subscriptions
from mcp_guard.gate.approvals import settling
from mcp_guard.gate.batch import MAX_ELEMENTS, Batch
from mcp_guard.gate.connection import BATCH_PROTOCOL, modern_envelope
from mcp_guard.gate.messages import (
    INVALID_REQUEST,
    PARSE_ERROR,
    MalformedError,
    RequestId,
    classify,
    folded,
    readable_id,
)
from mcp_guard.gate.outputs import Forward, Output
from mcp_guard.gate.requests import ReadCall, Request
from mcp_guard.gate.session import Session, answered, forward, replies
from mcp_guard.gate.wire import UnreadableError, decode, encode
from mcp_guard.policy.values import Json, OfferKind


def receive(session: Session, line: bytes, now: int) -> list[Output]:
    """Take in one line of a client's."""
    try:
        message = decode(line)
    except UnreadableError as error:
        return _malformed(session, None, PARSE_ERROR, str(error), len(line), now)
    if isinstance(message, list) and session.client.protocol == BATCH_PROTOCOL and message:
        if len(message) > MAX_ELEMENTS:
            reason = f"a batch has more than {MAX_ELEMENTS} elements"
            return _malformed(session, None, INVALID_REQUEST, reason, len(line), now)
        return _receive_batch(session, message, len(line), now)
    return _receive_message(session, message, len(line), now, None)


def _receive_message(session: Session, message: Json, size: int, now: int, batch: Batch | None) -> list[Output]:
    try:
        if not isinstance(message, dict):
            raise MalformedError(INVALID_REQUEST, "a message must be a JSON object")
        kind = classify(message)
        if kind == "request":
            return _receive_request(session, message, now, batch)
        if kind == "notification":
            return _receive_notification(session, message, now)
        return _receive_response(session, message, size, now)
    except MalformedError as error:
        return _malformed(session, message, error.code, error.reason, size, now, batch)
    except UnreadableError as error:
        return _malformed(session, message, INVALID_REQUEST, str(error), size, now, batch)


def _malformed(
    session: Session, message: Json, code: int, reason: str, size: int, now: int, batch: Batch | None = None
) -> list[Output]:
    """A JSON-RPC error and an event. The id is the message's own, unless an open request has it."""
    request_id = readable_id(message)
    if request_id in session.open:
        request_id = None
    line = answers.error(request_id, code, reason)
    return [*replies(answered(request_id, batch, line)), *session.rejected("client", reason, size, now)]


def _receive_batch(session: Session, elements: list[Json], size: int, now: int) -> list[Output]:
    """A batch (2025-03-26, "Batching"): its elements go their ways one by one, their answers come back as an array."""
    batch = Batch()
    outputs: list[Output] = []
    for element in elements:
        outputs += _receive_message(session, element, size, now, batch)
    return [*outputs, *replies(batch.close())]


# Requests


def _receive_request(session: Session, message: dict[str, Json], now: int, batch: Batch | None) -> list[Output]:
    request_id: RequestId = message["id"]  # pyright: ignore[reportAssignmentType]  (`classify` has looked at all three)
    method: str = message["method"]  # pyright: ignore[reportAssignmentType]
    params: dict[str, Json] = message.get("params", {})  # pyright: ignore[reportAssignmentType]
    session.refuse_reused(request_id)
    envelope = modern_envelope(params)
    request = Request(request_id, method, params, message, envelope is not None, batch)
    if method != "tools/call":  # of a call, its row sees to it that the registry is still the one it was judged by
        session.refresh(now)
    answer = _REQUESTS.get(method, _pass)
    if envelope is None:
        return answer(session, request, now)
    return _introduced(session, request, envelope, now) + answer(session, request, now)


def _introduced(session: Session, request: Request, envelope: dict[str, Json], now: int) -> list[Output]:
    """The modern era has no handshake: its first request (but a probe) stands for the connection, so list at once."""
    new = session.client.introduce_by_envelope(envelope, session.policy)
    if new:
        session.identity_changed()
    if not new or request.method == "server/discover" or session.tools.running or not session.has_tools:
        return []
    return listing.begin(session, now) if not session.tools.up_to_date else listing.connected(session, now)


def _call(session: Session, request: Request, now: int) -> list[Output]:
    brought = settling.returned(request) if "requestState" in request.params else None
    call = calls.read(request)
    if brought is not None:
        return settling.came_back(session, brought, call, now)
    if calls.judgeable(session, call.tool):
        return [calls.judge(session, call, now)]
    calls.hold(session, call, now)
    return [] if session.tools.running else listing.begin(session, now)


def _get_prompt(session: Session, request: Request, now: int) -> list[Output]:
    return _offer(session, request, "prompt", offers.of_prompt, now)


def _read_resource(session: Session, request: Request, now: int) -> list[Output]:
    return _offer(session, request, "resource", offers.of_resource, now)


def _offer(
    session: Session, request: Request, kind: OfferKind, read: Callable[[Request], ReadCall], now: int
) -> list[Output]:
    """What is asked of a prompt or resource: judged where anything has a say in it, or where a person was asked."""
    brought = settling.returned(request)
    if brought is None and not session.governs(kind):
        return forward(session, request, "other", now)
    call = read(request)
    if brought is not None:
        return settling.came_back(session, brought, call, now)
    return [offers.judge(session, call, now)]


def _initialize(session: Session, request: Request, now: int) -> list[Output]:
    """The legacy era's introduction (2025-11-25, "Lifecycle"). It must not be part of a batch."""
    if request.batch is not None:
        raise MalformedError(INVALID_REQUEST, "initialize must not be part of a batch")
    session.client.capabilities = request.params.get("capabilities")
    if session.client.introduce(request.params.get("clientInfo"), None, session.policy):
        session.identity_changed()
    return forward(session, request, "initialize", now)


def _list(session: Session, request: Request, now: int) -> list[Output]:
    return forward(session, request, "list", now)


def _discover(session: Session, request: Request, now: int) -> list[Output]:
    return forward(session, request, "discover", now)


def _pass(session: Session, request: Request, now: int) -> list[Output]:
    """A method that nothing is decided about: sent on, but for a client that is stopped as a whole."""
    _refuse_near_method(request.method)
    why = None if request.method in _ASKS_FOR_NOTHING else session.stopped(now)
    if why is None:
        return forward(session, request, "other", now)
    denied = replies(answered(request.id, request.batch, answers.denied_request(request.id, why)))
    return [*denied, *session.rejected("client", why, len(encode(request.message)), now)]


def _refuse_near_method(method: str) -> None:
    """Raise MalformedError for a method that a lenient reader could take for one that is judged or filtered."""
    near = folded(method).strip()
    if near in _JUDGED:
        reason = f"the method differs only in case or spaces, or behind a NUL, from {near}"
        raise MalformedError(INVALID_REQUEST, f"{near} needs an id" if method == near else reason)


# Notifications and responses


def _receive_notification(session: Session, message: dict[str, Json], now: int) -> list[Output]:
    method = message["method"]
    assert isinstance(method, str)
    _refuse_near_method(method)  # a call without an id has nobody to answer to, and is still a call
    line = encode(message)
    handle = _NOTIFICATIONS.get(method)
    if handle is None:
        return [Forward(line)] if method in _OF_THE_PROTOCOL else _notify(session, line, now)
    params = message.get("params")
    return handle(session, line, params if isinstance(params, dict) else {}, now)


def _notify(session: Session, line: bytes, now: int) -> list[Output]:
    """A notification that nothing is decided about: as `_pass`."""
    session.refresh(now)
    why = session.stopped(now)
    return [Forward(line)] if why is None else session.rejected("client", why, len(line), now)


def _initialized(session: Session, line: bytes, params: dict[str, Json], now: int) -> list[Output]:
    """The connection stands: now the upstream may be asked for its tools."""
    session.initialized = True
    forward: list[Output] = [Forward(line)]
    if not session.has_tools:
        return forward + listing.none_to_list(session, now)
    return forward if session.tools.running else forward + listing.begin(session, now)


def _cancelled(session: Session, line: bytes, params: dict[str, Json], now: int) -> list[Output]:
    """A request is not waited for any longer. A held call never went upstream, so nobody there hears of it."""
    request_id = params.get("requestId")
    entry = session.open.get(request_id) if isinstance(request_id, int | str) else None
    if entry is None or entry.kind == "own_list":
        return [Forward(line)] if entry is None else []
    if entry.kind == "approval":
        return settling.cancelled(session, entry, now)
    completed = entry.batch.withdraw(entry.id) if entry.batch is not None else None
    if entry.held is not None:
        session.close(entry.id)
        return [*replies(completed), *session.rejected("client", "cancelled before it was judged", len(line), now)]
    session.cancelled(entry)
    return [Forward(line), *replies(completed)]


def _receive_response(session: Session, message: dict[str, Json], size: int, now: int) -> list[Output]:
    """The client answers a request of the upstream's. An answer that nobody waits for goes no further."""
    request_id = message["id"]
    assert isinstance(request_id, int | str)
    waiting = session.approvals.questions.get(request_id)
    if waiting is not None:
        return settling.replied(session, waiting, message, now)
    if request_id not in session.asked:
        return session.rejected("client", "a response to a request that the upstream did not make", size, now)
    line = encode(message)
    session.asked.discard(request_id)
    return [Forward(line)]


_REQUESTS: dict[str, Callable[[Session, Request, int], list[Output]]] = {
    "initialize": _initialize,
    "server/discover": _discover,
    "subscriptions/listen": subscriptions.listen,
    "tools/call": _call,
    "tools/list": _list,
    "prompts/get": _get_prompt,
    "prompts/list": offer_lists.ask,
    "resources/read": _read_resource,
    "resources/subscribe": _read_resource,
    "resources/list": offer_lists.ask,
    "resources/templates/list": offer_lists.ask,
    "completion/complete": offers.complete,
}

_ASKS_FOR_NOTHING = frozenset({"ping", "logging/setLevel", "resources/unsubscribe", "tasks/cancel"})
_OF_THE_PROTOCOL = frozenset({"notifications/progress", "notifications/roots/list_changed"})
_JUDGED = frozenset(_REQUESTS) - {"initialize", "server/discover"}

_NOTIFICATIONS: dict[str, Callable[[Session, bytes, dict[str, Json], int], list[Output]]] = {
    "notifications/cancelled": _cancelled,
    "notifications/initialized": _initialized,
}

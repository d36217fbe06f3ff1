"""What a message of the client's makes the hub do: the tables below say which method goes where.

A request for one server goes there under the client's own id, with the server's own name in it, and is judged by that
server's gate; one for all is the hub's to ask and to answer. What cannot be placed is refused, never guessed.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from mcp_guard.gate import answers
from mcp_guard.gate.batch import MAX_ELEMENTS, Batch
from mcp_guard.gate.connection import BATCH_PROTOCOL, modern_envelope
from mcp_guard.gate.hub import hello, listen, lists, messages, placing, polls, routes
from mcp_guard.gate.hub.desk import Desk, Open, shown, without_token
from mcp_guard.gate.hub.kinds import KINDS
from mcp_guard.gate.hub.under_way import Poll
from mcp_guard.gate.messages import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    MalformedError,
    RequestId,
    classify,
    readable_id,
    within,
)
from mcp_guard.gate.requests import Request
from mcp_guard.gate.session import MAX_OPEN, answered
from mcp_guard.gate.wire import UnreadableError, decode
from mcp_guard.policy.values import Json


def receive(desk: Desk, line: bytes, now: int) -> None:
    """Take in one line of the client's."""
    try:
        message = decode(line)
    except UnreadableError as error:
        _malformed(desk, None, PARSE_ERROR, str(error), len(line), now, None)
        return
    if isinstance(message, list) and desk.client.protocol == BATCH_PROTOCOL and message:
        if len(message) > MAX_ELEMENTS:
            reason = f"a batch has more than {MAX_ELEMENTS} elements"
            _malformed(desk, None, INVALID_REQUEST, reason, len(line), now, None)
            return
        batch = Batch()
        for element in message:
            _receive_message(desk, element, len(line), now, batch)
        if (array := batch.close()) is not None:
            desk.reply(array)
        return
    _receive_message(desk, message, len(line), now, None)


def _receive_message(desk: Desk, message: Json, size: int, now: int, batch: Batch | None) -> None:
    try:
        if not isinstance(message, dict):
            raise MalformedError(INVALID_REQUEST, "a message must be a JSON object")
        kind = classify(message)
        if kind == "request":
            _receive_request(desk, message, now, batch)
        elif kind == "notification":
            _receive_notification(desk, message, now)
        else:
            _receive_response(desk, message, size, now)
    except MalformedError as error:
        _malformed(desk, message, error.code, error.reason, size, now, batch)
    except UnreadableError as error:
        _malformed(desk, message, INVALID_REQUEST, str(error), size, now, batch)


def _malformed(desk: Desk, message: Json, code: int, reason: str, size: int, now: int, batch: Batch | None) -> None:
    """A JSON-RPC error and an event. The id is the message's own, unless an open request has it."""
    request_id = readable_id(message)
    if request_id in desk.open:
        request_id = None
    if (line := answered(request_id, batch, answers.error(request_id, code, reason))) is not None:
        desk.reply(line)
    desk.rejected("client", reason, size, now)


# Requests


def _receive_request(desk: Desk, message: dict[str, Json], now: int, batch: Batch | None) -> None:
    request_id, method, params = message["id"], message["method"], message.get("params", {})
    assert isinstance(request_id, int | str)
    assert isinstance(method, str)
    assert isinstance(params, dict)
    _refuse_id(desk, request_id)
    envelope = modern_envelope(params)
    request = Request(request_id, method, params, message, envelope is not None, batch)
    desk.open[request_id] = Open(request_id, method, batch)
    if batch is not None:
        batch.expect(request_id)
    try:
        if envelope is not None:
            hello.introduced(desk, envelope, now)
        _route(desk, request, now, final=False)
    except (MalformedError, UnreadableError):
        desk.open.pop(request_id, None)
        raise


def _refuse_id(desk: Desk, request_id: RequestId) -> None:
    """Raise MalformedError where an answer under this id could be taken for another's."""
    if request_id in desk.open:
        raise MalformedError(INVALID_REQUEST, "the id belongs to a request that is still open")
    if len(desk.open) >= MAX_OPEN:
        raise MalformedError(INVALID_REQUEST, f"more than {MAX_OPEN} requests are open")
    if isinstance(request_id, str) and request_id.startswith(messages.OWN):
        raise MalformedError(INVALID_REQUEST, f"an id must not begin with {messages.OWN}")


def resume(desk: Desk, request: Request, now: int) -> None:
    """A request that has waited for lists goes on, with what is known by now."""
    if not desk.still(request):
        return
    try:
        _route(desk, request, now, final=True)
    except (MalformedError, UnreadableError) as error:
        reason = error.reason if isinstance(error, MalformedError) else str(error)
        desk.fail(request.id, INVALID_PARAMS, reason)


def _route(desk: Desk, request: Request, now: int, *, final: bool) -> None:
    """Send a request on its way. `final`: it has waited for lists already, and does not do so again."""
    if not desk.era and request.method not in ("initialize", "ping"):
        raise MalformedError(INVALID_REQUEST, "initialize has not been sent")
    placed = _PLACED.get(request.method)
    if placed is None:
        _REQUESTS.get(request.method, _unknown)(desk, request, now)
    else:
        placed(desk, request, now, final)


def _ping(desk: Desk, request: Request, now: int) -> None:
    desk.answer(request.id, messages.result(request.id, {"resultType": "complete"} if request.modern else {}))


def _set_level(desk: Desk, request: Request, now: int) -> None:
    """`logging/setLevel` is for every server, and for those that come later."""
    params = desk.level = without_token(request.params)
    arms = [arm for arm in desk.arms.values() if arm.standing == "ready" and arm.has("logging")]
    expected = {arm.slug for arm in arms if not arm.overdue}
    poll = Poll(request, expected, now + desk.patience.wait, partial(_level_set, desk))
    for arm in arms:
        desk.ask(
            arm,
            request.method,
            params,
            lambda arm, head, now: polls.answered(desk, poll, arm.slug, head, now),
            now,
        )
    polls.begin(desk, poll, now)


def _level_set(desk: Desk, poll: Poll, now: int) -> None:
    """Done, unless every server that answered has refused."""
    heads = [head for slug in desk.arms if (head := poll.answers.get(slug)) is not None]
    line = messages.result(poll.request.id, {})
    if heads and all(head.error is not msgspec.UNSET for head in heads):
        line = messages.response(poll.request.id, heads[0])
        desk.level = None
    desk.answer(poll.request.id, line)


def _task(desk: Desk, request: Request, now: int) -> None:
    """Whatever is about a task goes to the server that has it."""
    arm = routes.with_task(desk, request.params.get("taskId"))
    if arm is None:
        desk.fail(request.id, INVALID_PARAMS, "no server behind mcp-guard has made this task known")
    else:
        desk.send(request, arm, now)


def _unknown(desk: Desk, request: Request, now: int) -> None:
    """A method that the hub does not know: for the only server, or the one whose task it names, else for nobody."""
    arm = routes.with_task(desk, request.params.get("taskId"))
    if arm is not None:
        desk.send(request, arm, now)
        return
    text = f"mcp-guard stands for several servers and cannot tell which of them {shown(request.method)} is meant for"
    desk.fail(request.id, METHOD_NOT_FOUND, text)


# Notifications and responses


def _receive_notification(desk: Desk, message: dict[str, Json], now: int) -> None:
    method, params = message["method"], message.get("params")
    assert isinstance(method, str)
    if method in _REQUESTS or method in _PLACED or not method.startswith("notifications/"):
        raise MalformedError(INVALID_REQUEST, "a request needs an id")
    _NOTIFICATIONS.get(method, _to_all)(desk, message, params if isinstance(params, dict) else {}, now)


def _to_all(desk: Desk, message: dict[str, Json], params: dict[str, Json], now: int) -> None:
    """What is not addressed is for every server."""
    for arm in desk.arms.values():
        if arm.standing == "ready" and not desk.awaits_client:
            desk.tell(arm, message, now)


def _initialized(desk: Desk, message: dict[str, Json], params: dict[str, Json], now: int) -> None:
    hello.initialized(desk, now)


def _cancelled(desk: Desk, message: dict[str, Json], params: dict[str, Json], now: int) -> None:
    """The client does not wait any longer. A request that has gone to a server is cancelled there."""
    request_id = params.get("requestId")
    entry = desk.open.get(request_id) if isinstance(request_id, int | str) else None
    if entry is None or entry.method == "initialize":
        return
    if listen.end(desk, entry.id, params, now):
        del desk.open[entry.id]
    elif entry.slug:
        del desk.open[entry.id]
        desk.tell(desk.arms[entry.slug], message, now)
    else:
        entry.cancelled = True
    if entry.batch is not None and (array := entry.batch.withdraw(entry.id)) is not None:
        desk.reply(array)


def _progress(desk: Desk, message: dict[str, Json], params: dict[str, Json], now: int) -> None:
    """The client reports on a request of a server's."""
    asked = desk.questions.get(params.get("progressToken"))
    if asked is not None and asked.token is not None:
        desk.tell(desk.arms[asked.slug], {**message, "params": {**params, "progressToken": asked.token}}, now)


def _task_status(desk: Desk, message: dict[str, Json], params: dict[str, Json], now: int) -> None:
    """The client reports on a task that a server asked it for."""
    slug = desk.client_tasks.get(params.get("taskId"))
    if slug is not None and desk.arms[slug].standing == "ready":
        desk.tell(desk.arms[slug], message, now)


def _receive_response(desk: Desk, message: dict[str, Json], size: int, now: int) -> None:
    """The client answers a request of a server's: under the id that the server gave it."""
    request_id = message["id"]
    asked = desk.questions.close(request_id) if isinstance(request_id, int | str) else None
    if asked is None:
        desk.rejected("client", "a response to a request that no server made", size, now)
        return
    desk.client_tasks.claim(within(message, "result", "task", "taskId"), asked.slug)
    desk.tell(desk.arms[asked.slug], {**message, "id": asked.id}, now)


_REQUESTS: dict[str, Callable[[Desk, Request, int], None]] = {
    "initialize": hello.initialize,
    "logging/setLevel": _set_level,
    "ping": _ping,
    "server/discover": hello.discover,
    "tasks/cancel": _task,
    "tasks/get": _task,
    "tasks/result": _task,
    "tasks/update": _task,
    **dict.fromkeys(KINDS, lists.ask),
}

_PLACED: dict[str, Callable[[Desk, Request, int, bool], None]] = {
    "completion/complete": placing.complete,
    "prompts/get": placing.by_name,
    "resources/read": placing.by_uri,
    "resources/subscribe": placing.by_uri,
    "resources/unsubscribe": placing.by_uri,
    "subscriptions/listen": placing.subscribe,
    "tools/call": placing.by_name,
}

_NOTIFICATIONS: dict[str, Callable[[Desk, dict[str, Json], dict[str, Json], int], None]] = {
    "notifications/cancelled": _cancelled,
    "notifications/initialized": _initialized,
    "notifications/progress": _progress,
    "notifications/tasks/status": _task_status,
}

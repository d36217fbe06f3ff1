"""What a legacy client says, in the modern era's words: the tables below say which message needs what.

Everything else goes to the gate with the modern envelope put on. What the modern era has no words for is answered here.
"""

from collections.abc import Callable

from mcp_guard.gate import answers
from mcp_guard.gate.batch import Batch
from mcp_guard.gate.bridge import inquiring, levels, members, results, watching
from mcp_guard.gate.bridge.client_link import ClientLink, Say, Step
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.wanted import Wanted
from mcp_guard.gate.connection import BATCH_PROTOCOL, PROTOCOL_META
from mcp_guard.gate.messages import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, RequestId
from mcp_guard.gate.outputs import Reply
from mcp_guard.gate.session import replies

_MODERN_ONLY = ("inputResponses", "requestState", "task")  # params that a legacy request has not, or no longer may have
_REUSED = "the id belongs to a request that is still open"


def receive(link: ClientLink, line: bytes, now: int) -> list[Step]:
    """Take in one line of the client's."""
    if link.version == BATCH_PROTOCOL and line.lstrip()[:1] == b"[":
        elements = members.read_elements(line)
        if elements:
            batch = Batch()
            steps = [step for element in elements for step in _message(link, bytes(element), batch, now)]
            return [*steps, *replies(batch.close())]
    return _message(link, line, None, now)


def _message(link: ClientLink, line: bytes, batch: Batch | None, now: int) -> list[Step]:
    message = members.read(line)
    kind = members.kind_of(message) if message is not None else None
    if message is None or kind is None:
        return [Say(line)]  # the gate says what is wrong with it
    if kind == "request":
        return _request(link, message, line, batch, now)
    return _notification(link, message, line) if kind == "notification" else _response(link, message, line)


# Requests


def _request(link: ClientLink, message: Members, line: bytes, batch: Batch | None, now: int) -> list[Step]:
    request_id, method = members.plain(message["id"]), members.text_of(message, "method")
    params = members.read(message["params"]) if "params" in message else {}
    if not members.is_id(request_id) or method is None or params is None:
        return [Say(line)]  # the gate says what is wrong with it
    if link.book.knows(request_id):
        reused = Reply(answers.error(None, INVALID_REQUEST, _REUSED))
        return [reused, *link.gate.reject("client", _REUSED, len(line), now)]
    wanted = Wanted(request_id, method, batch=batch)
    if batch is not None:
        batch.expect(request_id)
    if PROTOCOL_META in (members.read(params.get("_meta")) or {}):
        wanted.kind = "verbatim"  # it is in the modern era's words already
        link.book.add(wanted, request_id)
        return [Say(line)]
    handle = _REQUESTS.get(method)
    return _send(link, message, wanted, params) if handle is None else handle(link, wanted, params)


def _send(link: ClientLink, message: Members, wanted: Wanted, params: Members) -> list[Step]:
    """Put the envelope on, and let the gate see to it. The first attempt has the client's own id."""
    kept = {name: value for name, value in params.items() if name not in _MODERN_ONLY}
    if wanted.method in results.INTERACTIVE:
        link.book.keep(wanted, kept)
    link.book.add(wanted, wanted.id)
    return [Say(members.up({**message, "params": members.raw(link.enveloped(kept))}))]


def _initialize(link: ClientLink, wanted: Wanted, params: Members) -> list[Step]:
    """The client introduces itself anew."""
    result = link.introduce({name: members.plain(value) for name, value in params.items()})
    return [*link.give(wanted, result)]


def _ping(link: ClientLink, wanted: Wanted, params: Members) -> list[Step]:
    """The modern era has no ping: the guard is there."""
    return [*link.give(wanted, {})]


def _set_level(link: ClientLink, wanted: Wanted, params: Members) -> list[Step]:
    """From the next request on, the envelope says which log messages are wanted."""
    level = members.text_of(params, "level")
    if not isinstance(link.offered.get("logging"), dict):
        return _unknown(link, wanted, params)
    if level is None or levels.rank(level) is None:
        return [*link.fail(wanted, INVALID_PARAMS, "Invalid log level")]
    link.level = level
    return [*link.give(wanted, {})]


def _unknown(link: ClientLink, wanted: Wanted, params: Members) -> list[Step]:
    return [*link.fail(wanted, METHOD_NOT_FOUND, "Method not found")]


def _no_tasks(link: ClientLink, wanted: Wanted, params: Members) -> list[Step]:
    text = "Method not found: mcp-guard does not carry tasks between protocol eras"
    return [*link.fail(wanted, METHOD_NOT_FOUND, text)]


# Notifications and responses


def _notification(link: ClientLink, message: Members, line: bytes) -> list[Step]:
    handle = _NOTIFICATIONS.get(members.text_of(message, "method") or "")
    return [Say(line)] if handle is None else handle(link, message)


def _initialized(link: ClientLink, message: Members) -> list[Step]:
    link.initialized = True
    return watching.listen(link) if link.listening is None else []


def _cancelled(link: ClientLink, message: Members) -> list[Step]:
    """The client wants no answer: what it is asked for it is withdrawn, or the request is, wherever it is."""
    params = members.read(message.get("params")) or {}
    request_id = members.plain(params.get("requestId"))
    wanted = link.book.by_client.get(request_id) if members.is_id(request_id) else None
    if wanted is None:
        return []
    inquiry = link.book.inquiry_for(wanted)
    steps: list[Step] = []
    if inquiry is not None:
        steps = inquiring.withdraw(link, inquiry)
    elif wanted.gate_id is not None:
        params["requestId"] = members.raw(wanted.gate_id)
        steps = [Say(members.up({**message, "params": members.raw(params)}))]
    link.book.cancel(wanted)
    return [*steps, *replies(wanted.batch.withdraw(wanted.id) if wanted.batch is not None else None)]


def _dropped(link: ClientLink, message: Members) -> list[Step]:
    """It has no place in the modern era."""
    return []


def _response(link: ClientLink, message: Members, line: bytes) -> list[Step]:
    """An answer to a question of the guard's; any other is for the gate to refuse."""
    question_id: RequestId | None = members.id_of(message)
    inquiry = link.book.questions.get(question_id) if question_id is not None else None
    return [Say(line)] if inquiry is None else inquiring.answered(link, inquiry, message)


_REQUESTS: dict[str, Callable[[ClientLink, Wanted, Members], list[Step]]] = {
    "initialize": _initialize,
    "logging/setLevel": _set_level,
    "ping": _ping,
    "resources/subscribe": watching.watch,
    "resources/unsubscribe": watching.unwatch,
    "server/discover": _unknown,
    "subscriptions/listen": _unknown,
    "tasks/cancel": _no_tasks,
    "tasks/get": _no_tasks,
    "tasks/list": _no_tasks,
    "tasks/result": _no_tasks,
}

_NOTIFICATIONS: dict[str, Callable[[ClientLink, Members], list[Step]]] = {
    "notifications/cancelled": _cancelled,
    "notifications/initialized": _initialized,
    "notifications/progress": _dropped,
    "notifications/roots/list_changed": _dropped,
}

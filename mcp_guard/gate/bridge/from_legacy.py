"""What a legacy upstream says, in the modern era's words: the tables below say which message needs what.

An answer goes to the request that waits for it now, a question to the client by way of its own request, a notice to the
subscriptions that want it. An answer that nobody asked for, and what is no message, goes no further.
"""

from collections.abc import Callable

from mcp_guard.gate.bridge import errors, levels, members, questions, results
from mcp_guard.gate.bridge.bound import Answer, Step
from mcp_guard.gate.bridge.errands import Errand, Question
from mcp_guard.gate.bridge.link import Link
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.messages import INTERNAL_ERROR, METHOD_NOT_FOUND
from mcp_guard.gate.outputs import Forward, Reply

_NO_ROOM = "mcp-guard: the answer came while the client was being asked, and is too large to be kept"


def hear(link: Link, message: Members, size: int, now: int) -> list[Step]:
    """Take in one message of the upstream's, `size` bytes long."""
    message = members.without_null(message)
    twice = {"result", "error"} <= message.keys() and "method" not in message  # which the gate refuses, for its request
    kind = "response" if twice else members.kind_of(message)
    return _not_a_message(link, message, size, now) if kind is None else _KINDS[kind](link, message, size, now)


def _not_a_message(link: Link, message: Members, size: int, now: int) -> list[Step]:
    return [*link.gate.reject("upstream", "not a JSON-RPC message", size, now)]


# Responses


def _answered(link: Link, message: Members, size: int, now: int) -> list[Step]:
    if link.answered(message):
        return link.acknowledge(now)
    request_id = members.id_of(message)
    errand = None if request_id is None else link.errands.by_upstream.get(request_id)
    if errand is None or errand.answer is not None:
        return [*link.gate.reject("upstream", "a response to a request that nobody made", size, now)]
    if errand.asked_under is not None:
        return deliver(link, errand, message, now)
    if not link.errands.keep(errand, message):
        failure = members.up(members.failure(0, INTERNAL_ERROR, _NO_ROOM))
        link.errands.keep(errand, members.read(failure) or {})
    return []


def deliver(link: Link, errand: Errand, message: Members, now: int) -> list[Step]:
    """The upstream's answer, in the modern era's words, to the request that waits for it now."""
    assert errand.asked_under is not None
    elsewhere = link.asking.send_elsewhere(errand, errors.elicitations(message.get("error")), now)
    if elsewhere:
        return elsewhere
    answer = {**message, "id": members.raw(errand.asked_under)}
    if "result" in answer:
        answer["result"] = results.modern(errand.method, answer["result"], link.server)
    else:
        answer["error"] = errors.modern(errand.method, answer["error"])
    link.errands.drop(errand)
    return [Answer(members.joined(answer))]


# Requests


def _asked(link: Link, message: Members, size: int, now: int) -> list[Step]:
    """The upstream asks: whether anybody is there, or the client, by way of its open request."""
    request_id, method = members.id_of(message), members.text_of(message, "method") or ""
    if request_id is None:
        return [*link.gate.reject("upstream", "a request's id must be a short string or an integer", size, now)]
    if method == "ping":
        return [Forward(members.up(members.result(request_id, {})))]
    if method not in questions.CAPABILITY:
        return [Forward(members.up(members.failure(request_id, METHOD_NOT_FOUND, "Method not found")))]
    question = Question(request_id, method, members.read(message.get("params")) or {})
    return link.asking.ask(question, now)


# Notifications


def _told(link: Link, message: Members, size: int, now: int) -> list[Step]:
    handle = _NOTIFICATIONS.get(members.text_of(message, "method") or "", _pass)
    return handle(link, message, members.read(message.get("params")) or {}, now)


def _pass(link: Link, message: Members, params: Members, now: int) -> list[Step]:
    return [Answer(members.down(message))]


def _drop(link: Link, message: Members, params: Members, now: int) -> list[Step]:
    """It has no place in the modern era, or none from this upstream."""
    return []


def _log(link: Link, message: Members, params: Members, now: int) -> list[Step]:
    """A log message goes to a client that asked for its level in a request that is still open."""
    rank = levels.rank(members.text_of(params, "level"))
    wanted = [errand.level for errand in link.errands.by_client.values() if errand.level is not None]
    return [Answer(members.down(message))] if rank is not None and wanted and rank >= min(wanted) else []


def _progress(link: Link, message: Members, params: Members, now: int) -> list[Step]:
    """Progress of an errand goes under the token of the request that waits for it now."""
    token = members.plain(params.get("progressToken"))
    errand = link.errands.by_token.get(token) if members.is_id(token) else None
    if errand is None:
        return [Answer(members.down(message))]
    if errand.asked_under is None or errand.token is None:
        return []
    params["progressToken"] = members.raw(errand.token)
    return [Answer(members.down({**message, "params": params}))]


def _changed(link: Link, message: Members, params: Members, now: int) -> list[Step]:
    """A notice goes to each subscription that wants it."""
    return [Reply(line) for line in link.subscriptions.notices(message, params)]


def _tools_changed(link: Link, message: Members, params: Members, now: int) -> list[Step]:
    """The gate hears of changed tools whoever else does, and lists them anew."""
    return [*_changed(link, message, params, now), Answer(members.down(message), quiet=True)]


def _withdrawn(link: Link, message: Members, params: Members, now: int) -> list[Step]:
    """The upstream does not want the answer to a question of its own any more."""
    request_id = members.plain(params.get("requestId"))
    if members.is_id(request_id):
        link.asking.withdraw(request_id)
    return []


_KINDS: dict[members.Kind, Callable[[Link, Members, int, int], list[Step]]] = {
    "notification": _told,
    "request": _asked,
    "response": _answered,
}

_NOTIFICATIONS: dict[str, Callable[[Link, Members, Members, int], list[Step]]] = {
    "notifications/cancelled": _withdrawn,
    "notifications/elicitation/complete": _drop,
    "notifications/message": _log,
    "notifications/progress": _progress,
    "notifications/prompts/list_changed": _changed,
    "notifications/resources/list_changed": _changed,
    "notifications/resources/updated": _changed,
    "notifications/subscriptions/acknowledged": _drop,
    "notifications/tasks": _drop,
    "notifications/tasks/status": _drop,
    "notifications/tools/list_changed": _tools_changed,
}

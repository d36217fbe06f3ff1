"""What a server says that its gate has let pass: the tables below say what becomes of it on its way to the client.

An answer is only taken from the server that was asked. What a server says of a thing that belongs to another one, a
task, a progress token, a resource, goes no further.
"""

import re
from collections.abc import Callable

import msgspec

from mcp_guard.gate.connection import SUBSCRIPTION_META
from mcp_guard.gate.hub import announcing, listen, messages, routes
from mcp_guard.gate.hub.arm import Arm
from mcp_guard.gate.hub.desk import Desk, Open
from mcp_guard.gate.hub.early import Line
from mcp_guard.gate.hub.kinds import CHANGES
from mcp_guard.gate.hub.messages import Head
from mcp_guard.gate.hub.questions import Asked
from mcp_guard.gate.messages import INTERNAL_ERROR, INVALID_PARAMS, MAX_ID_LENGTH, METHOD_NOT_FOUND, RequestId
from mcp_guard.gate.outputs import Denied, Listed, Reply
from mcp_guard.gate.session import answered
from mcp_guard.policy.values import Json

_FOREIGN = "speaks of something that belongs to another server"


def carry(desk: Desk, arm: Arm, output: Reply | Denied, asked: RequestId | None, now: int) -> None:
    """Take in what an arm's gate has for the client. `asked`: the request that the gate was just given, if any."""
    if isinstance(output, Denied):
        _denied(desk, arm, output, asked, now)
        return
    if isinstance(output, Listed) and output.id in arm.asks:
        head = messages.ListHead(output.id, members=output.result, text=output.listed)
        _response(desk, arm, head, asked, len(output.line), now)
        return
    for line in messages.split(messages.in_utf8(output.line) if desk.naming.several else output.line):
        head = messages.read(line)
        if head is None:
            desk.rejected("upstream", "not a message", len(line), now, arm.slug)
        elif head.method is msgspec.UNSET:
            _response(desk, arm, head, asked, len(line), now)
        elif head.id is msgspec.UNSET:
            _NOTIFICATIONS.get(head.method, _pass)(desk, arm, head.method, head, now)
        else:
            _request(desk, arm, head, now)


# Answers


def _denied(desk: Desk, arm: Arm, denied: Denied, asked: RequestId | None, now: int) -> None:
    """A denial by the gate answers the request that was judged; its row is kept whoever waits."""
    head = None if denied.line is None else messages.read(denied.line)
    entry = None if head is None else _entry(desk, arm, head.id)
    if entry is None or denied.line is None:
        desk.outbox.append((arm.slug, Denied(denied.event, None)))
        if head is not None:
            _response(desk, arm, head, asked, 0, now)
        return
    del desk.open[entry.id]
    desk.outbox.append((arm.slug, Denied(denied.event, answered(entry.id, entry.batch, denied.line))))


def _entry(desk: Desk, arm: Arm, request_id: object) -> Open | None:
    """The client's request that an arm may answer under this id."""
    plain = isinstance(request_id, int | float | str) and not isinstance(request_id, bool)
    entry = desk.open.get(request_id) if plain else None  # pyright: ignore[reportArgumentType]  (1.0 finds 1)
    return entry if entry is not None and entry.slug == arm.slug else None


def _response(desk: Desk, arm: Arm, head: Head, asked: RequestId | None, size: int, now: int) -> None:
    request_id = head.id
    if request_id is None and asked is not None:
        request_id = asked  # the gate refused what it was just given
    if isinstance(request_id, str) and request_id.startswith(messages.OWN):
        then = arm.asks.pop(request_id, None)
        if then is not None:
            then(arm, head, now)
        return
    entry = _entry(desk, arm, request_id)
    if entry is None:
        return  # the client has cancelled it, or nobody ever waited for it
    if not _may_answer(desk, arm, entry, head):
        desk.rejected("upstream", _FOREIGN, size, now, arm.slug)
        desk.fail(entry.id, INTERNAL_ERROR, f"the MCP server `{arm.slug}` answered with a task of another server")
        return
    desk.answer(entry.id, messages.response(entry.id, head))


class _MadeTask(msgspec.Struct):
    """Where a result names a task: each member unread, so that nothing odd in one keeps the other from being seen."""

    task: messages.Body = msgspec.UNSET
    taskId: messages.Body = msgspec.UNSET  # noqa: N815  (MCP's own name)


_decode_task = msgspec.json.Decoder(_MadeTask).decode
_TASK_ID = re.compile(rb'taskId"|\\u00')  # what a text has in which a member could be of that name


def _may_answer(desk: Desk, arm: Arm, entry: Open, head: Head) -> bool:
    """Whether an answer makes known no task but the server's own. The task is the server's from now on."""
    if head.result is msgspec.UNSET or entry.method.startswith("tasks/") or not _TASK_ID.search(head.result):
        return True
    made = _made(head.result)
    return all(desk.tasks.claim(messages.value(one), arm.slug) for one in (made.taskId, _made(made.task).taskId))


def _made(body: messages.Body) -> _MadeTask:
    """What of tasks there is in a result, or in its `task`; nothing where it is no object."""
    try:
        return _MadeTask() if body is msgspec.UNSET else _decode_task(body)
    except messages.BROKEN:
        return _MadeTask()


# Requests


def _request(desk: Desk, arm: Arm, head: Head, now: int) -> None:
    """A server asks the client something (legacy): under a number of the hub's, so that two servers never meet."""
    assert isinstance(head.method, str)
    if not isinstance(head.id, int | str) or isinstance(head.id, bool) or len(str(head.id)) > MAX_ID_LENGTH:
        return
    if desk.questions.has(arm.slug, head.id):
        desk.rejected("upstream", "a request under the id of one that is still open", 0, now, arm.slug)
        return
    refusal = _refusal(desk, arm, head)
    if refusal is not None:
        code, text = refusal
        error: dict[str, Json] = {"code": code, "message": text}
        desk.tell(arm, {"jsonrpc": "2.0", "id": head.id, "error": error}, now)
        return
    number = desk.number()
    params, token = _with_own_token(head, number)
    line = messages.request(number, head.method, params)
    if desk.awaits_client and head.method != "ping":
        if not desk.early.keep(Line(arm.slug, line, number)):
            error = {"code": INTERNAL_ERROR, "message": "too much waits already for the client to get ready"}
            desk.tell(arm, {"jsonrpc": "2.0", "id": head.id, "error": error}, now)
            return
    else:
        desk.outbox.append((arm.slug, Reply(line)))
    desk.questions.ask(number, Asked(arm.slug, head.id, token))


def _refusal(desk: Desk, arm: Arm, head: Head) -> tuple[int, str] | None:
    """Why a server's request is not put to the client: tasks that another server gave it are none of its business."""
    if head.method == "tasks/list" and routes.alone(desk) is None:
        return METHOD_NOT_FOUND, "mcp-guard stands for several servers; a list would show the tasks of all"
    if isinstance(head.method, str) and head.method.startswith("tasks/"):
        owner = desk.client_tasks.get(messages.fields(head.params).get("taskId"))
        if owner != arm.slug and routes.alone(desk) is None:
            return INVALID_PARAMS, "Unknown task"
    return None


def _with_own_token(head: Head, number: int) -> tuple[object, Json]:
    """The params of a server's request, with `number` for a progress token; and the token that they had."""
    params = messages.members(head.params)
    meta = messages.members(params.get("_meta", msgspec.UNSET))
    if "progressToken" not in meta:
        return head.params, None
    token = messages.value(meta["progressToken"])
    return {**params, "_meta": {**meta, "progressToken": number}}, token


# Notifications


def _pass(desk: Desk, arm: Arm, method: str, head: Head, now: int) -> None:
    """Whatever else a server says passes; what is tagged as part of a subscription, as part of the client's."""
    params = messages.fields(head.params)
    meta = params.get("_meta")
    if isinstance(meta, dict) and SUBSCRIPTION_META in meta:
        _tagged(desk, arm, method, params)
    else:
        desk.pass_on(arm, messages.notification(method, head.params), now)


def _tagged(desk: Desk, arm: Arm, method: str, params: dict[str, Json]) -> None:
    subscription = listen.owner(desk, arm, params)
    if subscription is not None:
        listen.notice(desk, subscription, listen.tagged(method, params, subscription.id))


def _list_changed(desk: Desk, arm: Arm, method: str, head: Head, now: int) -> None:
    announcing.outdate(arm, method)
    params = messages.fields(head.params)
    if desk.era == "modern":
        _tagged(desk, arm, method, params)
    elif desk.greeted:
        desk.outbox.append((arm.slug, Reply(messages.notification(method, head.params))))


def _updated(desk: Desk, arm: Arm, method: str, head: Head, now: int) -> None:
    """`notifications/resources/updated`: of no resource that the client watches at another server, or that another one
    lists.
    """
    params = messages.fields(head.params)
    uri = params.get("uri")
    if isinstance(uri, str) and _told_of_by(desk, arm, params, uri) not in (None, arm.slug):
        desk.rejected("upstream", f"{method} {_FOREIGN}", 0, now, arm.slug)
    elif desk.era == "modern":
        _tagged(desk, arm, method, params)
    else:
        desk.pass_on(arm, messages.notification(method, params), now)


def _told_of_by(desk: Desk, arm: Arm, params: dict[str, Json], uri: str) -> str | None:
    """The server that is to tell of a resource: the one that was asked to, else the first that lists it."""
    subscription = listen.owner(desk, arm, params)
    owner = desk.subscribed.get(uri) if subscription is None else subscription.owners.get(uri)
    if owner is None and (first := routes.listed(desk, "resources/list", uri)) is not None:
        return first.slug
    return owner


def _task_status(desk: Desk, arm: Arm, method: str, head: Head, now: int) -> None:
    """The state of a task: of the server's own only."""
    params = messages.fields(head.params)
    if desk.tasks.get(params.get("taskId")) not in (None, arm.slug):
        desk.rejected("upstream", f"{method} {_FOREIGN}", 0, now, arm.slug)
    elif desk.era == "modern":
        _tagged(desk, arm, method, params)
    else:
        desk.pass_on(arm, messages.notification(method, params), now)


def _progress(desk: Desk, arm: Arm, method: str, head: Head, now: int) -> None:
    """Progress of a request that was sent to this server; nobody else's."""
    params = messages.fields(head.params)
    if desk.tokens.get(params.get("progressToken")) == arm.slug:
        desk.outbox.append((arm.slug, Reply(messages.notification(method, params))))
    else:
        desk.rejected("upstream", f"{method} for a request that this server was not sent", 0, now, arm.slug)


def _cancelled(desk: Desk, arm: Arm, method: str, head: Head, now: int) -> None:
    """A server withdraws a request of its own (legacy), or ends its part of a subscription (modern)."""
    params = messages.fields(head.params)
    request_id = params.get("requestId")
    if listen.withdrawn(desk, arm, request_id):
        return
    number = desk.questions.withdraw(arm.slug, request_id)
    if number is not None and not desk.early.withdraw(number):
        desk.outbox.append((arm.slug, Reply(messages.notification(method, {**params, "requestId": number}))))


def _acknowledged(desk: Desk, arm: Arm, method: str, head: Head, now: int) -> None:
    listen.acknowledged(desk, arm, messages.fields(head.params))


_NOTIFICATIONS: dict[str, Callable[[Desk, Arm, str, Head, int], None]] = {
    **dict.fromkeys(CHANGES, _list_changed),
    "notifications/cancelled": _cancelled,
    "notifications/progress": _progress,
    "notifications/resources/updated": _updated,
    "notifications/subscriptions/acknowledged": _acknowledged,
    "notifications/tasks": _task_status,
    "notifications/tasks/status": _task_status,
}

"""What the gate tells the client, in a legacy client's words.

An answer finds the request that it is for, whatever its id towards the gate was; a notice of a subscription of the
guard's loses its tag; a result that asks for more becomes questions.
"""

from collections.abc import Callable

from mcp_guard.gate.bridge import errors, inquiring, members, results, watching
from mcp_guard.gate.bridge.client_link import ClientLink, Step
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.subscriptions import subscription_of
from mcp_guard.gate.bridge.wanted import Wanted
from mcp_guard.gate.connection import SUBSCRIPTION_META
from mcp_guard.gate.messages import INTERNAL_ERROR
from mcp_guard.gate.outputs import Denied, Reply
from mcp_guard.gate.session import answered

_UNKNOWN_TYPE = "mcp-guard: the server's result is of a kind that this protocol revision does not have"


def tell(link: ClientLink, line: bytes, now: int) -> list[Step]:
    """Turn one line that is for the client into what it gets."""
    message = members.read(line)
    kind = members.kind_of(message) if message is not None else None
    if message is None or kind is None:
        return [Reply(line)]
    if kind == "response":
        return _response(link, message, line, now)
    return _notification(link, message, line, now) if kind == "notification" else []


def deny(link: ClientLink, denied: Denied) -> Denied:
    """Turn a denial into what the client gets: the same event, an answer to its own request."""
    message = members.read(denied.line)
    gate_id = members.id_of(message) if message is not None else None
    wanted = link.book.answered(gate_id) if gate_id is not None else None
    if message is None or wanted is None:
        return denied
    link.book.close(wanted)
    return Denied(denied.event, answered(wanted.id, wanted.batch, _translated(wanted, message)))


def _response(link: ClientLink, message: Members, line: bytes, now: int) -> list[Step]:
    gate_id = members.id_of(message)
    if gate_id is not None and link.book.was_cancelled(gate_id):
        return []
    wanted = link.book.answered(gate_id) if gate_id is not None else None
    if wanted is None:  # an error of the gate's own, or an answer that nobody waits for
        return [Reply(line)] if "error" in message else []
    return _ANSWERS[wanted.kind](link, wanted, message, now)


def _answer(link: ClientLink, wanted: Wanted, message: Members, now: int) -> list[Step]:
    result = members.read(message.get("result"))
    kind = "complete" if result is None or "resultType" not in result else members.text_of(result, "resultType")
    if kind == "input_required" and result is not None and wanted.method in results.INTERACTIVE:
        return inquiring.inquire(link, wanted, result, now)
    if kind != "complete":
        return [*link.fail(wanted, INTERNAL_ERROR, _UNKNOWN_TYPE)]
    return [*link.reply(wanted, _translated(wanted, message))]


def _translated(wanted: Wanted, message: Members) -> bytes:
    """The answer to a request in the legacy era's words."""
    answer = {**message, "id": members.raw(wanted.id)}
    result = members.read(message.get("result"))
    if result is not None:
        answer["result"] = results.legacy(wanted.method, result)
    elif "error" in message:
        answer["error"] = errors.legacy(wanted.method, message["error"])
    return members.joined(answer)


def _verbatim(link: ClientLink, wanted: Wanted, message: Members, now: int) -> list[Step]:
    return [*link.reply(wanted, members.joined(message))]


def _listening_ended(link: ClientLink, wanted: Wanted, message: Members, now: int) -> list[Step]:
    return watching.ended(link, now)


def _watching_ended(link: ClientLink, wanted: Wanted, message: Members, now: int) -> list[Step]:
    return watching.refused(link, wanted, message)


def _notification(link: ClientLink, message: Members, line: bytes, now: int) -> list[Step]:
    params = members.read(message.get("params"))
    subscription = subscription_of(params)
    wanted = None if subscription is None else link.book.by_gate.get(subscription)
    method = members.text_of(message, "method")
    if method == "notifications/cancelled":
        return _subscription_cancelled(link, params or {}, now)
    if params is None or wanted is None or wanted.kind == "verbatim":
        return [Reply(line)]
    if method == "notifications/subscriptions/acknowledged":
        return watching.acknowledged(link, wanted, params) if wanted.kind == "watch" else []
    return [Reply(members.down(_untagged(message, params)))]


def _subscription_cancelled(link: ClientLink, params: Members, now: int) -> list[Step]:
    """The upstream ends a subscription; a modern server may cancel nothing else."""
    request_id = members.plain(params.get("requestId"))
    wanted = link.book.answered(request_id) if members.is_id(request_id) else None
    if wanted is None or wanted.kind not in ("listen", "watch"):
        return []
    return watching.ended(link, now) if wanted.kind == "listen" else watching.refused(link, wanted, {})


def _untagged(message: Members, params: Members) -> dict[str, object]:
    """A notice without the tag that says which subscription it is for."""
    meta = members.read(params.get("_meta")) or {}
    meta.pop(SUBSCRIPTION_META, None)
    kept: dict[str, object] = {name: value for name, value in params.items() if name != "_meta"}
    if meta:
        kept["_meta"] = meta
    rest: dict[str, object] = {name: value for name, value in message.items() if name != "params"}
    return {**rest, "params": kept} if kept else rest


_ANSWERS: dict[str, Callable[[ClientLink, Wanted, Members, int], list[Step]]] = {
    "client": _answer,
    "listen": _listening_ended,
    "verbatim": _verbatim,
    "watch": _watching_ended,
}

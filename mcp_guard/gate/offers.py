"""What a client asks of prompts and resources, from the request to its decision: judged and recorded as calls are.

Where the policy has no say in them, these requests pass like any other. Otherwise a request goes upstream only as an
`Admitted`, and what goes there is encoded from the very values that were judged. A prompt or resource that is hidden is
answered as if it were not there. These methods have no result that says "denied", so a denial is a JSON-RPC error.
"""

from collections.abc import Callable

import msgspec

from mcp_guard.events import Event, EventType, Judged
from mcp_guard.gate import answers, calls
from mcp_guard.gate.messages import (
    COMPLETION_MEMBERS,
    INVALID_PARAMS,
    PROMPT_MEMBERS,
    REFERENCE_MEMBERS,
    RESOURCE_MEMBERS,
    MalformedError,
    near_arguments,
    refuse_near_names,
)
from mcp_guard.gate.outputs import Admitted, Denied, Output, Refusal
from mcp_guard.gate.requests import Open, ReadCall, Request
from mcp_guard.gate.session import Session, answered, forward
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Call, Decision, Json, OfferKind
from mcp_guard.redaction import safe_text

LONGEST_NAME = 8192  # characters of a name or URI that is judged
_LONGEST_LABEL: dict[OfferKind, int] = {"tool": 256, "prompt": 256, "resource": 2048}
_DECIDED: dict[OfferKind, EventType] = {
    "tool": "tool.decided",
    "prompt": "prompt.decided",
    "resource": "resource.decided",
}
_COMPLETED: dict[OfferKind, EventType] = {
    "tool": "tool.completed",
    "prompt": "prompt.completed",
    "resource": "resource.completed",
}
_REFERENCES: dict[Json, OfferKind] = {"ref/prompt": "prompt", "ref/resource": "resource"}
_NAMED_BY: dict[OfferKind, str] = {"prompt": "name", "resource": "uri"}


class Asked(msgspec.Struct, frozen=True):
    """What is asked of a prompt or resource: its name or URI, the arguments, and their JSON text."""

    kind: OfferKind
    name: str
    arguments: dict[str, Json] = {}
    encoded: bytes = b"{}"


def get_prompt(session: Session, request: Request, now: int) -> list[Output]:
    """`prompts/get` (MCP, "Prompts")."""
    if not session.governs("prompt"):
        return forward(session, request, "other", now)
    params = request.params
    refuse_near_names(params, PROMPT_MEMBERS, "parameter")
    arguments = params.get("arguments")
    if arguments is None:
        return _judged(session, request, Asked("prompt", _text(params, "name")), now)
    if not isinstance(arguments, dict):
        raise MalformedError(INVALID_PARAMS, "params.arguments must be an object")
    return _judged(session, request, Asked("prompt", _text(params, "name"), arguments, encode(arguments)), now)


def read_resource(session: Session, request: Request, now: int) -> list[Output]:
    """`resources/read` and `resources/subscribe` (MCP, "Resources")."""
    if not session.governs("resource"):
        return forward(session, request, "other", now)
    refuse_near_names(request.params, RESOURCE_MEMBERS, "parameter")
    return _judged(session, request, Asked("resource", _text(request.params, "uri")), now)


def complete(session: Session, request: Request, now: int) -> list[Output]:
    """`completion/complete` (MCP, "Completion"): for what the client is shown."""
    if not session.governs("prompt") and not session.governs("resource"):
        return forward(session, request, "other", now)
    refuse_near_names(request.params, COMPLETION_MEMBERS, "parameter")
    reference = request.params.get("ref")
    if not isinstance(reference, dict):
        raise MalformedError(INVALID_PARAMS, "params.ref must be an object")
    refuse_near_names(reference, REFERENCE_MEMBERS, "member")
    written = reference.get("type")
    kind = _REFERENCES.get(written) if isinstance(written, str) else None
    if kind is None:
        raise MalformedError(INVALID_PARAMS, "params.ref.type must be ref/prompt or ref/resource")
    asked = Asked(kind, _text(reference, _NAMED_BY[kind]))
    if not session.governs(kind):
        return forward(session, request, "other", now)
    return _judged(session, request, asked, now, session.policy.decide_completion)


def _text(members: dict[str, Json], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise MalformedError(INVALID_PARAMS, f"{name} must be a string")
    if len(value) > LONGEST_NAME:
        raise MalformedError(INVALID_PARAMS, f"{name} is longer than {LONGEST_NAME} characters")
    return value


def _judged(
    session: Session,
    request: Request,
    asked: Asked,
    now: int,
    decide: Callable[[Call], Decision] | None = None,
) -> list[Output]:
    """Decide what is asked, and say what is to be done about it."""
    line = encode(request.message)
    decision = decided(session, asked, now, decide)
    forwarded = decision.outcome == "allow" or session.observing
    event = recorded(session, request, asked, decision, now, forwarded=forwarded)
    if not forwarded:
        denial = _denial(session, request, asked, decision, event.id)
        return [Denied(event, answered(request.id, request.batch, denial))]
    label = event.tool or ""
    is_cacheable = request.modern and request.method == "resources/read" and not session.observing
    kind = "reading" if is_cacheable else "offer"
    session.opened(Open(request.id, kind, now, request.modern, request.batch, label, event.id, offer=asked.kind))
    return [Admitted(event, line, request.id)]


def decided(session: Session, asked: Asked, now: int, decide: Callable[[Call], Decision] | None = None) -> Decision:
    """The verdict on it; `decide` in the place of the policy's own."""
    if near_arguments(asked.arguments, frozenset()):
        return calls.NEAR_NAMES
    return session.decide(session.call(asked.name, asked.arguments, asked.kind), now, decide)


def recorded(
    session: Session, request: Request, asked: Asked, decision: Decision, now: int, *, forwarded: bool
) -> Judged:
    """The row of one decision: that of a call, under a type of its own and with the method. Budgets are for calls."""
    label = safe_text(asked.name, _LONGEST_LABEL[asked.kind])
    call = ReadCall(request, asked.name, asked.arguments, asked.encoded, b"")
    event = session.recorder.decided(now, call, label, decision, session.snapshot, forwarded=forwarded)
    data = {**event.data, "method": request.method}
    if not asked.arguments:
        data["arguments"] = {}
        data.pop("redacted", None)
    return msgspec.structs.replace(event, type=_DECIDED[asked.kind], data=data, charged=False)


def completed(session: Session, entry: Open, now: int, *, is_error: bool, size: int) -> Event:
    """The row of an answer."""
    event = session.recorder.completed(now, entry.tool, entry.decision, entry.started, is_error, size)
    return msgspec.structs.replace(event, type=_COMPLETED[entry.offer])


def _denial(session: Session, request: Request, asked: Asked, decision: Decision, decision_id: str) -> bytes:
    """What the client gets: what is hidden from it is not there, all else is denied with reasons."""
    if request.method == "completion/complete" or not is_shown(session, asked.kind, asked.name):
        return answers.not_there(request.id, asked.kind, asked.name, modern=request.modern)
    return answers.denied_offer(request.id, asked.kind, asked.name, decision, decision_id)


def is_shown(session: Session, kind: OfferKind, name: str) -> bool:
    """Whether this client may see a prompt or resource: some request for it could be let through."""
    return session.preview(kind, name) != "denied"


def refuse(session: Session, admitted: Admitted, refusal: Refusal) -> Denied:
    """Turn an admitted request into a denial, because its row was not written."""
    entry = session.close(admitted.request_id)
    assert entry is not None, "an admitted request waits for its answer"
    line = answers.guard_failure(entry.id, refusal.reason, admitted.event.id)
    return Denied(calls.unrecorded(admitted.event, refusal), answered(entry.id, entry.batch, line))

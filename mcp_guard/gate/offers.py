"""What a client asks of prompts and resources, from the request to its decision: judged and recorded as calls are.

Where the policy has no say in them, these requests pass like any other. Otherwise a request goes upstream only as an
`Admitted`, and what goes there is encoded from the very values that were judged. A prompt or resource that is hidden is
answered as if it were not there. These methods have no result that says "denied", so a denial is a JSON-RPC error. A
person is asked about getting a prompt and about reading a resource, never about a subscription.
"""

import msgspec

from mcp_guard.events import Event, EventType, Judged
from mcp_guard.gate import answers, calls
from mcp_guard.gate.approvals import asking
from mcp_guard.gate.messages import (
    COMPLETION_MEMBERS,
    INVALID_PARAMS,
    PROMPT_MEMBERS,
    REFERENCE_MEMBERS,
    RESOURCE_MEMBERS,
    MalformedError,
    near_arguments,
    refuse_cut_name,
    refuse_near_names,
)
from mcp_guard.gate.outputs import Admitted, Denied, Output, Pending, Refusal
from mcp_guard.gate.requests import NAMED_BY, Open, ReadCall, Request
from mcp_guard.gate.session import Session, answered, forward
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Decision, Json, OfferKind
from mcp_guard.redaction import safe_text

LONGEST_NAME = 8192  # characters of a name or URI that is judged
_LONGEST_LABEL: dict[OfferKind, int] = {"prompt": 256, "resource": 2048}
_LONGEST_SHOWN = 16 * LONGEST_NAME  # of any name, with every character in it that would not show as an escape
_DECIDED: dict[OfferKind, EventType] = {"prompt": "prompt.decided", "resource": "resource.decided"}
_COMPLETED: dict[OfferKind, EventType] = {"prompt": "prompt.completed", "resource": "resource.completed"}
_REFERENCES: dict[Json, OfferKind] = {"ref/prompt": "prompt", "ref/resource": "resource"}
_COMPLETION = "completion/complete"
_ASKED_ABOUT = frozenset(("prompts/get", "resources/read"))
_READ_FIRST = "A person is asked about reading it, and once that is approved for the session, this is as well."
_TOO_LONG = "Nobody can be asked, as it is too long to be shown to a person."


def of_prompt(request: Request) -> ReadCall:
    """What `prompts/get` asks for (MCP, "Prompts"). Raises MalformedError."""
    params = request.params
    refuse_near_names(params, PROMPT_MEMBERS, "parameter")
    arguments = params.get("arguments")
    name = _text(params, "name")
    if arguments is None:
        return _asked(request, "prompt", name)
    if not isinstance(arguments, dict):
        raise MalformedError(INVALID_PARAMS, "params.arguments must be an object")
    return _asked(request, "prompt", name, arguments, encode(arguments))


def of_resource(request: Request) -> ReadCall:
    """What `resources/read` and `resources/subscribe` ask for (MCP, "Resources"). Raises MalformedError."""
    refuse_near_names(request.params, RESOURCE_MEMBERS, "parameter")
    return _asked(request, "resource", _text(request.params, "uri"))


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
    if any(NAMED_BY[other] in reference for other in _REFERENCES.values() if other != kind):
        raise MalformedError(INVALID_PARAMS, "params.ref names both a prompt and a resource")
    asked = _asked(request, kind, _text(reference, NAMED_BY[kind]))
    return [judge(session, asked, now)] if session.governs(kind) else forward(session, request, "other", now)


def _text(members: dict[str, Json], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise MalformedError(INVALID_PARAMS, f"{name} must be a string")
    if len(value) > LONGEST_NAME:
        raise MalformedError(INVALID_PARAMS, f"{name} is longer than {LONGEST_NAME} characters")
    refuse_cut_name(value, name)
    return value


def _asked(
    request: Request, kind: OfferKind, name: str, arguments: dict[str, Json] | None = None, encoded: bytes = b"{}"
) -> ReadCall:
    return ReadCall(request, name, arguments or {}, encoded, encode(request.message), kind)


def judge(session: Session, call: ReadCall, now: int, approved: Decision | None = None) -> Admitted | Denied | Pending:
    """Decide what is asked, and say what is to be done about it: it goes on, it is denied, or a person is asked.
    `approved`: what a person has said of exactly this already.
    """
    decision = decide(session, call, now)
    if decision.outcome == "require_approval" and not session.observing:
        found = approved or _consulted(session, call, decision, now)
        if isinstance(found, Pending):
            return found
        approved = found if found.outcome == "allow" else None
        decision = found
    return conclude(session, call, decision, now, approved)


def _consulted(session: Session, call: ReadCall, decision: Decision, now: int) -> Decision | Pending:
    """What a person has said, or is asked."""
    if call.request.method not in _ASKED_ABOUT:
        return approved_to_read(session, call, decision)
    label = _label(call)
    if safe_text(call.tool, _LONGEST_SHOWN) != label:
        return msgspec.structs.replace(decision, reason=f"{decision.reason} {_TOO_LONG}")
    return asking.consult(session, call, label, decision, now)


def approved_to_read(session: Session, call: ReadCall, decision: Decision) -> Decision:
    """The decision on a subscription to a resource of which reading needs a person's approval: it goes with reading."""
    approved = asking.standing(session, call)
    return approved or msgspec.structs.replace(decision, reason=f"{decision.reason} {_READ_FIRST}")


def conclude(
    session: Session, call: ReadCall, decision: Decision, now: int, approved: Decision | None = None
) -> Admitted | Denied:
    """Say what is to be done about a request on which this is the last word; `approved`: what a person has said."""
    request = call.request
    forwarded = session.forwards(decision)
    event = row(session, call, decision, now, forwarded=forwarded)
    if not forwarded:
        line = _denial(session, call, decision, event.id)
        return Denied(event, answered(request.id, request.batch, line))
    is_cacheable = request.modern and request.method == "resources/read" and not session.observing
    kind = "reading" if is_cacheable else "offer"
    label = event.tool or ""
    entry = Open(request.id, kind, now, request.modern, request.batch, label, event.id, offer=call.kind)
    if decision.decided_by == "approval" and request.modern:
        entry.approval = decision.rule or ""
        entry.bound = asking.goes_on(session, call)
    session.opened(entry)
    return Admitted(event, call.line, request.id, call, approved)


def decide(session: Session, call: ReadCall, now: int) -> Decision:
    """The verdict on it, under what is in force now. What is completed is judged by what the client is shown."""
    if near_arguments(call.arguments, calls.NOTHING_DECLARED):
        return calls.NEAR_NAMES
    by_policy = session.policy.decide_completion if call.request.method == _COMPLETION else None
    return session.decide(session.call(call.tool, call.arguments, call.kind), now, by_policy)


def row(session: Session, call: ReadCall, decision: Decision, now: int, *, forwarded: bool) -> Judged:
    """The row of one decision: that of a call, under a type of its own and with the method. Budgets are for calls."""
    event = session.recorder.decided(now, call, _label(call), decision, session.snapshot, forwarded=forwarded)
    data = {**event.data, "method": call.request.method}
    data.pop("usd", None)
    if not call.arguments:
        data["arguments"] = {}
        data.pop("redacted", None)
    return msgspec.structs.replace(event, type=_DECIDED[call.kind], data=data, charged=False)


def _label(call: ReadCall) -> str:
    """The name or URI as the log and a person are shown it."""
    return safe_text(call.tool, _LONGEST_LABEL[call.kind])


def completed(session: Session, entry: Open, now: int, *, is_error: bool, size: int) -> Event:
    """The row of an answer."""
    event = session.recorder.completed(now, entry.tool, entry.decision, entry.started, is_error, size)
    return msgspec.structs.replace(event, type=_COMPLETED[entry.offer])


def _denial(session: Session, call: ReadCall, decision: Decision, decision_id: str) -> bytes:
    """What the client gets: what the policy hides from it is not there, all else is denied with reasons."""
    request, name = call.request, session.connection.known_as(call.tool, call.kind)
    may_be_hidden = decision.decided_by in answers.OF_POLICY or decision in calls.WHATEVER_IS_SHOWN
    hidden = may_be_hidden and not is_shown(session, call.kind, call.tool)
    if request.method == _COMPLETION or hidden:
        return answers.not_there(request.id, call.kind, name, modern=request.modern)
    return answers.denied_offer(request.id, request.method, name, decision, decision_id)


def is_shown(session: Session, kind: OfferKind, name: str) -> bool:
    """Whether this client may see a prompt or resource: some request for it could be let through."""
    return session.preview(kind, name) != "denied"


def failure(session: Session, call: ReadCall, reason: str, decision_id: str) -> bytes:
    """What the client gets where the guard itself could not do its work."""
    return answers.guard_failure(call.request.id, reason, decision_id)


def refuse(session: Session, admitted: Admitted, refusal: Refusal) -> Denied:
    """Turn an admitted request into a denial, because its row was not written."""
    entry = session.close(admitted.request_id)
    assert entry is not None, "an admitted request waits for its answer"
    line = answers.guard_failure(entry.id, refusal.reason, admitted.event.id)
    return Denied(calls.unrecorded(admitted.event, refusal), answered(entry.id, entry.batch, line))

"""One `tools/call`, from the request to its decision. The only place that admits a call.

A call of a tool that the upstream has not listed waits while the guard lists; then it is judged like any other. What
goes upstream is encoded from the very values that are judged.
"""

from collections.abc import Mapping

import msgspec

from mcp_guard.events import Judged
from mcp_guard.gate import answers
from mcp_guard.gate.approvals import asking
from mcp_guard.gate.catalog import label as shown_name
from mcp_guard.gate.messages import (
    CALL_MEMBERS,
    INVALID_PARAMS,
    INVALID_REQUEST,
    MalformedError,
    near_arguments,
    refuse_cut_name,
    refuse_near_names,
)
from mcp_guard.gate.outputs import Admitted, Denied, Output, Pending, Refusal
from mcp_guard.gate.requests import Open, ReadCall, Request
from mcp_guard.gate.session import Session, answered
from mcp_guard.gate.wire import encode
from mcp_guard.policy.members import NEAR_MEMBERS
from mcp_guard.policy.values import Decision, Json

MAX_HELD = 64 * 1024 * 1024  # bytes of calls that wait until the tools are known; one alone may be as large as any
NOTHING_DECLARED: frozenset[str] = frozenset()
_UNLISTED = Decision("deny", "guard", None, "The upstream never listed a tool of this name.")
NEAR_NAMES = Decision(
    "deny",
    "guard",
    None,
    "An argument's name differs only in case, or behind a NUL, from that of another, or of a declared one: it could be "
    "read in two ways. Give each argument once, by its declared name.",
)
_AFTER_POLICY = frozenset(("override", "approval"))  # layers that have the last word on what the policy says
_NOTHING_SAID: Mapping[str, Json] = {}
WHATEVER_IS_SHOWN = (NEAR_NAMES, NEAR_MEMBERS)  # decided of what is hidden from the agent as of what it is shown


def read(request: Request) -> ReadCall:
    """The call that a `tools/call` request makes. Raises MalformedError, UnreadableError."""
    params = request.params
    refuse_near_names(params, CALL_MEMBERS, "parameter")
    name = params.get("name")
    arguments = params.get("arguments")
    if not isinstance(name, str):
        raise MalformedError(INVALID_PARAMS, "params.name must be a string")
    refuse_cut_name(name, "params.name")
    if arguments is None:
        return ReadCall(request, name, {}, b"{}", encode(request.message))
    if not isinstance(arguments, dict):
        raise MalformedError(INVALID_PARAMS, "params.arguments must be an object")
    encoded = encode(arguments)
    params["arguments"] = msgspec.Raw(encoded)  # pyright: ignore[reportArgumentType]  (JSON text that encode made)
    return ReadCall(request, name, arguments, encoded, encode(request.message))


def judgeable(session: Session, name: str) -> bool:
    """Whether a call of this tool can be judged now: it is listed, or listing would tell nothing new."""
    tools = session.tools
    return name in tools.catalog.tools or tools.up_to_date or session.policy.settings.unlisted_tools == "policy"


def hold(session: Session, call: ReadCall, now: int) -> None:
    """Keep a call until the guard's listing has ended. Raises MalformedError where too many bytes are kept already."""
    request = call.request
    if session.held and session.held + len(call.line) > MAX_HELD:
        raise MalformedError(INVALID_REQUEST, "too much waits already until the server's tools are known")
    session.opened(Open(request.id, "call", now, request.modern, request.batch, tool=call.tool, held=call))


def release(session: Session, now: int) -> list[Output]:
    """Judge the calls that were held, in the order in which they came."""
    outputs: list[Output] = []
    for entry in [entry for entry in session.open.values() if entry.held is not None]:
        session.close(entry.id)
        assert entry.held is not None
        outputs.append(judge(session, entry.held, now))
    return outputs


def judge(session: Session, call: ReadCall, now: int, approved: Decision | None = None) -> Admitted | Denied | Pending:
    """Decide one call and say what is to be done about it: it runs, it is denied, or a person is asked. `approved` is
    what a person has said of exactly this call already.
    """
    decision = decide(session, call, now)
    if decision.outcome == "require_approval" and not session.observing:
        found = approved or asking.consult(session, call, session.tools.label(call.tool), decision, now)
        if isinstance(found, Pending):
            return found
        approved = found if found.outcome == "allow" else None
        decision = found
    return conclude(session, call, decision, now, approved)


def conclude(
    session: Session, call: ReadCall, decision: Decision, now: int, approved: Decision | None = None
) -> Admitted | Denied:
    """Say what is to be done about a call on which this is the last word; `approved`: what a person has said of it."""
    request = call.request
    forwarded = session.forwards(decision)
    event = row(session, call, decision, now, forwarded=forwarded)
    if not forwarded:
        line = _denial(session, call, decision, event.id)
        return Denied(event, answered(request.id, request.batch, line))
    entry = Open(request.id, "call", now, request.modern, request.batch, tool=call.tool, decision=event.id)
    if decision.decided_by == "approval" and request.modern:
        entry.approval = decision.rule or ""
        entry.bound = asking.goes_on(session, call)
    session.opened(entry)
    return Admitted(event, call.line, request.id, call, approved)


def row(session: Session, call: ReadCall, decision: Decision, now: int, *, forwarded: bool) -> Judged:
    """The row of one decided call."""
    tool = session.tools.catalog.tools.get(call.tool)
    label = shown_name(call.tool) if tool is None else tool.label
    rule, said = decision.rule, _NOTHING_SAID
    if decision.decided_by in _AFTER_POLICY:
        alone = session.policy.decide(session.call(call.tool, call.arguments))
        rule, said = alone.rule, {"policy": alone.outcome}  # by that rule it costs, on that another policy is compared
    if tool is None and decision is not _UNLISTED:
        said = {**said, "unlisted": True}  # another policy may not judge it
    event = session.recorder.decided(now, call, label, decision, session.snapshot, forwarded=forwarded, rule=rule)
    return msgspec.structs.replace(event, data={**event.data, **said}) if said else event


def decide(session: Session, call: ReadCall, now: int) -> Decision:
    """The decision on one call, under what is in force now."""
    tool = session.tools.catalog.tools.get(call.tool)
    if tool is None and session.policy.settings.unlisted_tools == "deny":
        return _UNLISTED
    if near_arguments(call.arguments, NOTHING_DECLARED if tool is None else tool.declared):
        return NEAR_NAMES
    return session.decide(session.call(call.tool, call.arguments), now)


def _denial(session: Session, call: ReadCall, decision: Decision, decision_id: str) -> bytes:
    """What the client gets: a tool that the policy hides from it is unknown, another call is denied with reasons. What
    somebody stopped for now was there a moment ago: to say that it is unknown would help nobody.
    """
    request = call.request
    may_be_hidden = decision.decided_by in answers.OF_POLICY or decision in WHATEVER_IS_SHOWN
    hidden = may_be_hidden and call.tool in session.tools.catalog and session.tools.visibility(call.tool) == "denied"
    if decision is _UNLISTED or hidden:
        return answers.unknown_tool(request.id, session.connection.known_as(call.tool))
    text = answers.denial_text(session.connection.known_as(call.tool), decision)
    return answers.denial(request.id, text, decision_id, modern=request.modern)


def failure(session: Session, call: ReadCall, reason: str, decision_id: str) -> bytes:
    """What the client gets where the guard itself could not do its work."""
    text = answers.guard_failure_text(session.connection.known_as(call.tool), reason)
    return answers.denial(call.request.id, text, decision_id, modern=call.request.modern)


def refuse(session: Session, admitted: Admitted, refusal: Refusal) -> Denied:
    """Turn an admitted call into a denial, because its row was not written."""
    entry = session.close(admitted.request_id)
    assert entry is not None, "an admitted call waits for its answer"
    event = admitted.event
    tool = session.connection.known_as(entry.tool)
    spent = session.budget_spent(event.ts) if refusal.decided_by == "budget" else None
    if spent is not None:
        refusal = Refusal(spent.reason, spent.decided_by, spent.rule)
        text = answers.denial_text(tool, spent)
    else:
        text = answers.guard_failure_text(tool, refusal.reason)
    line = answers.denial(entry.id, text, event.id, modern=entry.modern)
    return Denied(unrecorded(event, refusal), answered(entry.id, entry.batch, line))


def unconditional(event: Judged) -> Judged:
    """The row of a denial that stands whatever has changed meanwhile."""
    return msgspec.structs.replace(event, registry=None, charged=False)


def unrecorded(event: Judged, refusal: Refusal) -> Judged:
    """The row of a denial in the place of one that was not written, with its id. Nothing needs to hold for it."""
    data = {**event.data, "reason": refusal.reason, "forwarded": False}
    denied = {"decision": "deny", "decided_by": refusal.decided_by, "rule": refusal.deciding, "data": data}
    return msgspec.structs.replace(event, registry=None, charged=False, **denied)

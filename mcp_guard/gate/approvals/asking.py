"""A person is asked about one call, prompt or resource: through the client where it shows forms, else in the store.

Either way the row of the approval is committed before anything waits (`Pending`). Where nobody can be asked, nothing is
made of it, and the call is denied.
"""

from msgspec import structs

from mcp_guard.events import ApprovalRequested
from mcp_guard.gate.approvals import binding, form
from mcp_guard.gate.approvals.seen import Seen, recorded, seen
from mcp_guard.gate.approvals.waiting import Subject, Waiting
from mcp_guard.gate.connection import CAPABILITIES_META
from mcp_guard.gate.messages import within
from mcp_guard.gate.outputs import Pending
from mcp_guard.gate.recorder import shown_id
from mcp_guard.gate.requests import Open, ReadCall
from mcp_guard.gate.session import Session
from mcp_guard.gate.wire import encode_unsealed
from mcp_guard.policy.values import Decision, Json
from mcp_guard.policy.wording import WORDS

_LONGEST_PATTERN = 300
_FOR_THE_SESSION = "A person has approved this {} for the rest of the connection."
_GOES_ON = "It goes on with a {} that a person has approved."
_BARE = str.maketrans("", "", "*: \x7f")


def consult(session: Session, call: ReadCall, label: str, decision: Decision, now: int) -> Pending | Decision:
    """What a person has said to this already, else the question; the decision as it is where nobody can be asked.
    `label` is the name of what is asked for as a person is shown it.
    """
    return approved_before(session, call, now) or ask(session, call, label, decision, now) or decision


def approved_before(session: Session, call: ReadCall, now: int) -> Decision | None:
    """The decision on what a person has approved already: its tool for the rest of the connection, or this very call,
    which goes on with what its server asked for. None where nobody has.
    """
    params = call.request.params
    if call.request.modern and ("inputResponses" in params or "requestState" in params):
        state = params.get("requestState")
        approval = session.approvals.going_on(goes_on(session, call), state if isinstance(state, str) else None, now)
        if approval is not None:
            return Decision("allow", "approval", approval, _GOES_ON.format(WORDS[call.kind].one))
    return standing(session, call)


def goes_on(session: Session, call: ReadCall) -> str:
    """By what an approved call is known when it comes again with what its server asked for: the same call, of the same
    agent, as a stateless client may speak for several.
    """
    bound = binding.call_hash(session.connection.redaction_key, session.connection.server, call)
    return f"{bound} {session.client.principal.agent}"


def standing(session: Session, call: ReadCall) -> Decision | None:
    """The decision on what a person has approved for the rest of the connection; None where nobody has."""
    approval = session.approvals.standing(subject(session, call))
    if approval is None:
        return None
    return Decision("allow", "approval", approval, _FOR_THE_SESSION.format(WORDS[call.kind].thing))


def subject(session: Session, call: ReadCall) -> Subject:
    """What is approved for a session, and for whom: a tool as it is defined at the moment, a prompt, or a resource."""
    tool = session.tools.catalog.tools.get(call.tool) if call.kind == "tool" else None
    return Subject(session.client.principal.agent, call.kind, call.tool, "" if tool is None else tool.hash)


def ask(session: Session, call: ReadCall, label: str, decision: Decision, now: int) -> Pending | None:
    """Ask a person; None where nobody can be asked."""
    approvals, request, settings = session.approvals, call.request, session.policy.settings
    visible = seen(call, session.connection.redaction_key)
    if visible is None:
        return None
    shown = form.shown(visible)
    through_client = (
        settings.approvals == "client" and shown is not None and form.is_offered(_capabilities(session, call))
    )
    if not approvals.room_for(call) or not (through_client or session.snapshot.version is not None):
        return None
    key = session.connection.redaction_key
    approval = approvals.next_id(session.connection.id)
    waiting = Waiting(
        id=approval,
        call=call,
        label=label,
        subject=subject(session, call),
        decision=decision,
        bound=binding.call_hash(key, session.connection.server, call),
        asked=now,
        deadline=now + settings.approval_timeout * 1_000_000,
        whole=shown is not None and not shown.hidden,
        question=binding.question_id(key, approval) if through_client and not request.modern else None,
        suspended=through_client and request.modern,
    )
    approvals.add(waiting)
    if not waiting.suspended:
        session.opened(Open(request.id, "approval", now, request.modern, request.batch, tool=call.tool))
    line = question(session, waiting, shown) if through_client and shown is not None else None
    where = "client" if through_client else "store"
    return Pending(_requested(session, waiting, visible, where, now), line, request.id)


def question(session: Session, waiting: Waiting, shown: form.Shown) -> bytes:
    """The line that asks the person through the client, in the era of the request."""
    connection, request = session.connection, waiting.call.request
    kind = waiting.call.kind
    named = connection.known_as(shown.name, kind)
    text = form.message(waiting, named, connection.server, connection.user, shown)
    params = form.params(text, kind, whole=waiting.whole)
    if waiting.question is not None:
        return form.request(waiting.question, params)
    return form.result(request.id, params, binding.state(connection.redaction_key, waiting.id, waiting.bound))


def _capabilities(session: Session, call: ReadCall) -> Json:
    """What the client can do, as it says: once in the legacy era, with each request in the modern one."""
    if not call.request.modern:
        return session.client.capabilities
    return within(call.request.params, "_meta", CAPABILITIES_META)


def _requested(session: Session, waiting: Waiting, visible: Seen, where: str, now: int) -> ApprovalRequested:
    """The row of the question, and what the registry keeps of it."""
    connection, call = session.connection, waiting.call
    mode = connection.audit_arguments or session.policy.settings.audit_arguments
    kept = recorded(call, mode, connection.redaction_key)
    shown = visible if mode == "redacted" else kept
    data = {
        **kept.kept,
        "method": call.request.method,
        "connection": connection.id,
        "request_id": shown_id(call.request.id),
        "asked": where,
        "asked_by": waiting.decision.decided_by,
        "asked_for": waiting.decision.rule,
        "reason": waiting.decision.reason,
        "call_hash": waiting.bound,
        "seconds": (waiting.deadline - waiting.asked) // 1_000_000,
        "expires_us": waiting.deadline,
    }
    event = session.recorder.event("approval.requested", now, data, waiting.label)
    return ApprovalRequested(
        **structs.asdict(structs.replace(event, rule=waiting.id)),
        method=call.request.method,
        arguments=encode_unsealed({"named": visible.name, **shown.kept}).decode(),
        call_hash=waiting.bound,
        pattern=_pattern(connection.server, call.tool) if call.kind == "tool" and visible.name == call.tool else "",
        reason=" ".join(part for part in (waiting.decision.reason, waiting.decision.message or "") if part),
        expires=waiting.deadline,
    )


def _pattern(server: str, tool: str) -> str:
    """The pattern of exactly this tool; empty where its name, or the server's, means something in a pattern."""
    plain = all(part and part.isprintable() and part.translate(_BARE) == part for part in (server, tool))
    pattern = f"{server}:{tool}"
    return pattern if plain and len(pattern) <= _LONGEST_PATTERN else ""

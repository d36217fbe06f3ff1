"""What comes of a call that waits: a person decides, time is up, the client or the server goes, things change.

The invariant: a call runs only if it is judged again now, nothing denies it, and a person has approved exactly it. Each
ends with one row that says allow or deny.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import structs

from mcp_guard.events import ApprovalSettled
from mcp_guard.gate import answers, calls, judging
from mcp_guard.gate.approvals import asking, binding, form
from mcp_guard.gate.approvals.seen import seen
from mcp_guard.gate.approvals.waiting import Waiting
from mcp_guard.gate.messages import INVALID_PARAMS, MalformedError, within
from mcp_guard.gate.outputs import Denied, Output, Pending, Record, Refusal, Reply
from mcp_guard.gate.requests import Open, ReadCall, Request
from mcp_guard.gate.session import Session, answered, replies
from mcp_guard.governance import ApprovalScope, Ruling
from mcp_guard.policy.values import Decision, Json
from mcp_guard.policy.wording import WORDS

KEEP_ALIVE = 10_000_000  # microseconds between two notices of progress for a call that waits

_APPROVED = {
    "once": "{by} approved this {one}.",
    "session": "{by} approved this {thing} for the rest of the connection.",
    "grant": "{by} approved this {thing} ahead.",
}
_DENIED = "{by} denied this {one}{said}"
_NO: Mapping[form.No, str] = {
    "deny": "{by} denied this {one}.",
    "decline": "{by} declined to approve this {one}.",
    "cancel": "The question about this {one} was closed without an answer.",
    "unreadable": "The client answered the question about this {one} with something else than was asked for.",
}
_OF_THE_PERSON: tuple[form.No | None, ...] = (None, "deny", "decline")  # the rest, nobody has said
_EXPIRED = "Nobody decided about it within {} seconds."
_USED = "The approval that was asked for has expired, or was used already."
_ANOTHER = "Another agent is on the line than the one that a person was asked about."
_UNKNOWN = "the requestState is not known, or belongs to another request"
_WAITS = "waiting for a person's approval"

_WITHDRAWN = Decision("deny", "approval", None, "Nobody waits for it any more.")


class Returned(msgspec.Struct, frozen=True):
    """What a client brings back of a question (2026-07-28): the token that names it, and the answer."""

    state: str
    approval: str
    answer: Json


# A person answers through the client


def replied(session: Session, waiting: Waiting, message: dict[str, Json], now: int) -> list[Output]:
    """The client answers the guard's own request. One that cannot ask has asked nobody: the store remains."""
    if "error" in message and session.snapshot.version is not None:
        session.approvals.remove(waiting)
        waiting.question = None
        session.approvals.add(waiting)
        return []
    ruling = session.registry.ruling(waiting.id)
    if ruling is not None:  # somebody was first, in the store, and it was not heard of yet
        return _settled(session, waiting, ruling, now)
    return _answer(session, waiting, message.get("result"), now)


def returned(request: Request) -> Returned | None:
    """What a request brings back of the guard's own, which is taken out of it: the server must never see it."""
    params = request.params
    approval = binding.approval_of(params.get("requestState"))
    if approval is None:
        return None
    responses = params.pop("inputResponses", None)
    state = params.pop("requestState")
    assert isinstance(state, str)
    return Returned(state, approval, within(responses, form.KEY))


def came_back(session: Session, brought: Returned, call: ReadCall, now: int) -> list[Output]:
    """A call comes back with what a person said, or without. Raises MalformedError where it was not asked about."""
    key = session.connection.redaction_key
    bound = binding.call_hash(key, session.connection.server, call)
    if not binding.proves(key, brought.state, brought.approval, bound):
        raise MalformedError(INVALID_PARAMS, _UNKNOWN)
    waiting = session.approvals.waiting.get(brought.approval)
    if waiting is None or not waiting.suspended:
        return [judging.of(call).conclude(session, call, Decision("deny", "approval", brought.approval, _USED), now)]
    waiting.call = call  # the very line that will run
    ruling = session.registry.ruling(waiting.id)
    if ruling is not None:
        return _settled(session, waiting, ruling, now)
    if now < waiting.deadline and not isinstance(brought.answer, dict):
        visible = seen(call, key)
        shown = None if visible is None else form.shown(visible)
        return [] if shown is None else [Reply(asking.question(session, waiting, shown))]
    return _answer(session, waiting, brought.answer, now)


def is_over(session: Session, state: Json, now: int) -> bool:
    """Whether nobody need answer the question any more that was asked with this `requestState` of the guard's own."""
    approval = binding.approval_of(state)
    if approval is None:
        return False
    waiting = session.approvals.waiting.get(approval)
    return waiting is None or now >= waiting.deadline or session.registry.ruling(approval) is not None


def _answer(session: Session, waiting: Waiting, answer: Json, now: int) -> list[Output]:
    if now >= waiting.deadline:
        return _expired(session, waiting, now, waits=True)
    scope = form.scope_of(answer, whole=waiting.whole)
    ruling = Ruling(scope is not None, scope or "once", session.connection.user)
    no = None if ruling.approved else form.no_of(answer)
    return [
        _told(session, waiting, "approved" if ruling.approved else "denied", now, scope, no),
        *_settled(session, waiting, ruling, now, no),
    ]


# A person decides in the store; the policy or the registry changes


def reconsider(session: Session, now: int) -> list[Output]:
    """Something has changed: settle what was decided, or needs nobody's approval any more, or can have none."""
    outputs: list[Output] = []
    for waiting in list(session.approvals.waiting.values()):
        if waiting.suspended:
            continue  # the client comes back
        ruling = session.registry.ruling(waiting.id)
        if ruling is not None:
            outputs += [*_unasked(waiting), *_settled(session, waiting, ruling, now)]
            continue
        decision = judging.of(waiting.call).decide(session, waiting.call, now)
        if decision.outcome != "require_approval":
            outputs += [_told(session, waiting, "withdrawn", now), *_unasked(waiting)]
            outputs.append(_concluded(session, waiting, decision, now))
    return outputs


def _settled(session: Session, waiting: Waiting, ruling: Ruling, now: int, no: form.No | None = None) -> list[Output]:
    """A person has decided: judge the call again, and do what comes of both. A deny wins; `no` is how it was said in a
    form.
    """
    decision = judging.of(waiting.call).decide(session, waiting.call, now)
    if waiting.subject.agent != session.client.principal.agent:
        decision = Decision("deny", "approval", waiting.id, _ANOTHER)
    if decision.outcome != "deny" and not ruling.approved:
        said = f": {ruling.comment}" if ruling.comment else "."
        reason = (_NO[no] if no else _DENIED).format(by=ruling.by, one=WORDS[waiting.call.kind].one, said=said)
        decision = Decision("deny", "approval", waiting.id, reason)
    approved = _approved(waiting, ruling) if ruling.approved else None
    if approved is not None and decision.outcome == "require_approval":
        decision = approved
    if ruling.approved and ruling.scope == "session":
        session.approvals.stand(waiting.subject, waiting.id)
    return [_concluded(session, waiting, decision, now, approved)]


def _approved(waiting: Waiting, ruling: Ruling) -> Decision:
    """The decision on what a person has approved."""
    words = WORDS[waiting.call.kind]
    reason = _APPROVED[ruling.scope].format(by=ruling.by, one=words.one, thing=words.thing)
    return Decision("allow", "approval", waiting.id, reason)


def _concluded(
    session: Session, waiting: Waiting, decision: Decision, now: int, approved: Decision | None = None
) -> Output:
    """The call waits no longer: it runs, or is denied."""
    session.approvals.remove(waiting)
    if not waiting.suspended:
        session.close(waiting.call.request.id)
    return judging.of(waiting.call).conclude(session, waiting.call, decision, now, approved)


# Nobody decides


def tick(session: Session, now: int) -> list[Output]:
    """Time has passed: give up what nobody decided about, and show the clients of the rest that their calls live."""
    outputs: list[Output] = []
    for waiting in list(session.approvals.waiting.values()):
        if now >= waiting.deadline:
            outputs += _at_the_end(session, waiting, now)
        elif not waiting.suspended and now >= waiting.asked + (waiting.told + 1) * KEEP_ALIVE:
            outputs += _keep_alive(waiting)
    return outputs


def _at_the_end(session: Session, waiting: Waiting, now: int) -> list[Output]:
    """Time is up, but for what somebody has decided by then."""
    ruling = None if waiting.suspended else session.registry.ruling(waiting.id)
    if ruling is None:
        return _expired(session, waiting, now, waits=not waiting.suspended)
    return [*_unasked(waiting), *_settled(session, waiting, ruling, now)]


def _keep_alive(waiting: Waiting) -> list[Output]:
    """A notice of progress, if the client asked for any: ever a little more, and less than the server will tell of."""
    waiting.told += 1
    token = within(waiting.call.request.params, "_meta", "progressToken")
    if not isinstance(token, int | str) or isinstance(token, bool):
        return []
    return [Reply(answers.progress(token, waiting.told / 1_000_000, _WAITS))]


def _expired(session: Session, waiting: Waiting, now: int, *, waits: bool) -> list[Output]:
    """Time is up; `waits`: the client waits for the answer to a request."""
    seconds = (waiting.deadline - waiting.asked) // 1_000_000
    decision = Decision("deny", "approval", waiting.id, _EXPIRED.format(seconds))
    told = _told(session, waiting, "expired", now)
    denied = _concluded(session, waiting, decision, now)
    assert isinstance(denied, Denied)
    return [told, *_unasked(waiting), denied if waits else Denied(denied.event, None)]


def cancelled(session: Session, entry: Open, now: int) -> list[Output]:
    """The client does not want the answer to a call that waits."""
    session.close(entry.id)
    waiting = session.approvals.under(entry.id)
    completed = entry.batch.withdraw(entry.id) if entry.batch is not None else None
    return [*(_withdrawn(session, waiting, now) if waiting is not None else []), *replies(completed)]


def withdraw_all(session: Session, now: int) -> list[Output]:
    """Nobody is there any more to run what is approved, or for whom."""
    return [output for one in list(session.approvals.waiting.values()) for output in _withdrawn(session, one, now)]


def _withdrawn(session: Session, waiting: Waiting, now: int) -> list[Output]:
    session.approvals.remove(waiting)
    decision = structs.replace(_WITHDRAWN, rule=waiting.id)
    row = calls.unconditional(judging.of(waiting.call).row(session, waiting.call, decision, now, forwarded=False))
    return [_told(session, waiting, "withdrawn", now), Record(row), *_unasked(waiting)]


def refuse(session: Session, pending: Pending, refusal: Refusal) -> Denied:
    """The row of the question was not written: nobody is asked, and the call is denied."""
    waiting = session.approvals.waiting[pending.event.rule or ""]
    session.approvals.remove(waiting)
    request = waiting.call.request
    if not waiting.suspended:
        session.close(request.id)
    judged = judging.of(waiting.call)
    event = judged.row(session, waiting.call, waiting.decision, pending.event.ts, forwarded=False)
    line = judged.failure(session, waiting.call, refusal.reason, event.id)
    return Denied(calls.unrecorded(event, refusal), answered(request.id, request.batch, line))


def _told(
    session: Session,
    waiting: Waiting,
    status: Literal["approved", "denied", "withdrawn", "expired"],
    now: int,
    scope: ApprovalScope | None = None,
    no: form.No | None = None,
) -> Record:
    """The row that says how it ended, and what the registry keeps of that; `no` is how it was said in a form."""
    decided = status in ("approved", "denied")
    by = session.connection.user if decided and no in _OF_THE_PERSON else None
    data: dict[str, object] = {"status": status, "connection": session.connection.id, "by": by or "mcp-guard"}
    data |= {"via": "client", "scope": scope} if decided else {}
    data |= {"answer": no} if no else {}
    kind = "approval.decided" if decided else "approval.withdrawn"
    event = session.recorder.event(kind, now, data, waiting.label)
    facts = structs.asdict(structs.replace(event, rule=waiting.id))
    return Record(ApprovalSettled(**facts, status=status, scope=scope, by=by))


def _unasked(waiting: Waiting) -> list[Output]:
    """The client need not ask the person any more."""
    return [] if waiting.question is None else [Reply(answers.withdrawn(waiting.question))]

"""A modern server's `input_required`, put to a legacy client as requests (2026-07-28, "Multi Round-Trip Requests").

When the client has answered them all, its request is repeated with the answers under a new id, through the gate: so it
is judged again, on its arguments, under the policy then in force, and has a row of its own.
"""

import msgspec

from mcp_guard.gate.bridge import members, questions
from mcp_guard.gate.bridge.client_link import ClientLink, Step, told
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.wanted import Inquiry, Wanted
from mcp_guard.gate.messages import INTERNAL_ERROR, RequestId

MAX_ROUNDS = 100  # of one request
_FIRST_PAUSE, _LONGEST_PAUSE = 500_000, 16_000_000  # microseconds before a retry that asks nothing

_NOTHING = "mcp-guard: the server needs more input, and does not say what"
_TOO_LARGE = "mcp-guard: the server needs more input, and the request is too large to be repeated with it"
_TOO_LONG = "mcp-guard: the server asked for input, and the client's answer is too large"
_TOO_MANY = "mcp-guard: the server asked for more input too often"
_NOT_SUPPORTED = "mcp-guard: the server asked for input that the client did not declare support for"
_REFUSED = "mcp-guard: the server asked for input, and the client answered with an error"


def inquire(link: ClientLink, wanted: Wanted, result: Members, now: int) -> list[Step]:
    """The server needs something before it can answer a request."""
    asked, state = members.read(result.get("inputRequests")) or {}, result.get("requestState")
    wanted.rounds += 1
    if not asked and state is None:
        return [*link.fail(wanted, INTERNAL_ERROR, _NOTHING)]
    if wanted.params is None:
        return [*link.fail(wanted, INTERNAL_ERROR, _TOO_LARGE)]
    if wanted.rounds > MAX_ROUNDS or not link.book.room_for(len(asked)):
        return [*link.fail(wanted, INTERNAL_ERROR, _TOO_MANY)]
    inquiry = Inquiry(wanted, state, {}, {})
    steps: list[Step] = []
    for key, question in asked.items():
        step = _ask(link, inquiry, key, question)
        if step is None:
            return [*link.fail(wanted, INTERNAL_ERROR, _NOT_SUPPORTED)]
        steps.append(step)
    if not asked:
        inquiry.retry_at = now + min(_FIRST_PAUSE << min(wanted.rounds, 8), _LONGEST_PAUSE)
    link.book.inquire(inquiry)
    return steps


def _ask(link: ClientLink, inquiry: Inquiry, key: str, question: msgspec.Raw) -> Step | None:
    """One question, as a request to the client; None where it cannot be asked that."""
    asked = members.read(question)
    method = members.text_of(asked, "method")
    params = members.read(asked.get("params")) or {} if asked else {}
    values = {name: members.plain(value) for name, value in params.items()}
    if method is None or not questions.supported(method, values, link.capabilities):
        return None
    question_id = link.names.next()
    inquiry.open[question_id] = (key, method)
    if method == "elicitation/create":
        params = _elicitation(link.version, params, question_id)
    return told(method, params or None, question_id)


def _elicitation(version: str, params: Members, question_id: RequestId) -> Members:
    """The params of an elicitation, as the client's revision has them: modes are of 2025-11-25, which names those at a
    URL.
    """
    if members.text_of(params, "mode") == "url":
        return {**params, "elicitationId": members.raw(question_id)}
    return params if version == "2025-11-25" else {name: value for name, value in params.items() if name != "mode"}


def answered(link: ClientLink, inquiry: Inquiry, message: Members) -> list[Step]:
    """The client has answered one question."""
    question_id = members.id_of(message)
    assert question_id is not None
    key, method = inquiry.open.pop(question_id)
    del link.book.questions[question_id]
    answer = message.get("result")
    if members.read(answer) is None:
        answer = members.raw({"action": "cancel"}) if method == "elicitation/create" else None
    if answer is None or not link.book.answer(inquiry, key, answer):
        why = _REFUSED if answer is None else _TOO_LONG
        return [*withdraw(link, inquiry), *link.fail(inquiry.wanted, INTERNAL_ERROR, why)]
    return [] if inquiry.open else [retry(link, inquiry)]


def retry(link: ClientLink, inquiry: Inquiry) -> Step:
    """Repeat the client's request, with the answers."""
    wanted = inquiry.wanted
    assert wanted.params is not None
    if inquiry in link.book.inquiries:
        link.book.end(inquiry)
    params = dict(wanted.params)
    if inquiry.answers:
        params["inputResponses"] = members.raw(inquiry.answers)
    if inquiry.state is not None:
        params["requestState"] = inquiry.state
    return link.request(wanted.method, params, wanted)


def withdraw(link: ClientLink, inquiry: Inquiry) -> list[Step]:
    """Ask the client no more."""
    link.book.end(inquiry)
    return [told("notifications/cancelled", {"requestId": question_id}) for question_id in inquiry.open]


def settled(link: ClientLink, now: int) -> list[Step]:
    """The guard's own questions that need no answer any more: they are taken back, and the requests repeated."""
    steps: list[Step] = []
    asked = [one for one in link.book.inquiries if one.open]
    for inquiry in [one for one in asked if link.gate.is_settled(members.plain(one.state), now)]:
        steps += withdraw(link, inquiry)
        steps.append(retry(link, inquiry))
    return steps


def overdue(link: ClientLink, now: int) -> list[Step]:
    """The retries that only had to wait a while."""
    due = [inquiry for inquiry in link.book.inquiries if not inquiry.open and inquiry.retry_at <= now]
    return [retry(link, inquiry) for inquiry in due]

"""What an upstream's message makes the guard do: the table below says which answer needs what.

Only as much of a line is decoded as is needed to know what it is; what passes, passes as it came, but for characters
that a reader could take for a line end, and halves of characters. An answer that nobody asked for, and what is not
JSON-RPC, goes no further.
"""

from collections.abc import Callable
from typing import TypeGuard

import msgspec

from mcp_guard.events import Event
from mcp_guard.gate import answers, calls, listing, offer_lists, offers, subscriptions
from mcp_guard.gate.batch import MAX_ELEMENTS
from mcp_guard.gate.connection import BATCH_PROTOCOL, SUBSCRIPTION_META
from mcp_guard.gate.heads import Head, NotAMessageError, NotJsonError, Result, read_head
from mcp_guard.gate.known_pages import SHORTEST
from mcp_guard.gate.messages import (
    ENVELOPE_MEMBERS,
    INTERNAL_ERROR,
    MAX_ID_LENGTH,
    RequestId,
    within,
    without_near_names,
)
from mcp_guard.gate.outputs import Listed, Output, Record, Reply
from mcp_guard.gate.pages import Page, UnlistableError, filtered_result, kept_private, with_result
from mcp_guard.gate.requests import Open
from mcp_guard.gate.session import MAX_OPEN, Session, answered, replies
from mcp_guard.gate.wire import (
    UNREADABLE,
    UnreadableError,
    decode,
    decode_elements,
    encode_slices,
    seal,
    without_halves,
)
from mcp_guard.policy.values import Json, OfferKind

_OF_IDS = frozenset((int, float, str))  # and no bool
_TWO_ANSWERS = "the upstream's answer has both a result and an error"  # two readers would see two (JSON-RPC 2.0, 5)


def receive(session: Session, line: bytes, now: int) -> list[Output]:
    """Take in one line of the upstream's."""
    is_batch = session.client.protocol == BATCH_PROTOCOL and line.lstrip()[:1] == b"["
    take = _receive_batch if is_batch else _take_message
    try:
        return take(session, line, now)
    except NotAMessageError as error:
        whole = without_halves(line)
        if whole is not line:
            return receive(session, whole, now)
        rejected = session.rejected("upstream", str(error), len(line), now)
        return rejected + _answered_instead(session, line, now) if isinstance(error, NotJsonError) else rejected


def _answered_instead(session: Session, line: bytes, now: int) -> list[Output]:
    """What becomes of the request to which this was to be the answer, if it was one."""
    from mcp_guard.gate.lost_answers import instead_of

    answer = instead_of(line)
    return [] if answer is None else _take_message(session, answer, now)


def _receive_message(session: Session, line: bytes, now: int) -> list[Output]:
    try:
        return _take_message(session, line, now)
    except NotAMessageError as error:
        return session.rejected("upstream", str(error), len(line), now)


def _take_message(session: Session, line: bytes, now: int) -> list[Output]:
    """Take in one message. Raises NotAMessageError where it is none."""
    head = read_head(line) if len(line) < SHORTEST else _long_head(session, line)
    if head.method is msgspec.UNSET:
        return _receive_response(session, head, line, now)
    if head.id is msgspec.UNSET:
        return _receive_notification(session, head.method, line, now)
    return _receive_request(session, head.id, line, now)


def _long_head(session: Session, line: bytes) -> Head:
    """As `read_head`; but a page of tools that came before is known by its bytes, whatever the id it comes under."""
    asked = session.open_lists or session.tools.running
    request_id = session.tools.recognise(line) if asked else None
    return read_head(line) if request_id is None else Head("2.0", request_id, result=Result())


def _receive_batch(session: Session, line: bytes, now: int) -> list[Output]:
    """An array of messages (2025-03-26): each goes its way; what passes of them passes as an array again."""
    try:
        elements = decode_elements(line)
    except UNREADABLE:
        raise NotJsonError from None
    if len(elements) > MAX_ELEMENTS:
        raise NotAMessageError(f"a batch has more than {MAX_ELEMENTS} elements")
    outputs = [output for element in elements for output in _receive_message(session, bytes(element), now)]
    lines = [output.line for output in outputs if isinstance(output, Reply) and output.line[:1] != b"["]
    if len(lines) < 2:
        return outputs
    others = [output for output in outputs if not (isinstance(output, Reply) and output.line[:1] != b"[")]
    return [Reply(b"[" + b",".join(lines) + b"]"), *others]


def passable(session: Session, line: bytes) -> bytes:
    """The line as it may go to the client.

    While a list that has to be filtered is open, lines are encoded anew: a second `id` in one of them could make a
    reader that takes the first for an answer see the list unfiltered.
    """
    return _in_one_reading(line) if session.open_lists else seal(line)


def _in_one_reading(line: bytes) -> bytes:
    """The line without duplicates, and without members of the envelope that readers heedless of case would add."""
    message = decode(line)
    return encode_slices(without_near_names(message, ENVELOPE_MEMBERS) if isinstance(message, dict) else message)


# Responses


def _receive_response(session: Session, head: Head, line: bytes, now: int) -> list[Output]:
    request_id = head.id
    if request_id is None and head.error is not msgspec.UNSET:
        return [Reply(passable(session, line))]  # about a message whose id the upstream could not read
    entry = session.close_sent(request_id) if _may_be_an_id(request_id) else None
    if entry is None:
        return session.rejected("upstream", "a response to a request that nobody made", len(line), now)
    if head.error is msgspec.UNSET or head.result is msgspec.UNSET or bytes(head.error) == b"null":
        try:
            return _ANSWERS[entry.kind](session, entry, head, line, now)
        except UnreadableError as error:
            recorded = session.rejected("upstream", str(error), len(line), now)
            return _failed(session, entry, f"mcp-guard: the server's answer cannot be read: {error}", now) + recorded
    recorded = session.rejected("upstream", _TWO_ANSWERS, len(line), now)
    if session.observing:
        return _ANSWERS[entry.kind](session, entry, head, line, now) + recorded
    return _failed(session, entry, _TWO_ANSWERS, now) + recorded


def _failed(session: Session, entry: Open, why: str, now: int) -> list[Output]:
    """What becomes of a request whose answer was none that can be passed: it fails."""
    line = answers.error(entry.id, INTERNAL_ERROR, why)
    return _ANSWERS[entry.kind](session, entry, Head("2.0", entry.id, error=msgspec.Raw(b"{}")), line, now)


def _may_be_an_id(value: object) -> TypeGuard[RequestId | float]:
    """A client's request is found under its id however the upstream spells the number: 1, 1.0, 1e0."""
    return type(value) in _OF_IDS


def _passed(session: Session, entry: Open, line: bytes) -> list[Output]:
    return [Reply(line)] if entry.batch is None else replies(entry.batch.answer(entry.id, line))


def _answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    return _passed(session, entry, passable(session, line))


def _call_answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    is_error = head.result is msgspec.UNSET or head.result.isError is True
    label = session.tools.label(entry.tool)
    event = session.recorder.completed(now, label, entry.decision, entry.started, is_error, len(line))
    if entry.approval:
        _asked_back(session, entry, line, now)
    return [*_passed(session, entry, passable(session, line)), Record(event)]


def _asked_back(session: Session, entry: Open, line: bytes, now: int) -> None:
    """What a person has approved goes on where its server needs more input (2026-07-28): nobody is asked twice."""
    try:
        message = decode(line)
    except UnreadableError:
        return  # then a person is asked again
    if within(message, "result", "resultType") == "input_required":
        state = within(message, "result", "requestState")
        session.approvals.asked_back(entry.bound, state if isinstance(state, str) else None, entry.approval, now)


def _list_answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    """The client's own `tools/list`: only what this agent may see, on every page."""
    if head.result is msgspec.UNSET:
        return _passed(session, entry, seal(line) if session.observing else _in_one_reading(line))
    try:
        page = session.tools.read(line)
        learned = session.tools.learn(page)
    except UnlistableError as error:
        failure = seal(line) if session.observing else answers.error(entry.id, INTERNAL_ERROR, str(error))
        return [*_passed(session, entry, failure), *session.rejected("upstream", str(error), len(line), now)]
    shown = _passed(session, entry, seal(line)) if session.observing else _shown(entry, page, learned.visible)
    return [*shown, *listing.changed(session, learned.changes, now)]


def _shown(entry: Open, page: Page, visible: bytes) -> list[Output]:
    """A page of tools with only those that this agent may see."""
    result = filtered_result(page, visible, modern=entry.modern)
    line = with_result(page, result)
    if entry.batch is not None:
        return replies(answered(entry.id, entry.batch, line))
    return [Listed(line, entry.id, result, visible)]


def _offer_answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    """What an admitted request for a prompt or resource got."""
    event = _offer_completed(session, entry, head, line, now)
    return [*_passed(session, entry, passable(session, line)), Record(event)]


def _reading_answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    """A resource that the policy let this agent read is for it alone, whatever the upstream says of sharing it."""
    event = _offer_completed(session, entry, head, line, now)
    shown = passable(session, line) if head.result is msgspec.UNSET else kept_private(line)
    return [*_passed(session, entry, shown), Record(event)]


def _offer_completed(session: Session, entry: Open, head: Head, line: bytes, now: int) -> Event:
    if entry.approval:
        _asked_back(session, entry, line, now)
    return offers.completed(session, entry, now, is_error=head.result is msgspec.UNSET, size=len(line))


def _offers_answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    """A list of prompts, resources or templates: only what this agent may see, on every page."""
    if head.result is msgspec.UNSET or session.observing:
        return _passed(session, entry, seal(line) if session.observing else _in_one_reading(line))
    try:
        shown = offer_lists.visible(session, entry, line)
    except UnlistableError as error:
        failure = answers.error(entry.id, INTERNAL_ERROR, str(error))
        return [*_passed(session, entry, failure), *session.rejected("upstream", str(error), len(line), now)]
    return _passed(session, entry, shown)


def _initialize_answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    """The protocol revision is settled; the list of tools is announced as one that may change."""
    result, line = _capabilities(session, head, line)
    if result is not None and session.client.introduce(None, result.get("protocolVersion"), session.policy):
        session.identity_changed()
    return _passed(session, entry, line)


def _discover_answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    """The modern era's probe succeeded, so the connection stands: list the tools."""
    result, line = _capabilities(session, head, line)
    outputs = _passed(session, entry, line)
    if result is None or session.tools.running or session.tools.up_to_date:
        return outputs
    return outputs + (listing.begin(session, now) if session.has_tools else listing.none_to_list(session, now))


def _capabilities(session: Session, head: Head, line: bytes) -> tuple[dict[str, Json] | None, bytes]:
    """The result that holds the upstream's capabilities, and the line to pass on for it."""
    message = decode(line) if head.result is not msgspec.UNSET else None
    result = within(message, "result")
    if not isinstance(result, dict):
        return None, passable(session, line)
    session.has_tools = answers.has_tools(result)
    if session.observing:
        return result, seal(line)
    answers.announce_list_changes(result, [kind for kind in answers.LISTS if session.governs(kind)])
    session.announces = answers.announced(result)
    return result, encode_slices(message)


def _own_list_answer(session: Session, entry: Open, head: Head, line: bytes, now: int) -> list[Output]:
    """A page for the guard itself; with the last one, the calls that waited are judged."""
    outputs = listing.receive(session, line, now)
    return outputs if session.tools.running else outputs + calls.release(session, now)


# Notifications and requests


def _receive_notification(session: Session, method: str, line: bytes, now: int) -> list[Output]:
    handle = _NOTIFICATIONS.get(method)
    return [Reply(passable(session, line))] if handle is None else handle(session, line, now)


def _tools_changed(session: Session, line: bytes, now: int) -> list[Output]:
    stands = session.initialized or session.client.envelope is not None
    relist = stands and session.tools.outdated(now)
    return [Reply(passable(session, line)), *(listing.begin(session, now) if relist else [])]


def _acknowledged(session: Session, line: bytes, now: int) -> list[Output]:
    """The guard honours changes of lists itself where the upstream does not, so the acknowledgment says so."""
    message = decode(line)
    agreed, subscription = (
        within(message, "params", "notifications"),
        within(message, "params", "_meta", SUBSCRIPTION_META),
    )
    entry = session.open.get(subscription) if isinstance(subscription, int | str) else None
    honoured: list[OfferKind] = [kind for kind in entry.wants if session.governs(kind)] if entry is not None else []
    if session.observing or not honoured or not isinstance(agreed, dict):
        return [Reply(passable(session, line))]
    agreed.update({subscriptions.FLAGS[kind]: True for kind in honoured})
    return [Reply(encode_slices(message))]


def _resource_updated(session: Session, line: bytes, now: int) -> list[Output]:
    """An update of a resource: not for an agent that may not read it, whatever was subscribed to and when."""
    session.refresh(now)
    if session.governs("resource") and not session.observing:
        message = decode(line)
        params, uri = within(message, "params"), within(message, "params", "uri")
        if not isinstance(uri, str) or not offers.is_shown(session, "resource", uri):
            return session.rejected("upstream", "an update of a resource that the agent may not read", len(line), now)
        assert isinstance(message, dict)
        assert isinstance(params, dict)
        told = without_near_names(message, ENVELOPE_MEMBERS)
        return [Reply(encode_slices({**told, "params": without_near_names(params, frozenset(("uri",)))}))]
    return [Reply(passable(session, line))]


def _cancelled(session: Session, line: bytes, now: int) -> list[Output]:
    """The upstream withdraws a request of its own (legacy), or ends a subscription (modern)."""
    request_id = within(decode(line), "params", "requestId")
    if type(request_id) is int or type(request_id) is str:  # and no bool: true would stand for 1
        session.asked.discard(request_id)
        entry = session.open.get(request_id)
        if entry is not None and entry.kind == "listen":
            entry.wants = frozenset()
    return [Reply(passable(session, line))]


def _receive_request(session: Session, request_id: object, line: bytes, now: int) -> list[Output]:
    """The upstream asks the client something (legacy: sampling, elicitation, roots, ping)."""
    if not isinstance(request_id, int | str) or isinstance(request_id, bool) or len(str(request_id)) > MAX_ID_LENGTH:
        return session.rejected("upstream", "a request's id must be a short string or an integer", len(line), now)
    if request_id in session.asked or request_id in session.approvals.questions or len(session.asked) >= MAX_OPEN:
        return session.rejected("upstream", "a request under the id of one that is still open", len(line), now)
    session.asked.add(request_id)
    return [Reply(passable(session, line))]


_ANSWERS: dict[str, Callable[[Session, Open, Head, bytes, int], list[Output]]] = {
    "call": _call_answer,
    "discover": _discover_answer,
    "initialize": _initialize_answer,
    "list": _list_answer,
    "listen": _answer,
    "other": _answer,
    "own_list": _own_list_answer,
    "offer": _offer_answer,
    "offers": _offers_answer,
    "reading": _reading_answer,
}

_NOTIFICATIONS: dict[str, Callable[[Session, bytes, int], list[Output]]] = {
    "notifications/cancelled": _cancelled,
    "notifications/resources/updated": _resource_updated,
    "notifications/subscriptions/acknowledged": _acknowledged,
    "notifications/tools/list_changed": _tools_changed,
}

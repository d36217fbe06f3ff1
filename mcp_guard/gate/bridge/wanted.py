"""Requests of a legacy client's that a modern upstream works on, and the questions that the client is asked in them.

A modern server that needs something of the client answers with `input_required`; the guard then asks the legacy client
with requests, and repeats the client's request with the answers, under an id of its own. So one request of the client's
may be several of the gate's, one after another. Everything here is bounded.
"""

from typing import Literal

import msgspec

from mcp_guard.gate.batch import Batch
from mcp_guard.gate.bridge.members import Members, size_of
from mcp_guard.gate.messages import RequestId

MAX_QUESTIONS = 1_024  # of all requests
MAX_CANCELLED = 1_024  # cancelled requests whose late answers are still recognised
MAX_INQUIRIES = 1_024  # requests that the upstream needs more input for
MAX_KEPT = 64 * 1024 * 1024  # bytes of params that are kept to be repeated, and of the client's answers for it

Kind = Literal["client", "listen", "verbatim", "watch"]


class Wanted(msgspec.Struct):
    """One request of the client's, or a subscription that the guard opened for it.

    `gate_id` is its id towards the gate now, None while the client is asked. `params` are kept where it may have to be
    repeated. `uri` is the resource that is watched, `settled` whether the client knows of it.
    """

    id: RequestId
    method: str
    kind: Kind = "client"
    gate_id: RequestId | None = None
    params: Members | None = None
    batch: Batch | None = None
    rounds: int = 0
    uri: str = ""
    settled: bool = False


class Inquiry(msgspec.Struct):
    """What the client is asked for one request. `open`: the guard's request ids, each with its key and method."""

    wanted: Wanted
    state: msgspec.Raw | None
    open: dict[RequestId, tuple[str, str]]
    answers: Members
    retry_at: int = 0  # where nothing is asked: when to try again


class Book:
    """All of them, of one connection."""

    def __init__(self) -> None:
        self.by_client: dict[RequestId, Wanted] = {}  # requests that the client waits for
        self.by_gate: dict[RequestId, Wanted] = {}  # requests that the gate waits for
        self.questions: dict[RequestId, Inquiry] = {}
        self.inquiries: list[Inquiry] = []
        self._cancelled: dict[RequestId, None] = {}  # ids towards the gate, oldest first
        self._kept = 0

    def knows(self, request_id: RequestId) -> bool:
        """Whether a request of the client's under this id may still be answered."""
        return request_id in self.by_client or request_id in self._cancelled

    def add(self, wanted: Wanted, gate_id: RequestId) -> None:
        """The gate is given this request under an id."""
        wanted.gate_id = gate_id
        self.by_gate[gate_id] = wanted
        if wanted.kind != "listen" and not wanted.settled:
            self.by_client[wanted.id] = wanted

    def keep(self, wanted: Wanted, params: Members) -> None:
        """Remember what to repeat, while there is room for it."""
        size = size_of(params)
        if self._kept + size <= MAX_KEPT:
            self._kept += size
            wanted.params = params

    def answered(self, gate_id: RequestId) -> Wanted | None:
        """The gate has answered; None where nobody waits under that id."""
        wanted = self.by_gate.pop(gate_id, None)
        if wanted is not None:
            wanted.gate_id = None
        return wanted

    def cancel(self, wanted: Wanted) -> None:
        """The client wants no answer. One may come all the same, and goes nowhere."""
        if wanted.gate_id is not None:
            self._cancelled[wanted.gate_id] = None
            if len(self._cancelled) > MAX_CANCELLED:
                del self._cancelled[next(iter(self._cancelled))]
        self.close(wanted)

    def was_cancelled(self, gate_id: RequestId) -> bool:
        """Whether this answer is one that nobody wants any more; it is the last one then."""
        known = gate_id in self._cancelled
        self._cancelled.pop(gate_id, None)
        return known

    def close(self, wanted: Wanted) -> None:
        """The client waits no longer."""
        if self.by_client.get(wanted.id) is wanted:
            del self.by_client[wanted.id]
        if wanted.gate_id is not None:
            self.by_gate.pop(wanted.gate_id, None)
        if wanted.params is not None:
            self._kept -= size_of(wanted.params)
            wanted.params = None

    def room_for(self, questions: int) -> bool:
        """Whether the client may be asked so many questions more, for one more request."""
        return len(self.questions) + questions <= MAX_QUESTIONS and len(self.inquiries) < MAX_INQUIRIES

    def inquire(self, inquiry: Inquiry) -> None:
        """The client is asked."""
        self.inquiries.append(inquiry)
        for question_id in inquiry.open:
            self.questions[question_id] = inquiry

    def answer(self, inquiry: Inquiry, key: str, answer: msgspec.Raw) -> bool:
        """The client has answered a question. False where there is no room for what it said."""
        size = memoryview(answer).nbytes
        if self._kept + size > MAX_KEPT:
            return False
        self._kept += size
        inquiry.answers[key] = answer
        return True

    def end(self, inquiry: Inquiry) -> None:
        """The client is asked no more."""
        self.inquiries.remove(inquiry)
        self._kept -= size_of(inquiry.answers)
        for question_id in inquiry.open:
            self.questions.pop(question_id, None)

    def inquiry_for(self, wanted: Wanted) -> Inquiry | None:
        """What the client is asked for this request, if it is."""
        return next((inquiry for inquiry in self.inquiries if inquiry.wanted is wanted), None)

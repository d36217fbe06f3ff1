"""Requests of a modern client's that a legacy upstream works on, and the upstream's questions that are open in them.

Legacy servers ask with requests of their own while a call runs. A modern client's request is answered when there is a
question (`input_required`), and its retry is another request: so one errand upstream may be several requests of the
client's, one after another. Everything here is bounded.
"""

from collections import deque
from collections.abc import Collection

import msgspec

from mcp_guard.gate.bridge.members import Members, size_of
from mcp_guard.gate.bridge.names import Names
from mcp_guard.gate.messages import RequestId
from mcp_guard.policy.values import Json

MAX_SUSPENDED = 1_024  # errands that wait for an answer of the client's
MAX_QUESTIONS = 16  # questions of one errand that wait
MAX_CANCELLED = 1_024  # cancelled errands whose late answers are still recognised
MAX_KEPT = 64 * 1024 * 1024  # bytes of questions that wait; of answers that came before the client's retry
LIFETIME = 10 * 60 * 1_000_000  # microseconds that a question stays open: a person may have to answer it


class Question(msgspec.Struct, frozen=True):
    """A request of the upstream's to the client."""

    id: RequestId
    method: str
    params: Members


class Errand(msgspec.Struct):
    """One request of the client's, as it goes on upstream under `upstream_id`.

    `asked_under` is the id under which the client waits for it now, None while the client is to answer a question (it
    is suspended then; `number` names the question that it was asked last). `retold` undoes the last retry, should its
    row not be written. `elsewhere`: the upstream has refused it until a person has been to these places; the retry is a
    new errand then.
    """

    upstream_id: RequestId
    asked_under: RequestId | None
    last: RequestId
    method: str
    digest: bytes = b""
    capabilities: dict[str, Json] = {}
    level: int | None = None
    token: RequestId | None = None  # of progress: the client's, in the request that it waits for
    upstream_token: RequestId | None = None  # the one that the upstream was given
    questions: list[Question] = []
    number: int = 0
    deadline: int = 0
    answer: Members | None = None  # the upstream's, when it came while the errand was suspended
    retold: Question | None = None
    elsewhere: Members = {}


class Errands:
    """All errands of one connection."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._kept = 0
        self._cancelled: deque[RequestId] = deque()
        self.by_client: dict[RequestId, Errand] = {}  # those that the client waits for
        self.by_upstream: dict[RequestId, Errand] = {}  # those that the upstream has not answered
        self.by_token: dict[RequestId, Errand] = {}  # those that may be asked questions, by the upstream's token
        self.suspended: dict[int, Errand] = {}

    def free_id(self, wanted: RequestId) -> RequestId:
        """The id for a new errand upstream: the client's own, unless the upstream still works under it."""
        return self._names.next() if wanted in self.by_upstream else wanted

    def add(self, errand: Errand) -> None:
        """The upstream is given a new errand."""
        assert errand.asked_under is not None
        self.by_client[errand.asked_under] = self.by_upstream[errand.upstream_id] = errand
        if errand.upstream_token is not None and errand.digest:
            self.by_token[errand.upstream_token] = errand

    def drop(self, errand: Errand) -> None:
        """Nobody waits for this errand any more."""
        if errand.asked_under is not None:
            self.by_client.pop(errand.asked_under, None)
        self.by_upstream.pop(errand.upstream_id, None)
        self.suspended.pop(errand.number, None)
        if errand.upstream_token is not None and self.by_token.get(errand.upstream_token) is errand:
            del self.by_token[errand.upstream_token]
        self._keep(errand, None)

    def cancel(self, errand: Errand) -> None:
        """The client wants no answer. One may come all the same, and the gate knows what to do with it. Nobody can be
        asked for it any more.
        """
        errand.digest = b""
        self._cancelled.append(errand.upstream_id)
        if len(self._cancelled) > MAX_CANCELLED:
            oldest = self.by_upstream.get(self._cancelled.popleft())
            if oldest is not None:
                self.drop(oldest)

    # Questions

    def asker(self) -> Errand | None:
        """The errand that a question of the upstream's belongs to, which does not say so: the oldest that can be asked
        and was not asked yet, or the oldest of all that can.
        """
        able = [errand for errand in self.by_upstream.values() if errand.digest]
        return next((errand for errand in able if not errand.questions), able[0] if able else None)

    def waits_for_any_of(self, methods: Collection[str]) -> bool:
        """Whether the upstream works on a request of one of these methods that the client still waits for."""
        open_ones = (errand for errand in self.by_upstream.values() if errand.upstream_id not in self._cancelled)
        return any(errand.method in methods for errand in open_ones)

    def close(self, errand: Errand) -> None:
        """The upstream has answered."""
        self.by_upstream.pop(errand.upstream_id, None)

    def room_for(self, question: Question) -> bool:
        """Whether one more question may wait."""
        waiting = [one for errand in self.by_upstream.values() for one in errand.questions]
        size = sum(size_of(one.params) for one in waiting) + size_of(question.params)
        return len(self.suspended) < MAX_SUSPENDED and size <= MAX_KEPT

    def suspend(self, errand: Errand, deadline: int) -> None:
        """The client is asked: its request is answered, and the errand waits for the retry."""
        if errand.asked_under is not None:
            self.by_client.pop(errand.asked_under, None)
        errand.asked_under, errand.number, errand.deadline = None, self._names.number(), deadline
        self.suspended[errand.number] = errand

    def resume(self, errand: Errand, request_id: RequestId) -> None:
        """The client's retry came: it waits for the errand again, under another id."""
        self.suspended.pop(errand.number, None)
        errand.asked_under = errand.last = request_id
        self.by_client[request_id] = errand

    def revert(self, errand: Errand) -> None:
        """The retry does not count after all: the same token may be used again."""
        if errand.asked_under is not None:
            self.by_client.pop(errand.asked_under, None)
        errand.asked_under = None
        self.suspended[errand.number] = errand
        if errand.retold is not None:
            errand.questions.insert(0, errand.retold)
            errand.retold = None

    def keep(self, errand: Errand, answer: Members) -> bool:
        """The upstream's answer waits for the client's retry. False where there is no room for it."""
        return self._keep(errand, answer)

    def _keep(self, errand: Errand, answer: Members | None) -> bool:
        before, after = size_of(errand.answer or {}), size_of(answer or {})
        if self._kept - before + after > MAX_KEPT:
            return False
        self._kept += after - before
        errand.answer = answer
        return True

    def overdue(self, now: int) -> list[Errand]:
        """Suspended errands whose time is up."""
        return [errand for errand in self.suspended.values() if errand.deadline <= now]

    def asked_last_under(self, request_id: RequestId) -> Errand | None:
        """The suspended errand whose question answered the client's request of that id."""
        return next((errand for errand in self.suspended.values() if errand.last == request_id), None)

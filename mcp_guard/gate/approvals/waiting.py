"""The calls of one connection that wait for a person, and what a person has approved for the rest of it.

Everything here is bounded. A call waits in one of two ways: its request is open, and is answered once it is decided; or
(2026-07-28) its request was answered with the question (`suspended`), and the client comes back with the answer.
"""

import msgspec

from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.requests import ReadCall
from mcp_guard.policy.values import Decision, Json, OfferKind

MAX_WAITING = 64  # calls of one connection
MAX_BYTES = 64 * 1024 * 1024  # of their messages; one alone may be as large as any message
_MAX_STANDING = 1_024  # tools, prompts and resources that were approved for the session
_MAX_ASKED_BACK = 1_024  # approved calls whose servers need more input; the oldest are forgotten
_LONGEST_STATE = 16 * 1024  # characters of a `requestState`, which the server chooses
_ASKED_BACK = 10 * 60 * 1_000_000  # microseconds in which the client has to come back with it


class Subject(msgspec.Struct, frozen=True):
    """What a person approves for a session, and for which agent: a tool by its definition, a prompt, a resource."""

    agent: str
    kind: OfferKind
    name: str
    definition: str


class Waiting(msgspec.Struct):
    """One call that waits. `label` names what it is of as a person is shown it, `subject` is what a yes for the session
    is about, as it was when the person was asked, `decision` says why a person is asked, `bound` is the hash of what
    would run, `whole` says whether a person can see all of it, `deadline` is microseconds since the epoch, and
    `question` the id of the guard's own request to the client while that is open.
    """

    id: str
    call: ReadCall
    label: str
    subject: Subject
    decision: Decision
    bound: str
    asked: int
    deadline: int
    whole: bool = True
    question: str | None = None
    suspended: bool = False
    told: int = 0  # how often the client was told that the call still waits


class Approvals:
    """All of one connection's."""

    def __init__(self) -> None:
        self.waiting: dict[str, Waiting] = {}  # by the approval's id
        self.questions: dict[RequestId, Waiting] = {}  # by the id of the question that the client is asked
        self._standing: dict[Subject, str] = {}
        self._asked_back: dict[tuple[str, Json], tuple[str, int]] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self.waiting)

    def room_for(self, call: ReadCall) -> bool:
        """Whether one more call can wait."""
        kept = sum(len(one.call.line) for one in self.waiting.values())
        return len(self.waiting) < MAX_WAITING and (not kept or kept + len(call.line) <= MAX_BYTES)

    def next_id(self, connection: str) -> str:
        """The id of a new approval."""
        self._count += 1
        return f"{connection}-a{self._count}"

    def add(self, waiting: Waiting) -> None:
        """A call waits from now on."""
        self.waiting[waiting.id] = waiting
        if waiting.question is not None:
            self.questions[waiting.question] = waiting

    def remove(self, waiting: Waiting) -> None:
        """A call waits no longer."""
        self.waiting.pop(waiting.id, None)
        if waiting.question is not None:
            self.questions.pop(waiting.question, None)

    def under(self, request_id: RequestId) -> Waiting | None:
        """The call that waits with this open request of the client's."""
        found = (one for one in self.waiting.values() if one.call.request.id == request_id and not one.suspended)
        return next(found, None)

    def asked_back(self, bound: str, state: Json, approval: str, now: int) -> None:
        """The server needs more input for an approved call: its retry with this `requestState` goes on with it. About
        one with a state that is too long to be kept, a person is asked again.
        """
        if isinstance(state, str) and len(state) > _LONGEST_STATE:
            return
        self._asked_back[bound, state] = approval, now + _ASKED_BACK
        if len(self._asked_back) > _MAX_ASKED_BACK:
            del self._asked_back[next(iter(self._asked_back))]

    def going_on(self, bound: str, state: Json, now: int) -> str | None:
        """The approval of the call that this is a retry of, once; None where it is none."""
        approval, deadline = self._asked_back.pop((bound, state), (None, 0))
        return approval if now < deadline else None

    def stand(self, subject: Subject, approval: str) -> None:
        """A person has approved this for the rest of the connection."""
        if len(self._standing) < _MAX_STANDING:
            self._standing[subject] = approval

    def standing(self, subject: Subject) -> str | None:
        """The approval by which this is allowed for the rest of the connection."""
        return self._standing.get(subject)

"""The state of one guarded connection: who is on the line, what is open, what the upstream offers.

Everything that a later message needs of an earlier one is kept here and nowhere else. What is done with it stands in
`calls`, `listing`, `from_client` and `from_upstream`.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal

from msgspec import structs

from mcp_guard.gate.approvals.waiting import Approvals
from mcp_guard.gate.batch import Batch
from mcp_guard.gate.connection import Client, Connection
from mcp_guard.gate.messages import INVALID_REQUEST, MalformedError, RequestId
from mcp_guard.gate.outputs import Forward, Output, Record, Reply
from mcp_guard.gate.recorder import Recorder
from mcp_guard.gate.rejections import Rejections
from mcp_guard.gate.requests import FILTERED, Kind, Open, Request
from mcp_guard.gate.tools import Tools
from mcp_guard.gate.wire import encode
from mcp_guard.governance import (
    UNVERIFIED,
    NoRegistry,
    Registry,
    Snapshot,
    budget,
    ordered,
    preview,
    unproven,
    verdict,
)
from mcp_guard.policy import Policy
from mcp_guard.policy.values import Call, Decision, Json, OfferKind, Visibility, VisibilityLevel

MAX_OPEN = 65_536  # requests of one side that wait for an answer
ENDED = "This connection was ended from outside: {}."
MAX_CANCELLED = 1_024  # cancelled requests whose late answers are still recognised


class Session:
    """One connection between a client and an upstream, from its first message to its last."""

    def __init__(self, connection: Connection, policy: Policy, registry: Registry | None = None) -> None:
        self.connection = connection
        self.observing = connection.mode == "observe"  # decisions are recorded only
        self.policy = policy
        self.registry = registry or NoRegistry()
        self._snapshot: Snapshot | None = None  # how the agent stands, once that was asked for
        self._shown_under: tuple[object, ...] | None = None  # how it stood, where that may be otherwise by now
        self._changes = self.registry.changes  # what the registry said when it was last asked
        self.ended: str | None = None  # why somebody has ordered that this connection ends
        self.client = Client(connection, policy)
        self.recorder = Recorder(connection, self.client, policy)
        self.tools = Tools(lambda tool: self.preview("tool", tool))
        self.approvals = Approvals()  # the calls that wait for a person
        self.open: dict[RequestId | float, Open] = {}  # the client's requests, by id: 1.0 finds 1, as they are equal
        self.asked: set[RequestId] = set()  # ids of the upstream's requests that the client has not answered
        self.initialized = False  # legacy: the client has sent `notifications/initialized`
        self.has_tools = True  # what the upstream's capabilities said; until then, perhaps
        self.announces: frozenset[OfferKind] = frozenset()  # the lists of which it was declared that they may change
        self.announced = False  # an agent.connected event stands for what the client last said of itself
        self.announcements = self.announced_at = 0  # how many such there are, and when the last one was
        self.own_requests = 0
        self.open_lists = 0  # open requests of the client's whose answers are filtered
        self.held = 0  # bytes of the calls that wait until the upstream's tools are known
        self._cancelled: deque[RequestId] = deque()
        self._rejections = {"client": Rejections(), "upstream": Rejections()}  # one that floods hides no other's

    @property
    def snapshot(self) -> Snapshot:
        """How the agent on the line stands in the registry."""
        known = self._snapshot
        if known is None or known.agent != self.client.principal.agent:
            known = self._snapshot = self._look_up()
            self.client.enroll(known)
        return known

    def _look_up(self) -> Snapshot:
        """How the agent stands; and whether the connection is to end, as an order that the answer knows of already
        would not be heard of again.
        """
        self._changes = self.registry.changes
        found = self.registry.snapshot(self.client.principal.agent, self.connection.credential)
        self.ended = self.registry.ended(self.connection.id)
        return found

    def decide(self, call: Call, now: int, decide: Callable[[Call], Decision] | None = None) -> Decision:
        """The verdict on a call of this client's; see `governance.verdict`.

        What is allowed may be so under a registry that has changed since: its row is only written where it has not. A
        denial is given under the registry as it is now.
        """
        decision = self._verdict(call, now, decide)
        if decision.outcome == "allow" or not self.refresh(now):
            return decision
        return self._verdict(structs.replace(call, principal=self.client.principal), now, decide)

    def _verdict(self, call: Call, now: int, decide: Callable[[Call], Decision] | None) -> Decision:
        snapshot = self.snapshot
        if self.observing and snapshot.counted:  # where nothing is refused, nothing else tells what is spent
            self.registry_changed()
            call, snapshot = structs.replace(call, principal=self.client.principal), self.snapshot
        if self.ended is not None:  # each look may have heard of it
            return Decision("deny", "guard", None, ENDED.format(self.ended), binding=True)
        by_order = ordered(snapshot, now) if self.observing else None
        return by_order or verdict(self.policy, call, snapshot, now, decide)

    def stopped(self, now: int) -> str | None:
        """Why nothing of this client goes on, whatever it asks for; None where something may."""
        if self.ended is not None:
            return ENDED.format(self.ended)
        by_order = ordered(self.snapshot, now)
        if by_order is not None:
            return by_order.reason
        return UNVERIFIED if unproven(self.policy, self.client.principal) and not self.observing else None

    def forwards(self, decision: Decision) -> bool:
        """Whether what was decided on goes upstream: what is allowed, and to an observer all but what is ordered."""
        return decision.outcome == "allow" or (self.observing and not decision.binding)

    def budget_spent(self, now: int) -> Decision | None:
        """The store has found a budget spent: look at it, so that the next call is judged by what is left."""
        self.registry_changed()
        return budget(self.snapshot, now)

    def call(self, name: str, arguments: dict[str, Json], kind: OfferKind = "tool") -> Call:
        """What a client asks for, as a call to decide."""
        return Call(self.client.principal, self.connection.server, name, arguments, kind)

    def preview(self, kind: OfferKind, name: str) -> VisibilityLevel:
        """How a tool, prompt or resource is shown to this client."""
        snapshot = self.snapshot
        call = self.call(name, {}, kind)
        shown = self.policy.preview(call.principal, call.server, name, kind=kind)
        return preview(self.policy, shown, call, snapshot, snapshot.taken).level

    def shows_template(self, template: str) -> bool:
        """Whether this client may see a template of resources: some URI that it could expand to could be read."""
        call, snapshot = self.call(template, {}, "resource"), self.snapshot
        shown = self.policy.shows_template(call.principal, call.server, template)
        visible = Visibility("conditional" if shown else "denied")
        return preview(self.policy, visible, call, snapshot, snapshot.taken).level != "denied"

    def governs(self, kind: OfferKind) -> bool:
        """Whether anything has a say in the prompts or resources of this upstream, for this client."""
        principal = self.client.principal
        if self.ended is not None or unproven(self.policy, principal):
            return True
        return not self.snapshot.plain or self.policy.governs(principal, self.connection.server, kind)

    def own_id(self) -> str:
        """An id for a request of the guard's own: none that a request of the client's has, who may foresee it."""
        while True:
            self.own_requests += 1
            own = f"mcp-guard/{self.connection.id}/{self.own_requests}"
            if own not in self.open:
                return own

    def opened(self, entry: Open) -> None:
        """A request waits for its answer from now on."""
        self.open[entry.id] = entry
        if entry.kind in FILTERED:
            self.open_lists += 1
        if entry.held is not None:
            self.held += len(entry.held.line)
        if entry.batch is not None:
            entry.batch.expect(entry.id)

    def close(self, request_id: RequestId | float) -> Open | None:
        """The answer to a request came, or never will: it waits no longer. None where nobody waits under that id."""
        entry = self.open.get(request_id)
        return None if entry is None else self._closed(entry)

    def close_sent(self, request_id: RequestId | float) -> Open | None:
        """The same for an answer of the upstream's, which has not been sent what still waits to be judged."""
        entry = self.open.get(request_id)
        if entry is None or entry.kind == "approval" or entry.held is not None:
            return None
        return self._closed(entry)

    def _closed(self, entry: Open) -> Open:
        del self.open[entry.id]
        if entry.kind in FILTERED:
            self.open_lists -= 1
        if entry.held is not None:
            self.held -= len(entry.held.line)
        return entry

    def cancelled(self, entry: Open) -> None:
        """The client does not want the answer any more. It may come all the same, and is treated as ever then."""
        entry.cancelled, entry.batch, entry.wants = True, None, frozenset()
        self._cancelled.append(entry.id)
        if len(self._cancelled) > MAX_CANCELLED:
            oldest = self.open.get(self._cancelled.popleft())
            if oldest is not None and oldest.cancelled:
                self.close(oldest.id)

    @property
    def _stands(self) -> tuple[object, ...] | None:
        """What of the agent's standing bears on what it is shown; None where nobody asked for it yet."""
        return None if self._snapshot is None else self._snapshot.visible

    @property
    def shown_under(self) -> tuple[object, ...] | None:
        """The same as it was when the client last heard of a change."""
        return self._shown_under or self._stands

    def refresh(self, now: int) -> bool:
        """Take in what has changed in the registry by now; gives whether anything may stand otherwise."""
        if self.registry.refresh(now) == self._changes:
            return False
        self.registry_changed()
        return True

    def registry_changed(self) -> None:
        """What is kept of agents has changed: it is asked for anew."""
        if self._snapshot is None:
            self._changes = self.registry.changes
            self.ended = self.registry.ended(self.connection.id)
        else:
            self._shown_under = self.shown_under
            self._snapshot = self._look_up()
            self.client.enroll(self._snapshot)
        self.tools.forget_visibility()

    def stands_otherwise(self) -> bool:
        """Ask anew how the agent stands. Gives whether it stands otherwise than when the client was last told so."""
        self.registry_changed()
        before, self._shown_under = self._shown_under, None
        return before is not None and before != self._stands

    def identity_changed(self) -> None:
        """The client has introduced itself anew: what it may see is open again, and its connection to be recorded."""
        self._snapshot = self._shown_under = None
        self.announced = False
        self.tools.forget_visibility()

    def refuse_reused(self, request_id: RequestId) -> None:
        """Raise MalformedError where the id belongs to a request that is still open, or too many are."""
        if request_id in self.open:
            raise MalformedError(INVALID_REQUEST, "the id belongs to a request that is still open")
        if len(self.open) >= MAX_OPEN:
            raise MalformedError(INVALID_REQUEST, f"more than {MAX_OPEN} requests are open")

    def rejected(self, sender: Literal["client", "upstream"], reason: str, size: int, now: int) -> list[Output]:
        """The event of a message that goes no further; none each once a peer has sent too many of them."""
        told = self._rejections[sender].refused(reason, size, now)
        return [] if told is None else [Record(self.recorder.rejected(now, sender, told.reason, told.size))]

    def rejections_left(self, now: int) -> list[Output]:
        """The events of messages that were refused and have none yet: the connection ends."""
        left = [(sender, rejections.rest(now)) for sender, rejections in self._rejections.items()]
        return [Record(self.recorder.rejected(now, sender, told.reason, told.size)) for sender, told in left if told]

    def replace_policy(self, policy: Policy) -> None:
        """Another policy is in force from now on."""
        self.policy = self.recorder.policy = policy
        self.client.identify(policy)
        self._snapshot = self._shown_under = None
        self.tools.forget_visibility()


def forward(session: Session, request: Request, kind: Kind, now: int) -> list[Output]:
    """Send a request upstream as it was read, and wait for its answer."""
    line = encode(request.message)
    session.opened(Open(request.id, kind, now, request.modern, request.batch, method=request.method))
    return [Forward(line)]


def answered(request_id: RequestId | None, batch: Batch | None, line: bytes) -> bytes | None:
    """The line that goes to the client for one answer: itself, or the batch that it completes, or nothing yet."""
    return line if batch is None else batch.answer(request_id, line)


def replies(line: bytes | None) -> list[Output]:
    """`line` as outputs, if there is one."""
    return [] if line is None else [Reply(line)]

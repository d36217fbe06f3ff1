"""The state of a hub: its servers, what the client has open, what servers have asked the client, and who owns what.

Everything that a later message needs of an earlier one is kept here, on the arms, or in a gather or subscription. What
is to be done leaves through `outbox`; what a gate says to the client passes through `inbox` first, where the hub reads
it. The invariant: only the arm that a request was sent to can answer it.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from mcp_guard.events import Event
from mcp_guard.gate import answers
from mcp_guard.gate.batch import Batch
from mcp_guard.gate.connection import Client, Connection
from mcp_guard.gate.hub import messages
from mcp_guard.gate.hub.arm import Arm, Held, Member, OpenGate, Then
from mcp_guard.gate.hub.early import Early, Line
from mcp_guard.gate.hub.naming import Naming
from mcp_guard.gate.hub.owners import MAX_KNOWN, Owners
from mcp_guard.gate.hub.pages import Pages
from mcp_guard.gate.hub.patience import Patience, Tardy
from mcp_guard.gate.hub.questions import Questions
from mcp_guard.gate.hub.under_way import Gather, Poll, Subscription
from mcp_guard.gate.messages import INTERNAL_ERROR, RequestId, within
from mcp_guard.gate.offers import LONGEST_NAME
from mcp_guard.gate.outputs import Denied, Output, Pending, Record, Reply
from mcp_guard.gate.recorder import Recorder
from mcp_guard.gate.rejections import Rejection, Rejections
from mcp_guard.gate.requests import Request
from mcp_guard.gate.session import answered
from mcp_guard.gate.wire import encode
from mcp_guard.policy import Policy
from mcp_guard.policy.values import Json
from mcp_guard.redaction import safe_text

Addressed: TypeAlias = tuple[str, Output]
HUB = ""  # the address of what is the hub's own

_Sender: TypeAlias = Literal["client", "upstream"]

_LONGEST_HOW = 300


class Open(msgspec.Struct):
    """A request of the client's that waits for its answer; `slug`: whom it was sent to under its own id, if anyone.

    One that was cancelled before it was sent keeps its id taken until it would have been.
    """

    id: RequestId
    method: str
    batch: Batch | None = None
    slug: str = ""
    cancelled: bool = False


class Desk:
    """What a hub knows, and the few things that all its parts do."""

    def __init__(
        self,
        connection: Connection,
        policy: Policy,
        members: Sequence[Member],
        open_gate: OpenGate,
        naming: Naming,
        patience: Patience,
        tardy: Tardy,
    ) -> None:
        self.policy, self.naming, self.patience, self.tardy = policy, naming, patience, tardy
        self.client = Client(connection, policy)
        self.arms: dict[str, Arm] = {member.slug: Arm(member) for member in members}
        self.era: Literal["", "legacy", "modern"] = ""
        self.hello: dict[str, Json] | None = None  # the params of the client's `initialize`
        self.greeted = False  # the client's `initialize` has been answered
        self.initialized = False  # the client has sent `notifications/initialized`
        self.leaving = ""  # why the connection is about to end
        self.level: dict[str, Json] | None = None  # the params of its last `logging/setLevel`
        self.open: dict[RequestId, Open] = {}
        self.questions = Questions()  # what servers have asked the client
        self.early = Early()  # what they say before the client is ready to hear it
        self.tokens = Owners()  # the client's progress tokens
        self.tasks = Owners()  # servers' tasks
        self.client_tasks = Owners()  # the client's tasks, by the server that asked for them
        self.subscribed: dict[str, str] = {}  # legacy: URI to the server that was asked for it
        self.subscriptions: dict[RequestId, Subscription] = {}  # modern
        self.polls: list[Poll] = []
        self.gathers: list[Gather] = []
        self.pages: dict[str, Pages] = {}
        self.listed: set[str] = set()  # the lists that the client has been given
        self.outbox: list[Addressed] = []
        self.inbox: deque[tuple[Arm, Reply | Denied, RequestId | None]] = deque()
        self.wanted: deque[Arm] = deque()  # arms that something waits for
        self.missed: deque[Arm] = deque()  # arms that nobody is to wait for any more
        self.again: deque[Request] = deque()  # requests that waited for lists
        self._open_gate = open_gate
        self._recorder = Recorder(connection, self.client, policy)
        self._left_out: set[tuple[str, str, str]] = set()
        self._numbers = 0
        self._rejections: defaultdict[tuple[_Sender, str], Rejections] = defaultdict(Rejections)  # by server too

    # What leaves

    def reply(self, line: bytes) -> None:
        """Send the client a line of the hub's own."""
        self.outbox.append((HUB, Reply(line)))

    def pass_on(self, arm: Arm, line: bytes, now: int) -> None:
        """Send the client a notice of a server's, now or once it knows of a connection."""
        if self.greeted or self.era != "legacy":
            self.outbox.append((arm.slug, Reply(line)))
        elif not self.early.keep(Line(arm.slug, line)):
            self.rejected("upstream", "too much was said before the client was ready", len(line), now, arm.slug)

    @property
    def awaits_client(self) -> bool:
        """Whether the legacy client has yet to say `notifications/initialized`: nothing of it goes anywhere before."""
        return self.era == "legacy" and not self.initialized

    def answer(self, request_id: RequestId, line: bytes) -> None:
        """Answer a request of the client's, if it still waits."""
        entry = self.open.pop(request_id, None)
        if entry is not None and not entry.cancelled and (whole := answered(entry.id, entry.batch, line)) is not None:
            self.outbox.append((entry.slug, Reply(whole)))

    def fail(self, request_id: RequestId, code: int, message: str) -> None:
        """Answer a request of the client's with an error."""
        self.answer(request_id, answers.error(request_id, code, message))

    def record(self, event: Event) -> None:
        """Write an event."""
        self.outbox.append((event.server or HUB, Record(event)))

    def rejected(self, sender: _Sender, reason: str, size: int, now: int, slug: str = "") -> None:
        """Record what went no further, or count it once there was too much of it from one side."""
        self._tell_rejected(sender, slug, self._rejections[sender, slug].refused(reason, size, now), now)

    def tell_rejections_left(self, now: int) -> None:
        """Record what was only counted so far: the connection ends."""
        for (sender, slug), rejections in self._rejections.items():
            self._tell_rejected(sender, slug, rejections.rest(now), now)

    def _tell_rejected(self, sender: _Sender, slug: str, told: Rejection | None, now: int) -> None:
        if told is not None:
            event = self._recorder.rejected(now, sender, told.reason, told.size)
            self.record(msgspec.structs.replace(event, server=slug or None))

    def left_out(self, arm: Arm, method: str, key: str, why: str, now: int) -> None:
        """Record, once, that something of a server's is not among what the client is shown; `why` follows its key."""
        known = arm.slug, method, shown(key)  # and not the key, which may be of any length
        if len(self._left_out) < MAX_KNOWN and known not in self._left_out:
            self._left_out.add(known)
            self.rejected("upstream", f"{method}: `{known[2]}` {why}", 0, now, arm.slug)

    # What goes to arms

    def tell(self, arm: Arm, message: Mapping[str, object], now: int, asked: RequestId | None = None) -> None:
        """Give a message to an arm's gate; `asked` is its id where it is a request."""
        if arm.gate is not None:
            self.take(arm, arm.gate.from_client(encode(message), now), asked)

    def take(self, arm: Arm, outputs: list[Output], asked: RequestId | None = None) -> None:
        """Take over what an arm's gate wants done. What is for the client is read first."""
        for output in outputs:
            if isinstance(output, Reply | Denied):
                self.inbox.append((arm, output, asked))
            elif isinstance(output, Pending) and output.line is not None:
                self.outbox.append((arm.slug, Pending(output.event, None, output.request_id)))
                self.inbox.append((arm, Reply(output.line), asked))
            else:
                self.outbox.append((arm.slug, output))

    def ask(self, arm: Arm, method: str, params: dict[str, Json], then: Then, now: int) -> str:
        """Ask an arm something in the hub's own name; gives the id of the request."""
        request_id = f"{messages.OWN}hub/{self.number()}"
        arm.asks[request_id] = then
        message = {"jsonrpc": "2.0", "id": request_id, "method": method}
        self.tell(arm, {**message, "params": params} if params else message, now, request_id)
        return request_id

    def notify(self, arm: Arm, method: str, params: dict[str, Json], now: int) -> None:
        """Send an arm a notification."""
        message: dict[str, object] = {"jsonrpc": "2.0", "method": method}
        self.tell(arm, {**message, "params": params} if params else message, now)

    def want(self, arm: Arm) -> None:
        """Something waits for this arm: it is to be greeted, and so started, unless it is on its way already."""
        if arm.standing == "idle":
            self.wanted.append(arm)

    def send(self, request: Request, arm: Arm, now: int) -> None:
        """Send a request of the client's to the arm that it is meant for, now or once both are ready."""
        entry = self.open[request.id]
        if arm.standing == "ready" and not self.awaits_client:
            entry.slug = arm.slug
            self.tokens.pass_on(progress_token(request.params), arm.slug)
            self.tell(arm, request.message, now, request.id)
        elif (reason := self.unreachable(arm, now)) is not None:
            self.fail(request.id, INTERNAL_ERROR, reason)
        elif arm.take(Held(request, len(encode(request.message)), self._ready_by(arm, now))):
            self.want(arm)
        else:
            reason = f"too much waits already for the MCP server `{arm.slug}` to get ready"
            self.fail(request.id, INTERNAL_ERROR, reason)

    def unreachable(self, arm: Arm, now: int) -> str | None:
        """Why nothing can be asked of an arm; None where it can, now or soon.

        One that was fine until a moment ago is expected back; one that did not even get ready is not.
        """
        is_down = arm.standing == "down" and (arm.failing or now >= arm.down_since + self.patience.down)
        gone = is_down or arm.standing == "refused"
        hangs = arm.standing == "greeting" and now >= self._ready_by(arm, now)
        how = arm.how if gone else "did not get ready in time" if hangs else None
        return None if how is None else f"the MCP server `{arm.slug}` behind mcp-guard {how}"

    def _ready_by(self, arm: Arm, now: int) -> int:
        """Until when a request waits for an arm: from when it was greeted, if it has been, and not anew for each."""
        return (arm.since if arm.standing == "greeting" else now) + self.patience.call

    def open_gate(self, arm: Arm, now: int) -> None:
        """Begin a life of an arm: a new gate, unless there is one."""
        if arm.gate is None:
            arm.gate = self._open_gate(arm.slug, self.naming.prefix(arm.slug), self.policy)
            self.take(arm, arm.gate.start(now))

    # The rest

    def number(self) -> int:
        """A number that the hub has not used before."""
        self._numbers += 1
        return self._numbers

    def still(self, request: Request) -> bool:
        """Whether a request of the client's, which has waited and could go on now, is still wanted."""
        entry = self.open.get(request.id)
        if entry is not None and entry.cancelled:
            del self.open[request.id]
            return False
        return entry is not None

    def subscribe(self, uri: str, arm: Arm) -> None:
        """Note which server was asked for a resource, to ask it again in its next life."""
        if uri in self.subscribed or (len(self.subscribed) < MAX_KNOWN and len(uri) <= LONGEST_NAME):
            self.subscribed[uri] = arm.slug

    def replace_policy(self, policy: Policy) -> None:
        """Another policy is in force."""
        self.policy = self._recorder.policy = policy
        self.client.identify(policy)


def progress_token(params: dict[str, Json]) -> Json:
    """The progress token of a request, or None."""
    return within(params, "_meta", "progressToken")


def lasting_meta(params: dict[str, Json]) -> dict[str, Json]:
    """The `_meta` of a request, without what is only that request's own."""
    meta = params.get("_meta")
    return {name: value for name, value in meta.items() if name != "progressToken"} if isinstance(meta, dict) else {}


def without_token(params: dict[str, Json]) -> dict[str, Json]:
    """A request's params for several servers at once: nobody reports progress of a part."""
    if progress_token(params) is None:
        return dict(params)
    rest = {name: value for name, value in params.items() if name != "_meta"}
    return {**rest, "_meta": kept} if (kept := lasting_meta(params)) else rest


def shown(text: object) -> str:
    """A stranger's text, fit for an error message."""
    return safe_text(text, _LONGEST_HOW) if isinstance(text, str) else ""

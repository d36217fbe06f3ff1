"""One server behind the hub: its gate, how far its handshake has come, what it offers, and what waits for it."""

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import msgspec

from mcp_guard.gate.hub.kinds import KINDS, Kind, Shelf
from mcp_guard.gate.hub.messages import Head
from mcp_guard.gate.hub.under_way import Listing
from mcp_guard.gate.outputs import Admitted, Denied, Output, Refusal, Unwritten
from mcp_guard.gate.requests import Request
from mcp_guard.policy import Policy
from mcp_guard.policy.values import Json

MAX_QUEUED = 256  # requests that wait for a server to get ready
MAX_QUEUED_BYTES = 64 * 1024 * 1024

Standing = Literal[
    "idle",  # not asked for anything yet: not started, or started before any client said who it is
    "greeting",  # its handshake is under way
    "ready",
    "down",  # it ended; it may be started again
    "refused",  # it answered the handshake with an error
]


class Guarded(Protocol):
    """A gate, bridged or not, as a hub uses it. See `gate.Gate` for what each does."""

    @property
    def holding(self) -> bool: ...  # noqa: D102
    @property
    def shown_under(self) -> object: ...  # noqa: D102
    def start(self, now: int) -> list[Output]: ...  # noqa: D102
    def from_client(self, line: bytes, now: int) -> list[Output]: ...  # noqa: D102
    def from_upstream(self, line: bytes, now: int) -> list[Output]: ...  # noqa: D102
    def upstream_oversized(self, size: int, limit: int, now: int) -> list[Output]: ...  # noqa: D102
    def registry_changed(self, now: int) -> list[Output]: ...  # noqa: D102
    def refuse(self, admitted: Unwritten, refusal: Refusal) -> Denied: ...  # noqa: D102
    def again(self, admitted: Admitted, now: int) -> list[Output]: ...  # noqa: D102
    def upstream_exited(self, how: str, now: int) -> list[Output]: ...  # noqa: D102
    def replace_policy(self, policy: Policy, now: int) -> list[Output]: ...  # noqa: D102
    def policy_rejected(self, files: list[str], errors: list[str], now: int) -> list[Output]: ...  # noqa: D102
    def client_closed(self, why: str, now: int) -> list[Output]: ...  # noqa: D102
    def tick(self, now: int) -> list[Output]: ...  # noqa: D102


OpenGate: TypeAlias = Callable[[str, str, Policy], Guarded]
"""Gives a new gate for the server of this name, with this prefix to the client, under this policy: one for each life of
the server.
"""

Then: TypeAlias = "Callable[[Arm, Head, int], None]"
"""What is done with the answer to a request of the hub's own."""


class Member(msgspec.Struct, frozen=True):
    """A server as the configuration names it. A lazy one is only spoken to, and so started, when it is needed."""

    slug: str
    lazy: bool = False


class Held(msgspec.Struct, frozen=True):
    """A request of the client's that waits, at most until `deadline`. It is open at the desk meanwhile."""

    request: Request
    size: int
    deadline: int


class Arm:
    """One server behind the hub, over all its lives."""

    def __init__(self, member: Member) -> None:
        self.slug, self.lazy = member.slug, member.lazy
        self.gate: Guarded | None = None
        self.standing: Standing = "idle"
        self.how = ""  # why it is down or refused; follows "the server …"
        self.down_since = 0
        self.failing = False  # in its last life it ended before it was ready
        self.since = 0  # when its last handshake began
        self.owed: set[str] = set()  # what the client may wait for: see `waiting`
        self.due = 0  # by when it is to have come
        self.overdue = False  # the client had to do without it: nothing waits for it until it owes nothing
        self.capabilities: dict[str, Json] | None = None
        self.hello: dict[str, Json] | None = None  # its InitializeResult or DiscoverResult
        self.shelves: dict[str, Shelf] = {method: Shelf() for method in KINDS}
        self.listings: dict[str, Listing] = {}
        self.asks: dict[str, Then] = {}
        self.queue: list[Held] = []
        self._queued_bytes = 0

    def offers(self, kind: Kind) -> bool:
        """Whether the server may have things of this kind: as it said, or as it may yet say."""
        return self.has(kind.capability)

    def has(self, capability: str) -> bool:
        """Whether the server has this capability: as it said, or as it may yet say."""
        return self.capabilities is None or isinstance(self.capabilities.get(capability), dict)

    def take(self, held: Held) -> bool:
        """Keep a request until the server is ready; False where too much waits already."""
        if len(self.queue) >= MAX_QUEUED or self._queued_bytes + held.size > MAX_QUEUED_BYTES:
            return False
        self.queue.append(held)
        self._queued_bytes += held.size
        return True

    def release(self, due: int | None = None) -> list[Held]:
        """What waited, in order: all of it, or what was to be done by `due`."""
        released = [held for held in self.queue if due is None or held.deadline <= due]
        self.queue = [held for held in self.queue if due is not None and held.deadline > due]
        self._queued_bytes = sum(held.size for held in self.queue)
        return released

    def forget(self) -> None:
        """Its life is over: what it said of itself and what was asked of it is void; what it listed stays its own."""
        self.gate = None
        self.capabilities = self.hello = None
        self.overdue = False
        self.owed.clear()
        self.asks.clear()
        self.listings.clear()
        for shelf in self.shelves.values():
            shelf.outdated = True

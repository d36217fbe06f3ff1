"""What is under way behind a hub and takes more than one answer: lists, questions to several servers, subscriptions.

Values only: what becomes of them is told by `lists`, `polls` and `listen`.
"""

from collections.abc import Callable

import msgspec

from mcp_guard.gate.hub.kinds import Entry, Kind
from mcp_guard.gate.hub.messages import Head
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.requests import Request
from mcp_guard.policy.values import Json

LISTED = ("resourceSubscriptions", "taskIds")  # what a subscription names one by one


class Gather(msgspec.Struct):
    """Somebody waits for lists: a `request` of the client's for one of them, or requests that are `held` until it is
    known which server they belong to. `waiting`: the lists still missing, by server and method; `size`: bytes of the
    request.
    """

    deadline: int
    size: int
    waiting: set[tuple[str, str]] = set()
    request: Request | None = None
    held: Request | None = None
    answered: set[str] = set()
    errors: dict[str, Head] = {}


class Listing(msgspec.Struct):
    """One server is being asked for one list. `gathers` wait for this turn, `next` for the one after it."""

    kind: Kind
    meta: dict[str, Json]
    gathers: list[Gather]
    next: list[Gather] = []
    entries: dict[str, Entry] = {}
    ttls: list[Json] = []
    size: int = 0
    pages: int = 0
    cursor: str | None = None
    asked: bool = False
    late: bool = False  # somebody was answered without it
    outdated: bool = False  # the server said meanwhile that the list has changed
    ahead: bool = False  # nobody has asked for it yet
    void: bool = False  # what comes of it was filtered by rules that hold no more: it is to be asked for again


class Poll(msgspec.Struct):
    """Who has still to answer (by slug), who has, and what to do then. None stands for one that cannot answer."""

    request: Request
    waiting: set[str]
    deadline: int
    finish: "Callable[[Poll, int], None]"
    answers: dict[str, Head | None] = {}


class Subscription:
    """One `subscriptions/listen` of the client's, of `size` bytes, and what stands for it at each server."""

    def __init__(self, request: Request, size: int, meta: dict[str, Json], deadline: int) -> None:
        wanted = request.params.get("notifications")
        self.size = size
        self.id: RequestId = request.id
        self.wanted: dict[str, Json] = wanted if isinstance(wanted, dict) else {}
        self.meta = meta  # of each request for it
        self.deadline = deadline
        self.owners: dict[str, str] = {}  # whose each resource is, as far as it was known when a server was asked
        self.asks: dict[str, str] = {}  # the hub's request at each server
        self.waiting: set[str] = set()  # servers that have not acknowledged it yet
        self.agreed: dict[str, list[Json]] = {name: [] for name in LISTED}
        self.acknowledged = False
        self.early: list[bytes] = []  # notices that are kept until the acknowledgment

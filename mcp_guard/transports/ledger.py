"""What has to be in the log before something else may happen, and what may follow.

A call's row is committed before the call is forwarded, together with every event that came before it. The rows that
only say how a call ended wait a little, and are written together. The invariant: nothing is dropped while the log can
be written.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from msgspec import structs

from mcp_guard.errors import GuardError
from mcp_guard.events import Event, Judged, ToolsListed
from mcp_guard.gate import Refusal
from mcp_guard.governance import Snapshot
from mcp_guard.store import OutdatedError, Store
from mcp_guard.store.writing import NOTHING_ELSE, PREPARED_ROWS, Written

_MOST_WAITING = 10_000  # events kept while the log cannot be written; beyond that the oldest are lost
_TOGETHER = PREPARED_ROWS - 1  # completions that ride with the next call: more would make it wait noticeably
_MOST_COMPLETED = 256  # completions that are written without waiting for one
_MOST_TOGETHER = 256  # other events that are
OUTDATED = Refusal("the registry of agents was changed while this call was judged; calling again will judge it anew")
_OVERDRAWN = "the budget of this agent is used up"
BEAT = 30_000_000  # microseconds between two times that it is said whose clients are there (`registry.instances`)
_OF_CLIENTS = ("agent.connected", "agent.disconnected")
_RENEWALS = 3  # of decisions that were made under an older registry
_ATTEMPTS = 20  # to write a listing into the catalog, while other writers are in the way


def _nobody(text: str) -> None:
    """Nobody is told."""


class Renewing(Protocol):
    """Whoever can tell whether an agent still stands as it did: `LiveRegistry`."""

    def outdate(self) -> None:
        """Something has changed: look anew, and soon."""
        ...

    def renewed(self, under: Snapshot) -> int | None:
        """The present version of the registry, where the agent stands in it as it did then."""
        ...

    def ended(self, instance: str) -> str | None:
        """Why somebody has ordered that this instance's connection ends; None where nobody has."""
        ...


class Ledger:
    """Writes events to the store in time."""

    def __init__(self, store: Store, tell: Callable[[str], None] = _nobody, registry: Renewing | None = None) -> None:
        """`tell` is given what a person should know: that a budget is nearly spent. `registry` is asked where something
        in it was changed while a call was judged: a change that is about others leaves the decision as it is.
        """
        self._store, self._tell, self._registry = store, tell, registry
        self._waiting: list[Event] = []
        self._completed: list[Event] = []
        self._listed: dict[str | None, ToolsListed] = {}  # the last listing of each server, for the catalog
        self._clients: list[Event] = []  # who came and went, for the registry
        self._connected: set[str] = set()  # whose clients are there
        self._heard = 0  # when that was said last
        self._attempts = 0
        self._lost = 0
        self.failure: str | None = None  # why the last write failed; None once one succeeds
        self.failures = 0  # writes that failed so far

    @property
    def urgent(self) -> bool:
        """Whether there is something to write as soon as the line is idle."""
        return self.failure is None and bool(self._completed or self._waiting or self._listed or self._clients)

    def commit(self, events: list[Event]) -> Mapping[str, Refusal]:
        """Write these events, and what came before them, and commit. Gives those of `events` that were not written, by
        their ids, with why: all of them on a failure, or where the registry has changed (`OUTDATED`), or those that a
        budget refuses. They are the caller's to deal with; on a failure, what waited goes on waiting.
        """
        if len(self._completed) >= _TOGETHER:
            self._gather()
        try:
            written = self._record(self._waiting + events if self._waiting else events)
        except OutdatedError:
            return dict.fromkeys((event.id for event in events), OUTDATED)
        except GuardError as error:
            self.failure = error.message
            self.failures += 1
            return dict.fromkeys((event.id for event in events), Refusal(error.message))
        self.failure = None
        self._waiting.clear()
        if len(events) > 1:  # beside a decision there may be what the catalog and the registry want to know
            for event in events:
                self._note(event)
        return {} if written is NOTHING_ELSE else self._spent(written)

    def _spent(self, written: Written) -> Mapping[str, Refusal]:
        """Tell of budgets that are nearly spent; gives the events that would have overdrawn one."""
        for alert in written.alerts:
            self._tell(alert.text)
        return {event: Refusal(_OVERDRAWN, "budget", budget) for event, budget in written.overdrawn.items()}

    def _record(self, events: list[Event], renewals: int = _RENEWALS) -> Written:
        """Write, with decisions that an unrelated change has overtaken put under the registry as it is now."""
        try:
            return self._store.record(events)
        except OutdatedError:
            if self._registry is not None:
                self._registry.outdate()
            renewed = self._renewed(events) if renewals else None
            if renewed is None:
                raise
            return self._record(renewed, renewals - 1)

    def _renewed(self, events: list[Event]) -> list[Event] | None:
        """The events with their decisions under the present registry; None where one of them may be another there."""
        versions: dict[int, int | None] = {}  # by the snapshot: most decisions of one moment share it
        renewed: list[Event] = []
        for event in events:
            if isinstance(event, Judged) and event.registry is not None:
                under = event.under
                if self._registry is None or not isinstance(under, Snapshot):
                    return None
                if self._registry.ended(event.connection_id) is not None:
                    return None
                if id(under) not in versions:
                    versions[id(under)] = self._registry.renewed(under)
                if (version := versions[id(under)]) is None:
                    return None
                event = structs.replace(event, registry=version)
            renewed.append(event)
        return renewed

    def later(self, event: Event) -> None:
        """Write this event before the next commit's, or when the line is idle. A completion may take its time."""
        if event.type == "tool.completed":
            self._completed.append(event)
            if len(self._completed) >= _MOST_COMPLETED:
                self.flush()
        else:
            if isinstance(event, Judged) and event.registry is not None:  # a denial, which stands whatever has changed
                event = structs.replace(event, registry=None, charged=False)
            self._note(event)
            self._waiting.append(event)
            if len(self._waiting) >= _MOST_TOGETHER and self.failure is None:
                self.commit([])  # a side that never stops talking leaves no idle moment for it
            self._forget_oldest()

    def _note(self, event: Event) -> None:
        """Remember what the catalog or the registry wants to know."""
        if isinstance(event, ToolsListed):
            self._listed[event.server] = event
        elif event.type in _OF_CLIENTS:
            self._clients.append(event)
            if event.type == "agent.disconnected":
                self._connected.discard(event.connection_id)
                return
            if not self._connected:
                self._heard = event.ts  # its row says so already
            self._connected.add(event.connection_id)

    def flush(self) -> None:
        """Write all events that wait; a failure leaves them waiting. Of what was learnt besides, write one thing: that
        of many servers at once would hold up who comes next. What is left is `urgent`, and its moment comes.
        """
        self._gather()
        if self._waiting:
            self.commit([])
        if self._listed or self._clients:
            self._learn()

    def beat(self, now: int) -> None:
        """Say in the registry, now and then, that the clients are there: whoever is killed says nothing more. `now` is
        microseconds since the epoch. For idle moments; what cannot be written is let go.
        """
        if not self._connected or abs(now - self._heard) < BEAT:  # a clock may be set back
            return
        self._heard = now
        with suppress(GuardError):
            self._store.heard(self._connected, now)

    def settle(self) -> None:
        """Write all that waits, for there may be no other moment."""
        self.flush()
        while self._listed or self._clients:
            self._learn()

    def _learn(self) -> None:
        """Put who came or went into the registry, or else one listing into the catalog. That is no record: what cannot
        be written in a few attempts is let go.
        """
        try:
            if self._clients:
                self._store.follow(self._clients[0])
                del self._clients[0]
            else:
                server = next(iter(self._listed))
                self._store.learn(self._listed[server])
                del self._listed[server]
        except GuardError:
            self._attempts += 1
            if self._attempts < _ATTEMPTS:
                return
            self._listed.clear()
            self._clients.clear()
        self._attempts = 0

    def _gather(self) -> None:
        self._waiting += self._completed
        self._completed.clear()
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        over = len(self._waiting) - _MOST_WAITING
        if over > 0:
            del self._waiting[:over]
            self._lost += over

    def close(self) -> str | None:
        """Write what waits for the last time. Gives what a person has to know of events that were lost."""
        self.settle()
        lost = self._lost + len(self._waiting)
        return f"{lost} events could not be written to the audit log: {self.failure}" if lost else None

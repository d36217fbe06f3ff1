"""What is judged, by what it asks for: a call of a tool (`calls`), or a request for a prompt or resource (`offers`).

Whoever has to do with either, because it waits for a person, say, finds here what it needs of both.
"""

from typing import Protocol

from mcp_guard.events import Judged
from mcp_guard.gate import calls, offers
from mcp_guard.gate.outputs import Admitted, Denied, Pending
from mcp_guard.gate.requests import ReadCall
from mcp_guard.gate.session import Session
from mcp_guard.policy.values import Decision


class Judging(Protocol):
    """How one kind of them is judged. `calls` and `offers` are both."""

    def decide(self, session: Session, call: ReadCall, now: int) -> Decision:
        """The decision on it, under what is in force now."""
        ...

    def judge(
        self, session: Session, call: ReadCall, now: int, approved: Decision | None = None
    ) -> Admitted | Denied | Pending:
        """Decide, and say what is to be done about it; `approved`: what a person has said of exactly this already."""
        ...

    def conclude(
        self, session: Session, call: ReadCall, decision: Decision, now: int, approved: Decision | None = None
    ) -> Admitted | Denied:
        """What is to be done about it, where this is the last word."""
        ...

    def row(self, session: Session, call: ReadCall, decision: Decision, now: int, *, forwarded: bool) -> Judged:
        """The row of one decision."""
        ...

    def failure(self, session: Session, call: ReadCall, reason: str, decision_id: str) -> bytes:
        """What the client gets where the guard itself could not do its work."""
        ...


def of(call: ReadCall) -> Judging:
    """How this one is judged."""
    return calls if call.kind == "tool" else offers

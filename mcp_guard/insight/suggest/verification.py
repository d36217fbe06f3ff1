"""A draft replayed on the very calls that it was made from: what it allows of them, and what it should have."""

from dataclasses import dataclass

from mcp_guard.insight.replay import NotReplayable, Result
from mcp_guard.insight.suggest.observed import was_let_through
from mcp_guard.policy import Policy


@dataclass(slots=True)
class Verification:
    """Counted call by call; `not_judged` are those whose arguments were not kept as far as a rule reads them."""

    allowed: int = 0
    denied: int = 0
    wrongly_allowed: int = 0
    wrongly_denied: int = 0
    not_judged: int = 0

    @classmethod
    def begin(cls, policy: Policy) -> "Verification":
        """Nothing counted yet."""
        return cls()

    @property
    def exact(self) -> bool:
        """Whether it allows the calls that were let through, and no other."""
        return not (self.wrongly_allowed or self.wrongly_denied)

    def add(self, result: Result) -> None:
        """Compare one call."""
        if isinstance(result, NotReplayable):
            self.not_judged += 1
            return
        let_through = was_let_through(result.event)
        now = result.now.outcome == "allow"
        self.allowed += let_through and now
        self.denied += not let_through and not now
        self.wrongly_allowed += now and not let_through
        self.wrongly_denied += let_through and not now

    def merge(self, later: "Verification") -> None:
        """Add a later part of the log."""
        self.allowed += later.allowed
        self.denied += later.denied
        self.wrongly_allowed += later.wrongly_allowed
        self.wrongly_denied += later.wrongly_denied
        self.not_judged += later.not_judged

"""What a gate asks of whoever keeps the registry: how an agent stands. The one question that is asked outward.

The answer is a plain value of one version of the registry. The gate keeps it until it hears that the registry has
changed, and asks about that before it denies or shows anything. What it allows under an answer that is out of date
comes to nothing: the row of every decision names the version, and is only written under that.
"""

from typing import Literal, Protocol

import msgspec

from mcp_guard.governance.credential import Credential
from mcp_guard.governance.snapshot import Snapshot

ApprovalScope = Literal["once", "session", "grant"]


class Ruling(msgspec.Struct, frozen=True):
    """What a person decided in the store about one call that waits: whether it may run and, if so, for how long that
    holds; who it was, and what they said to it.
    """

    approved: bool
    scope: ApprovalScope
    by: str
    comment: str = ""


class Registry(Protocol):
    """Whoever keeps the registry."""

    def snapshot(self, agent: str, credential: Credential | None) -> Snapshot:
        """How an agent stands now that has proven itself with a credential, or has not. Never raises: see
        `Snapshot.barred`.
        """
        ...

    @property
    def changes(self) -> int:
        """A number that is another one whenever something may stand otherwise than before, as far as is known."""
        ...

    def refresh(self, now: int) -> int:
        """Look whether anything has changed, or expired by `now` (microseconds since the epoch); gives `changes`. Never
        raises.
        """
        ...

    def ruling(self, approval: str) -> Ruling | None:
        """What a person has decided about an approval; None where nobody has. Never raises."""
        ...

    def ended(self, instance: str) -> str | None:
        """Why somebody has ordered that this instance's connection ends; None where nobody has. Never raises."""
        ...


class NoRegistry:
    """Where no registry is kept, nothing is known of any agent, and only the policy decides."""

    def snapshot(self, agent: str, credential: Credential | None) -> Snapshot:
        """An agent of which nothing is known."""
        return Snapshot(agent, None)

    @property
    def changes(self) -> int:
        """Nothing ever changes."""
        return 0

    def refresh(self, now: int) -> int:
        """Nothing ever changes."""
        return 0

    def ruling(self, approval: str) -> Ruling | None:
        """Nobody can decide anything."""
        return None

    def ended(self, instance: str) -> str | None:
        """Nobody can order anything."""
        return None

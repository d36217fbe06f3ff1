"""What may stand between the transport and the gate: the part of the gate's surface that depends on both sides' eras.

The gate itself is a stage: the one of two sides of the same era. See `Gate` for what each method takes and gives.
"""

from typing import Protocol

from mcp_guard.gate.outputs import Admitted, Denied, Output
from mcp_guard.policy import Policy


class Stage(Protocol):
    """One way of carrying messages between a client and an upstream through a gate."""

    @property
    def holding(self) -> bool:
        """Whether messages wait in here."""
        ...

    def from_client(self, line: bytes, now: int) -> list[Output]:
        """One line of the client's."""
        ...

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        """One line of the upstream's."""
        ...

    def refuse(self, admitted: Admitted, reason: str) -> Denied:
        """The row of an admitted call could not be written: it is denied."""
        ...

    def client_oversized(self, size: int, limit: int, now: int) -> list[Output]:
        """A line of the client's was too long and has been thrown away."""
        ...

    def upstream_oversized(self, size: int, limit: int, now: int) -> list[Output]:
        """A line of the upstream's was too long and has been thrown away."""
        ...

    def tick(self, now: int) -> list[Output]:
        """Time has passed."""
        ...

    def may_go_ahead(self, start: bytes) -> bool:
        """Whether the start of a long line of the upstream's may be passed before its end is here."""
        ...

    def replace_policy(self, policy: Policy, now: int) -> list[Output]:
        """A new policy is in force."""
        ...

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """The upstream is gone."""
        ...

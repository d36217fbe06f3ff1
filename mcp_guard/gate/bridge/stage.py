"""What may stand between the transport and the gate: the part of the gate's surface that depends on both sides' eras.

The gate itself is a stage: the one of two sides of the same era. Every other is `Around` a gate.
"""

from typing import Protocol

from mcp_guard.gate.bridge import members
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Admitted, Denied, Output, Refusal, Reply, Unwritten
from mcp_guard.policy import Policy


class Around:
    """A stage around a gate. Here everything goes to the gate as it came: a stage overrides what it does otherwise."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @property
    def holding(self) -> bool:
        """Whether messages wait in here."""
        return self._gate.holding

    def from_client(self, line: bytes, now: int) -> list[Output]:
        """One line of the client's."""
        return self._gate.from_client(line, now)

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        """One line of the upstream's."""
        return self._gate.from_upstream(line, now)

    def refuse(self, admitted: Unwritten, refusal: Refusal) -> Denied:
        """The row of an admitted call could not be written: it is denied."""
        return self._gate.refuse(admitted, refusal)

    def again(self, admitted: Admitted, now: int) -> list[Output]:
        """The registry was changed before its row could be written: it is judged again."""
        return self._gate.again(admitted, now)

    def client_oversized(self, size: int, limit: int, now: int) -> list[Output]:
        """A line of the client's was too long and has been thrown away."""
        return self._gate.client_oversized(size, limit, now)

    def upstream_oversized(self, size: int, limit: int, now: int) -> list[Output]:
        """A line of the upstream's was too long and has been thrown away."""
        return self._gate.upstream_oversized(size, limit, now)

    def tick(self, now: int) -> list[Output]:
        """Time has passed."""
        return self._gate.tick(now)

    def may_go_ahead(self, start: bytes) -> bool:
        """Whether the start of a long line of the upstream's may be passed before its end is here. A bridge translates
        whole lines.
        """
        return False

    def replace_policy(self, policy: Policy, now: int) -> list[Output]:
        """A new policy is in force."""
        return self._gate.replace_policy(policy, now)

    def registry_changed(self, now: int) -> list[Output]:
        """What is kept of agents has changed."""
        return self._gate.registry_changed(now)

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """The upstream is gone."""
        return self._gate.upstream_exited(how, now)

    def asked_under(self, request_id: RequestId) -> RequestId:
        """The id under which the client waits for what the upstream knows as the request `request_id`."""
        return request_id


class Seat(Protocol):
    """Where a stage stands, and can give its place to another."""

    def stand(self, stage: Gate | Around) -> None:
        """From now on, `stage` is between the transport and the gate."""
        ...

    def open(self) -> None:
        """Nothing is known of the eras any more: the client's next handshake or probe will tell."""
        ...

    def client_said(self, line: bytes, now: int) -> list[Output]:
        """Give one line of the client's to whatever stage stands now."""
        ...


def unanswered(outputs: list[Output], request_id: RequestId) -> list[Output]:
    """Outputs without the answer to a request of the guard's own, which is not for the client."""
    return [output for output in outputs if not (isinstance(output, Reply) and _answers(output.line, request_id))]


def _answers(line: bytes, request_id: RequestId) -> bool:
    message = members.read(line)
    return message is not None and "method" not in message and members.id_of(message) == request_id


def untold(outputs: list[Output]) -> list[Output]:
    """Outputs without what they would tell the client."""
    return [output for output in outputs if not isinstance(output, Reply)]

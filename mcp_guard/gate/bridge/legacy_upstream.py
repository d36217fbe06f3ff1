"""A modern client with a legacy upstream: the stage between the gate and the upstream.

The client and the gate speak 2026-07-28 with each other, so every request, and every retry of one, is judged as ever.
What the gate then sends upstream is turned into the legacy era's words (`to_legacy`), and what the upstream says into
the modern era's before the gate sees it (`from_legacy`). The invariant: a call, and an answer to a question that the
upstream asked while one runs, goes upstream only as the line of the output that the gate made of the request that
carries it.
"""

from mcp_guard.gate.bridge import members
from mcp_guard.gate.bridge.bound import Answer, Step
from mcp_guard.gate.bridge.from_legacy import hear
from mcp_guard.gate.bridge.link import Link
from mcp_guard.gate.bridge.stage import Around, untold
from mcp_guard.gate.bridge.to_legacy import carry
from mcp_guard.gate.connection import BATCH_PROTOCOL
from mcp_guard.gate.lost_answers import instead_of
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Admitted, Denied, Forward, Output, Refusal, Unwritten
from mcp_guard.policy import Policy


class LegacyUpstream(Around):
    """Everything that a modern client and a legacy upstream say to each other, after the upstream's handshake."""

    def __init__(self, link: Link) -> None:
        super().__init__(link.gate)
        self._link = link

    @property
    def holding(self) -> bool:
        """Whether calls wait for the guard's own listing."""
        return self._gate.holding

    def stands(self, request_id: RequestId, now: int, *, quiet: bool) -> list[Output]:
        """The handshake is done: answer the `server/discover` that the gate waits with under this id. `quiet`: it is
        not the client's own.
        """
        line = members.down(members.result(request_id, self._link.discovered))
        return self._do([Answer(line, quiet=quiet)], now)

    def from_client(self, line: bytes, now: int) -> list[Output]:
        """A modern client's line: judged by the gate, then carried."""
        return self._carry(self._gate.from_client(line, now), now)

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        """A legacy upstream's line."""
        outputs = self._do(self._link.follow_up(now), now)
        elements = [line]
        if self._link.initialized.get("protocolVersion") == BATCH_PROTOCOL and line.lstrip()[:1] == b"[":
            elements = members.read_elements(line) or [line]
        for element in elements:
            message = members.read(element)
            if message is None:
                outputs += self._gate.reject("upstream", "not a JSON-RPC message", len(line), now)
                message = members.read(instead_of(element))
            if message is not None:
                outputs += self._do(hear(self._link, message, len(line), now), now)
        return outputs

    def refuse(self, admitted: Unwritten, refusal: Refusal) -> Denied:
        """The row could not be written: the call never went upstream, or the answer to its question did not."""
        self._take_back(admitted)
        return self._gate.refuse(admitted, refusal)

    def again(self, admitted: Admitted, now: int) -> list[Output]:
        """As `Gate.again`: what comes of it is carried like any other."""
        self._take_back(admitted)
        return self._carry(self._gate.again(admitted, now), now)

    def _take_back(self, admitted: Unwritten) -> None:
        """What was begun for a request does not go upstream."""
        errand = self._link.errands.by_client.get(admitted.request_id)
        if errand is not None and errand.retold is not None:
            self._link.errands.revert(errand)
        elif errand is not None:
            self._link.errands.drop(errand)
        elif self._link.subscriptions.end(admitted.request_id) is not None:
            self._link.after_row.pop(admitted.request_id, None)

    def tick(self, now: int) -> list[Output]:
        """Questions that nobody answered are given up; acknowledgments that waited long enough are sent."""
        link = self._link
        outputs = self._carry(self._gate.tick(now), now)
        steps = link.follow_up(now) + link.acknowledge(now)
        for errand in link.errands.overdue(now):
            steps += link.asking.give_up(errand)
        return outputs + self._do(steps, now)

    def replace_policy(self, policy: Policy, now: int) -> list[Output]:
        """As `Gate.replace_policy`."""
        return self._carry(self._gate.replace_policy(policy, now), now)

    def registry_changed(self, now: int) -> list[Output]:
        """As `Gate.registry_changed`."""
        return self._carry(self._gate.registry_changed(now), now)

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """As `Gate.upstream_exited`: whoever is being asked has been answered, and its retry finds nothing any more."""
        return self._gate.upstream_exited(how, now)

    def asked_under(self, request_id: RequestId) -> RequestId:
        """The id under which the client waits for what the upstream knows as the request `request_id`."""
        errand = self._link.errands.by_upstream.get(request_id)
        return request_id if errand is None or errand.asked_under is None else errand.asked_under

    def _do(self, steps: list[Step], now: int) -> list[Output]:
        """Tell the gate the answers among these steps, in order, and carry what comes of it."""
        outputs: list[Output] = []
        for step in steps:
            if isinstance(step, Answer):
                heard = self._gate.from_upstream(step.line, now)
                outputs += self._carry(untold(heard) if step.quiet else heard, now)
            else:
                outputs.append(step)
        return outputs

    def _carry(self, outputs: list[Output], now: int) -> list[Output]:
        """Turn what goes upstream into the legacy era's words; everything else stays as it is."""
        if not any(isinstance(output, Forward | Admitted) for output in outputs):
            return outputs
        carried: list[Output] = []
        for output in outputs:
            if isinstance(output, Forward | Admitted):
                carried += self._do(carry(self._link, output, now), now)
            else:
                carried.append(output)
        return carried

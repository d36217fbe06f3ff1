"""A legacy client with a modern upstream: the stage between the client and the gate.

The gate and the upstream speak 2026-07-28 with each other. What the client says is turned into the modern era's words
before the gate sees it (`from_legacy_client`), and what the gate tells the client into the legacy era's
(`to_legacy_client`). What goes upstream goes as the gate made it: nothing here makes or changes a line for it.
"""

from mcp_guard.gate.bridge import inquiring, members, watching
from mcp_guard.gate.bridge.client_link import ClientLink, Say, Step, told
from mcp_guard.gate.bridge.from_legacy_client import receive
from mcp_guard.gate.bridge.stage import Around
from mcp_guard.gate.bridge.subscriptions import LISTS
from mcp_guard.gate.bridge.to_legacy_client import deny, tell
from mcp_guard.gate.messages import INTERNAL_ERROR, RequestId
from mcp_guard.gate.outputs import Admitted, Denied, Output, Pending, Refusal, Reply, Unwritten
from mcp_guard.policy import Policy

_NO_REQUESTS = "a request, which a server of 2026-07-28 must not make"


class LegacyClient(Around):
    """Everything that a legacy client and a modern upstream say to each other, after the client's handshake."""

    def __init__(self, link: ClientLink) -> None:
        super().__init__(link.gate)
        self._link = link

    def from_client(self, line: bytes, now: int) -> list[Output]:
        """A legacy client's line."""
        return self._do(receive(self._link, line, now), now)

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        """A modern upstream's line. It must not make requests (2026-07-28, "stdio")."""
        message = members.read(line)
        if message is not None and members.kind_of(message) == "request":
            return self._gate.reject("upstream", _NO_REQUESTS, len(line), now)
        return self._told(self._gate.from_upstream(line, now), now) + self._do(inquiring.overdue(self._link, now), now)

    def refuse(self, admitted: Unwritten, refusal: Refusal) -> Denied:
        """As `Gate.refuse`, to the client's own request; where it is being asked for it, once it has answered."""
        denied = self._gate.refuse(admitted, refusal)
        is_asked = isinstance(admitted, Pending) and admitted.request_id not in self._link.book.by_gate
        return Denied(denied.event, None) if is_asked else deny(self._link, denied)

    def again(self, admitted: Admitted, now: int) -> list[Output]:
        """As `Gate.again`."""
        return self._told(self._gate.again(admitted, now), now)

    def tick(self, now: int) -> list[Output]:
        """Retries that only had to wait, and a subscription that ended."""
        link = self._link
        outputs = self._told(self._gate.tick(now), now)
        steps = inquiring.settled(link, now) + inquiring.overdue(link, now)
        if link.listen_at and link.listen_at <= now:
            steps += watching.listen(link)
        return outputs + self._do(steps, now)

    def replace_policy(self, policy: Policy, now: int) -> list[Output]:
        """As `Gate.replace_policy`. The client hears that its lists changed also where no subscription stands."""
        return self._told(self._gate.replace_policy(policy, now), now) + self._unsubscribed()

    def registry_changed(self, now: int) -> list[Output]:
        """As `Gate.registry_changed`, with the same care."""
        otherwise = self._gate.stands_otherwise()
        outputs = self._gate.ordered_to_end() + self._told(self._gate.approvals_changed(now), now)
        if not otherwise:
            return outputs
        return outputs + self._told(self._gate.tell_lists_changed(), now) + self._unsubscribed()

    def _unsubscribed(self) -> list[Output]:
        """The notices of changed lists to a client for which no subscription stands."""
        link = self._link
        if not link.initialized or link.listening is not None:
            return []
        return [told(notice) for notice, (_, capability) in LISTS.items() if capability in link.offered]

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """As `Gate.upstream_exited`; requests that wait for the client's own answers are lost as well."""
        outputs = self._told(self._gate.upstream_exited(how, now), now)
        for inquiry in list(self._link.book.inquiries):
            self._link.book.end(inquiry)
            outputs += self._link.fail(inquiry.wanted, INTERNAL_ERROR, f"the MCP server behind mcp-guard {how}")
        return outputs

    def asked_under(self, request_id: RequestId) -> RequestId:
        """The id under which the client waits for what the upstream knows as the request `request_id`."""
        wanted = self._link.book.by_gate.get(request_id)
        return request_id if wanted is None else wanted.id

    def _do(self, steps: list[Step], now: int) -> list[Output]:
        """Tell the gate what is for it among these steps, in order, and tell the client what comes of it."""
        outputs: list[Output] = []
        for step in steps:
            if isinstance(step, Say):
                outputs += self._told(self._gate.from_client(step.line, now), now)
            else:
                outputs.append(step)
        return outputs

    def _told(self, outputs: list[Output], now: int) -> list[Output]:
        """Turn what the gate tells the client into the legacy era's words; everything else stays as it is."""
        told: list[Output] = []
        for output in outputs:
            if isinstance(output, Reply):
                told += self._do(tell(self._link, output.line, now), now)
            elif isinstance(output, Pending) and output.line is not None:
                told.append(Pending(output.event, None, output.request_id))
                told += self._do(tell(self._link, output.line, now), now)
            else:
                told.append(deny(self._link, output) if isinstance(output, Denied) else output)
        return told

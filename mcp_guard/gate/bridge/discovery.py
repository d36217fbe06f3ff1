"""A legacy client's upstream refused `initialize`: is it a modern one? (2026-07-28, "Versioning": the row where the
specification's own matrix says that it fails.)

The guard asks with `server/discover`, in the client's name. If the upstream is modern, the client gets its
InitializeResult and a bridge; if not, or if it stays silent, the client gets the refusal, as without a bridge.
"""

from mcp_guard.gate.bridge import capabilities, eras, members
from mcp_guard.gate.bridge.client_link import ClientLink
from mcp_guard.gate.bridge.legacy_client import LegacyClient
from mcp_guard.gate.bridge.names import Names
from mcp_guard.gate.bridge.stage import Around, Seat, unanswered, untold
from mcp_guard.gate.bridge.waiting import Waiting
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Output, Reply
from mcp_guard.policy.values import Json

SILENCE = 4_000_000  # microseconds that the upstream has to answer


class Discovery(Around):
    """The guard's own `server/discover` is on its way to the upstream.

    `initialize` (its id and params) is what the client said; `refusal` is what the upstream answered to it.
    """

    def __init__(
        self, gate: Gate, names: Names, seat: Seat, initialize: tuple[RequestId, dict[str, Json]], refusal: list[Output]
    ) -> None:
        super().__init__(gate)
        self._names, self._seat, self._refusal = names, seat, refusal
        self._asked, self._params = initialize
        self._id = names.next()
        self._waiting = Waiting(gate)
        self._deadline = 0

    def begin(self, now: int) -> list[Output]:
        """Ask the upstream what it speaks."""
        self._deadline = now + SILENCE
        params = {"_meta": capabilities.envelope(self._params)}
        outputs = self._gate.from_client(members.up(members.message("server/discover", params, self._id)), now)
        return outputs if not any(isinstance(output, Reply) for output in outputs) else self._refused(now)

    @property
    def holding(self) -> bool:
        """Whether messages wait in here."""
        return bool(self._waiting) or self._gate.holding

    def from_client(self, line: bytes, now: int) -> list[Output]:
        """Everything waits."""
        return self._waiting.hold(line, now) + self._overdue(now)

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        """The answer tells."""
        message = members.read(line)
        if message is None or members.kind_of(message) != "response" or members.id_of(message) != self._id:
            return self._gate.from_upstream(line, now)
        outputs = self._gate.from_upstream(line, now)
        discovered = _discovered(outputs)
        versions = discovered.get("supportedVersions")
        if not isinstance(versions, list) or eras.MODERN_VERSION not in versions:
            return untold(outputs) + self._refused(now)
        return self._stands(discovered, now) + untold(outputs) + self._release(now)

    def _stands(self, discovered: dict[str, Json], now: int) -> list[Output]:
        """The upstream is modern: the client's handshake succeeds."""
        link = ClientLink(self._gate, self._names, discovered)
        result = link.introduce(self._params)
        self._seat.stand(LegacyClient(link))
        return [Reply(members.down(members.result(self._asked, result)))]

    def _refused(self, now: int) -> list[Output]:
        """The client gets what the upstream said, as without a bridge, and may try again."""
        self._seat.stand(self._gate)
        outputs = self._refusal + self._release(now)
        self._seat.open()
        return outputs

    def _release(self, now: int) -> list[Output]:
        return [output for line in self._waiting.take() for output in self._seat.client_said(line, now)]

    def tick(self, now: int) -> list[Output]:
        """An upstream that stays silent is not a modern one."""
        return self._gate.tick(now) + self._overdue(now)

    def _overdue(self, now: int) -> list[Output]:
        return [] if now < self._deadline else self._refused(now)

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """As `Gate.upstream_exited`, and for what waits."""
        outputs = self._refusal + unanswered(self._gate.upstream_exited(how, now), self._id)
        return outputs + self._waiting.refuse(f"the MCP server behind mcp-guard {how}")


def _discovered(outputs: list[Output]) -> dict[str, Json]:
    """The DiscoverResult as the gate would pass it on; empty where it is none."""
    for output in outputs:
        if isinstance(output, Reply):
            message = members.read(output.line) or {}
            result = members.plain(message.get("result"))
            return result if isinstance(result, dict) else {}
    return {}

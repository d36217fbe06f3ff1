"""A legacy upstream's handshake, done by the guard for a modern client (2025-11-25, "Lifecycle").

While it runs, the client's messages wait. It may still come otherwise: the upstream refuses, and then the client gets
what the upstream said to the probe, as if there were no bridge; or the upstream answers the probe after all, because it
was only slow, and is modern.
"""

import msgspec

from mcp_guard.gate.bridge import capabilities, eras, members
from mcp_guard.gate.bridge.legacy_upstream import LegacyUpstream
from mcp_guard.gate.bridge.link import Link
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.names import Names
from mcp_guard.gate.bridge.stage import Around, Seat, unanswered
from mcp_guard.gate.bridge.waiting import Waiting
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.lost_answers import instead_of
from mcp_guard.gate.messages import INTERNAL_ERROR, METHOD_NOT_FOUND, RequestId
from mcp_guard.gate.outputs import Forward, Output
from mcp_guard.policy.values import Json

_SILENT = "mcp-guard: the server answered neither server/discover nor initialize as any known protocol revision does"


class Probe(msgspec.Struct, frozen=True):
    """A `server/discover` that the upstream did not answer as a modern one does: with `refusal`, or not at all.

    The gate waits for its answer under `id`. `own`: it was the guard's, not the client's. `meta` is the client's
    envelope.
    """

    id: RequestId
    own: bool
    meta: dict[str, Json]
    refusal: bytes | None


class Handshake(Around):
    """The guard's own `initialize` is on its way to the upstream."""

    def __init__(self, gate: Gate, key: bytes, names: Names, seat: Seat, probe: Probe, waiting: Waiting) -> None:
        super().__init__(gate)
        self._key, self._names, self._seat = key, names, seat
        self._probe, self._waiting = probe, waiting
        self._id = names.next()

    def begin(self) -> list[Output]:
        """Send `initialize`, with what the client said of itself."""
        params = capabilities.initialize_params(self._probe.meta)
        return [Forward(members.up(members.message("initialize", params, self._id)))]

    @property
    def holding(self) -> bool:
        """Whether messages wait in here."""
        return bool(self._waiting) or self._gate.holding

    def from_client(self, line: bytes, now: int) -> list[Output]:
        """Everything waits."""
        return self._waiting.hold(line, now)

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        """The answer to the handshake, or a late one to the probe. Before that, an upstream may only ping."""
        message = members.read(line)
        kind = members.kind_of(message) if message is not None else None
        if message is None or kind is None:
            rejected = self._gate.reject("upstream", "not a JSON-RPC message", len(line), now)
            instead = instead_of(line) if message is None else None
            return rejected if instead is None else [*rejected, *self.from_upstream(instead, now)]
        if kind == "response":
            return self._answered(message, line, now)
        return _too_early(message) if kind == "request" else []

    def _answered(self, message: Members, line: bytes, now: int) -> list[Output]:
        request_id = members.id_of(message)
        if request_id == self._id:
            initialized = members.plain(message.get("result"))
            if isinstance(initialized, dict) and initialized.get("protocolVersion") in eras.LEGACY_VERSIONS:
                return self._stands(initialized, now)
            return self._fails(now)
        if request_id == self._probe.id and self._probe.refusal is None:
            return self._passes(line, now) if eras.told(message) == "modern" else []
        return self._gate.reject("upstream", "a response to a request that nobody made", len(line), now)

    def _stands(self, initialized: dict[str, Json], now: int) -> list[Output]:
        """The upstream is ready: tell it so, answer the probe, and carry what waited."""
        link = Link(self._gate, self._key, self._names, initialized, fall_back=lambda: self._seat.stand(self._gate))
        stage = LegacyUpstream(link)
        self._seat.stand(stage)
        ready: list[Output] = [Forward(members.up(members.message("notifications/initialized")))]
        return [*ready, *stage.stands(self._probe.id, now, quiet=self._probe.own), *self._release(now)]

    def _fails(self, now: int) -> list[Output]:
        """There is nothing to bridge: the client gets what the upstream said, and may try again."""
        refusal = self._probe.refusal
        if refusal is None:
            refusal = members.up(members.failure(self._probe.id, INTERNAL_ERROR, _SILENT))
        outputs = self._passes(refusal, now)
        self._seat.open()
        return outputs

    def _passes(self, answer: bytes, now: int) -> list[Output]:
        """From now on the gate alone stands between the two."""
        outputs = self._gate.from_upstream(answer, now)
        if self._probe.own:
            outputs = unanswered(outputs, self._probe.id)
        self._seat.stand(self._gate)
        return outputs + self._release(now)

    def _release(self, now: int) -> list[Output]:
        return [output for line in self._waiting.take() for output in self._seat.client_said(line, now)]

    def tick(self, now: int) -> list[Output]:
        """As `Gate.tick`. An upstream may take as long as it likes to start: its client knows how long it waits."""
        return self._gate.tick(now)

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """As `Gate.upstream_exited`, and for what waits."""
        outputs = self._gate.upstream_exited(how, now)
        if self._probe.own:
            outputs = unanswered(outputs, self._probe.id)
        return outputs + self._waiting.refuse(f"the MCP server behind mcp-guard {how}")


def _too_early(message: Members) -> list[Output]:
    request_id = members.id_of(message)
    if request_id is None:
        return []
    if members.text_of(message, "method") == "ping":
        return [Forward(members.up(members.result(request_id, {})))]
    return [Forward(members.up(members.failure(request_id, METHOD_NOT_FOUND, "Method not found")))]

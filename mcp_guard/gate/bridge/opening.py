"""The beginning of a connection: which era does each side speak?

The client tells with its first request. The upstream tells with its answer: a legacy client's `initialize` goes to it
as it came, and for a modern client it is probed with `server/discover` (the client's own, where that is what it said
first). The same era on both sides: the gate takes over, nothing was lost or added but the probe. Different eras: one of
the two bridges takes over, which are imported only then.

A modern client's messages wait until the upstream's era is known: some legacy servers would take a modern call for
one of their own. A legacy client's do not: what it sends before it is answered is its own affair, as without a guard.
"""

from mcp_guard.gate.bridge import eras, members
from mcp_guard.gate.bridge.names import Names
from mcp_guard.gate.bridge.stage import Around, Seat, unanswered, untold
from mcp_guard.gate.bridge.waiting import Waiting
from mcp_guard.gate.connection import CAPABILITIES_META, CLIENT_META, PROTOCOL_META
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Forward, Output, Reply

SILENCE = 4_000_000  # microseconds after which an upstream that does not answer a probe is taken for a legacy one

_ENVELOPE = (PROTOCOL_META, CLIENT_META, CAPABILITIES_META)


class Opening(Around):
    """Both sides' eras are being found out."""

    def __init__(self, gate: Gate, key: bytes, names: Names, seat: Seat) -> None:
        super().__init__(gate)
        self._key, self._names, self._seat = key, names, seat
        self._waiting = Waiting(gate)
        self._client: eras.Opening | None = None  # the message that told the client's era
        self._said = b""  # the line of that message
        self._watched: RequestId | None = None  # the id of the request whose answer tells the upstream's era
        self._deadline = 0

    @property
    def holding(self) -> bool:
        """Whether messages wait in here."""
        return bool(self._waiting) or self._gate.holding

    # From the client

    def from_client(self, line: bytes, now: int) -> list[Output]:
        """The first message that tells the client's era begins the search for the upstream's."""
        told, client = eras.opening(line), self._client
        if client is None:
            return self._gate.from_client(line, now) if told is None else self._begin(told, line, now)
        if client.era == "legacy":
            return self._gate.from_client(line, now)
        if told is not None and told.era == "legacy":
            return self._release(now) + self._begin(told, line, now)  # it speaks both, and gives the probe up
        return self._waiting.hold(line, now) + self._overdue(now)

    def _begin(self, told: eras.Opening, line: bytes, now: int) -> list[Output]:
        """Ask the upstream the question whose answer tells its era."""
        self._client, self._said, self._deadline = told, line, now + SILENCE
        self._watched, question = told.id, line
        if told.method not in ("initialize", "server/discover"):
            self._watched = self._names.next()
            self._waiting.hold(line, now)
            question = members.up(members.message("server/discover", {"_meta": _envelope(told)}, self._watched))
        outputs = self._gate.from_client(question, now)
        if any(isinstance(output, Forward) for output in outputs):
            return outputs
        if self._own:
            outputs = []
        self._client = self._watched = None  # the gate found the message malformed: the next one may tell
        return outputs + self._release(now)

    def _release(self, now: int) -> list[Output]:
        return [output for line in self._waiting.take() for output in self._gate.from_client(line, now)]

    # From the upstream

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        """The answer that is watched for tells the upstream's era."""
        if self._watched is None:
            return self._gate.from_upstream(line, now)
        message = members.read(line)
        if message is None:
            return self._unread(line, now)
        if members.kind_of(message) != "response" or members.id_of(message) != self._watched:
            return self._gate.from_upstream(line, now)
        assert self._client is not None
        if self._client.era == "legacy":
            return self._same(line, now) if "result" in message else self._modern_perhaps(line, now)
        return self._same(line, now) if eras.told(message) == "modern" else self._legacy(line, now)

    def _unread(self, line: bytes, now: int) -> list[Output]:
        """A line that is no JSON, or no object: an answer all the same, perhaps the one that is watched for."""
        from mcp_guard.gate.lost_answers import instead_of

        instead = instead_of(line)
        if instead is None:
            return self._gate.from_upstream(line, now)
        return [*self._gate.reject("upstream", "not JSON", len(line), now), *self.from_upstream(instead, now)]

    def _same(self, line: bytes, now: int) -> list[Output]:
        """Both sides are of one era: nothing stands between them but the gate."""
        outputs = self._without_own(self._gate.from_upstream(line, now))
        self._seat.stand(self._gate)
        return outputs + self._release(now)

    def _legacy(self, refusal: bytes | None, now: int) -> list[Output]:
        """A modern client with an upstream that does not answer as a modern one."""
        from mcp_guard.gate.bridge.handshake import Handshake, Probe

        assert self._client is not None
        assert self._watched is not None
        meta = {name: members.plain(self._client.meta.get(name)) for name in _ENVELOPE}
        probe = Probe(self._watched, self._own, meta, refusal)
        handshake = Handshake(self._gate, self._key, self._names, self._seat, probe, self._waiting)
        self._seat.stand(handshake)
        return handshake.begin()

    def _modern_perhaps(self, refusal: bytes, now: int) -> list[Output]:
        """A legacy client with an upstream that refuses `initialize`."""
        from mcp_guard.gate.bridge.discovery import Discovery

        assert self._client is not None
        answer = self._gate.from_upstream(refusal, now)
        replies: list[Output] = [output for output in answer if isinstance(output, Reply)]
        params = members.plain((members.read(self._said) or {}).get("params"))
        initialize = self._client.id, params if isinstance(params, dict) else {}
        discovery = Discovery(self._gate, self._names, self._seat, initialize, replies)
        self._seat.stand(discovery)
        return untold(answer) + discovery.begin(now)

    @property
    def _own(self) -> bool:
        """Whether the question was the guard's own."""
        return self._client is not None and self._watched != self._client.id

    def _without_own(self, outputs: list[Output]) -> list[Output]:
        """Outputs without what answers a question of the guard's own."""
        return outputs if not self._own or self._watched is None else unanswered(outputs, self._watched)

    # The rest of the surface

    def tick(self, now: int) -> list[Output]:
        """As `Gate.tick`. A probed upstream that stays silent is a legacy one."""
        return self._gate.tick(now) + self._overdue(now)

    def _overdue(self, now: int) -> list[Output]:
        if self._client is None or self._client.era == "legacy" or now < self._deadline:
            return []
        return self._legacy(None, now)

    def may_go_ahead(self, start: bytes) -> bool:
        """As `Gate.may_go_ahead`, which says no while a handshake or a probe is open."""
        return self._gate.may_go_ahead(start)

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """As `Gate.upstream_exited`, and for what waits."""
        outputs = self._without_own(self._gate.upstream_exited(how, now))
        return outputs + self._waiting.refuse(f"the MCP server behind mcp-guard {how}")


def _envelope(told: eras.Opening) -> members.Members:
    return {name: told.meta[name] for name in _ENVELOPE if name in told.meta}

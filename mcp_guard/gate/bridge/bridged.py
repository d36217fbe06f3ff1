"""A gate that does not mind which protocol era its two sides speak: the surface that transports hold.

It begins by finding out both sides' eras (`opening`). Where they are the same, every line goes to the gate untouched,
and the gate's own methods take the place of these, so that passing costs nothing. Where they differ, the gate sits on
the modern side of a bridge: `legacy_client` stands between a legacy client and the gate, `legacy_upstream` between the
gate and a legacy upstream. The invariant is the gate's: no call leaves here but in an `Admitted` that the gate made.
"""

from mcp_guard.gate.bridge.names import Names
from mcp_guard.gate.bridge.opening import Opening
from mcp_guard.gate.bridge.stage import Around
from mcp_guard.gate.bridge.waiting import refused
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Output
from mcp_guard.gate.wire import UnreadableError, without_halves

KEY_BYTES = 32  # of randomness that a bridge needs: half of it names its own requests, half keys its tokens


class Bridged:
    """One guarded connection between a client and an upstream of any eras; the surface is that of `Gate`.

    `key` is at least 32 random bytes that nobody else knows: by it the bridge names its own requests and knows its own
    tokens again. It must be another for each connection.
    """

    def __init__(self, gate: Gate, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"the key must be at least {KEY_BYTES} bytes")
        self._gate, self._key, self._names = gate, key[16:], Names(key[:16])
        self.start = gate.start
        self.policy_rejected = gate.policy_rejected
        self.client_closed = gate.client_closed
        self.open()

    def open(self) -> None:
        """Nothing is known of the eras: the client's next handshake or probe will tell."""
        self.stand(Opening(self._gate, self._key, self._names, self))

    def stand(self, stage: Gate | Around) -> None:
        """From now on `stage` is between the transport and the gate, and its methods are these."""
        self._stage = stage
        bare = isinstance(stage, Gate)
        self.from_client = stage.from_client if bare else self._from_client
        self.from_upstream = stage.from_upstream if bare else self._from_upstream
        self.refuse = stage.refuse
        self.again = stage.again
        self.client_oversized = stage.client_oversized
        self.upstream_oversized = stage.upstream_oversized
        self.tick = stage.tick
        self.may_go_ahead = stage.may_go_ahead
        self.replace_policy = stage.replace_policy
        self.registry_changed = stage.registry_changed

    def _from_client(self, line: bytes, now: int) -> list[Output]:
        """A mistake of a bridge's must neither let a call past nor end the session: see `Gate.from_client`."""
        try:
            return self._stage.from_client(line, now)
        except Exception as error:
            failure = _failure(error)
            return [*refused(line, f"mcp-guard: {failure}"), *self._gate.reject("client", failure, len(line), now)]

    def _from_upstream(self, line: bytes, now: int) -> list[Output]:
        try:
            return self._stage.from_upstream(without_halves(line), now)
        except Exception as error:
            return self._gate.reject("upstream", _failure(error), len(line), now)

    def client_said(self, line: bytes, now: int) -> list[Output]:
        """As `from_client`, whatever stage stands by now."""
        return self.from_client(line, now)

    @property
    def holding(self) -> bool:
        """Whether messages wait in here: for the guard's own listing, or until both eras are known."""
        return self._stage.holding

    @property
    def shown_under(self) -> object:
        """As `Gate.shown_under`."""
        return self._gate.shown_under

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """The upstream is gone (`how`: "exited with status 3"): everything that waits is answered with an error.

        Another upstream may take its place, of another era perhaps: the next handshake or probe will tell.
        """
        outputs = self._stage.upstream_exited(how, now)
        self.open()
        return outputs

    def asked_under(self, request_id: RequestId) -> RequestId:
        """The id under which the client waits for what the upstream knows as the request `request_id`."""
        return request_id if isinstance(self._stage, Gate) else self._stage.asked_under(request_id)


def _failure(error: Exception) -> str:
    """Why a line goes no further: what is wrong with it, or a mistake of the guard's own; without any of the data."""
    if isinstance(error, UnreadableError):
        return str(error)
    return f"internal error ({type(error).__name__})"

"""A gate that does not mind which protocol era its two sides speak: the surface that transports hold.

It begins by finding out both sides' eras (`opening`). Where they are the same, every line goes to the gate untouched,
and the gate's own methods take the place of these, so that passing costs nothing. Where they differ, the gate sits on
the modern side of a bridge: `legacy_client` stands between a legacy client and the gate, `legacy_upstream` between the
gate and a legacy upstream. The invariant is the gate's: no call leaves here but in an `Admitted` that the gate made.
"""

from collections.abc import Callable

from mcp_guard.gate.bridge.stage import Stage
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Output

KEY_BYTES = 32  # of randomness that a bridge needs: half of it names its own requests, half keys its tokens


class Bridged:
    """One guarded connection between a client and an upstream of any eras; the surface is that of `Gate`.

    `key` is at least 32 random bytes that nobody else knows: by it the bridge names its own requests and knows its own
    tokens again. It must be another for each connection.
    """

    def __init__(self, gate: Gate, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"the key must be at least {KEY_BYTES} bytes")
        self._gate, self._key = gate, key
        self.start = gate.start
        self.policy_rejected = gate.policy_rejected
        self.client_closed = gate.client_closed
        self._asked_under: Callable[[RequestId], RequestId] = _the_same
        self._stand(gate)

    def _stand(self, stage: Stage) -> None:
        """From now on `stage` is between the transport and the gate."""
        self._stage = stage
        self.from_client = stage.from_client
        self.from_upstream = stage.from_upstream
        self.refuse = stage.refuse
        self.client_oversized = stage.client_oversized
        self.upstream_oversized = stage.upstream_oversized
        self.tick = stage.tick
        self.may_go_ahead = stage.may_go_ahead
        self.replace_policy = stage.replace_policy

    @property
    def holding(self) -> bool:
        """Whether messages wait in here: for the guard's own listing, or until both eras are known."""
        return self._stage.holding

    def upstream_exited(self, how: str, now: int) -> list[Output]:
        """The upstream is gone (`how`: "exited with status 3"): everything that waits is answered with an error.

        Another upstream may take its place, of another era perhaps: what is known of the eras is forgotten.
        """
        return self._stage.upstream_exited(how, now)

    def asked_under(self, request_id: RequestId) -> RequestId:
        """The id under which the client waits for what the upstream knows as the request `request_id`."""
        return self._asked_under(request_id)


def _the_same(request_id: RequestId) -> RequestId:
    return request_id

"""The two ends of a guarded connection, as a switch sees them: where lines come from and where they go. Protocols only.

A line is one JSON-RPC message as bytes, without a line end. An end frames lines in its own way (a pipe by LF, HTTP by
bodies and events) and knows nothing of policy. Everything here happens on one event loop: `send`, `flush`, `pause` and
`resume` are plain calls that never wait, and an end calls its listener from the loop and from nowhere else.

An end that has called `ended` calls its listener no more.
"""

from typing import Protocol

from mcp_guard.gate.messages import RequestId


class Listener(Protocol):
    """What an end tells of its peer. None of these waits, and none raises."""

    def deliver(self, line: bytes, related: RequestId | None = None) -> None:
        """The peer said `line`. From an upstream over HTTP, `related` is the id of the request on whose response
        stream it came (as the request was sent there); None where it came on no request's stream.
        """
        ...

    def oversized(self, size: int) -> None:
        """The peer sent a message of `size` bytes (or more: as far as it was counted), too large to be taken."""
        ...

    def relieved(self) -> None:
        """The peer has taken what waited for it: `waiting` is low again. Never called within `send` or `flush`."""
        ...

    def ended(self, how: str) -> None:
        """The peer is gone and will say nothing more. Of an upstream, `how` follows "the server …" ("exited with status
        3"); of a client, it is a sentence of its own ("the client closed its end").
        """
        ...


class UpstreamListener(Listener, Protocol):
    """What an upstream's end tells of its peer besides."""

    def parted(self, related: RequestId) -> None:
        """The upstream has closed the response stream of a request that it has not answered, to be asked again for the
        rest (2025-11-25, "Sending Messages": 6). The end sees to that; whoever waits for it may be let go likewise.
        """
        ...


class End(Protocol):
    """One peer of the guard."""

    @property
    def waiting(self) -> int:
        """Bytes that were given to `send` and that the peer has not taken yet."""
        ...

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """Send a line, in order; perhaps only with the next `flush`. A peer that is gone swallows it.

        To a client, `related` is the id of the client's request that the upstream sent this line for, where the
        upstream's transport tells (see `Listener.deliver`); a client over HTTP may choose a stream by it. It may be an
        id that the client never used: then it says nothing. To an upstream, it is always None.
        """
        ...

    def flush(self) -> None:
        """Nothing more comes for the moment: send what was held back in the hope of more."""
        ...

    def pause(self) -> None:
        """Deliver nothing for now, and let the peer wait with what it says. A little may still be delivered."""
        ...

    def resume(self) -> None:
        """Deliver again."""
        ...

    async def close(self) -> None:
        """The guard is done with this peer: in order, and bounded in time. May be called again.

        An upstream is told to end and given a moment to finish what it does; it is delivered from until this returns.
        A client is given what waits for it.
        """
        ...


class ClientEnd(End, Protocol):
    """The client's side: one client (on HTTP: one session, or one caller of the stateless revision)."""

    async def start(self, listener: Listener) -> None:
        """Begin: from now on `listener` hears of the peer. Raises GuardError where that cannot be, cleaned up."""
        ...

    def part(self, request_id: RequestId) -> None:
        """Nobody need hold a connection open for this request of the client's: its answer will come later."""
        ...


class UpstreamEnd(End, Protocol):
    """The upstream's side: one connection to one server. Started once; a restart is a new end."""

    def kill(self) -> None:
        """Whatever `close` still waits for, it is not to wait for it: somebody is in a hurry."""
        ...

    async def start(self, listener: UpstreamListener) -> None:
        """As that of a client's end."""
        ...

"""What a connection needs of the server that it belongs to (`service.Service`)."""

from typing import TYPE_CHECKING, Protocol

from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.door import Door
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.requests import Caller, Head

if TYPE_CHECKING:
    from mcp_guard.transports.http_server.connection import HttpConnection


class Server(Protocol):
    """One server over HTTP."""

    door: Door
    limits: Limits
    date: bytes  # now, as a Date field says it
    receiving: int  # bytes of bodies that are being received on all connections

    def handle(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """Answer a request through its channel, now or later. Raises nothing."""
        ...

    def connected(self, connection: "HttpConnection") -> bool:
        """A connection stands; False where there are too many."""
        ...

    def disconnected(self, connection: "HttpConnection") -> None:
        """A connection is gone."""
        ...

    def relieve(self) -> None:
        """More is being received than may be."""
        ...

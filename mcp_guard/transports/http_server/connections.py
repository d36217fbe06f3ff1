"""All connections of one server: how many there may be, and which gives way when there are too many."""

from collections.abc import Iterator

from mcp_guard.transports.http_server.connection import HttpConnection
from mcp_guard.transports.http_server.requests import Caller


class Connections:
    """Those that stand."""

    def __init__(self) -> None:
        self._open: set[HttpConnection] = set()

    def __iter__(self) -> Iterator[HttpConnection]:
        return iter(tuple(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: HttpConnection, most: int) -> bool:
        """One more stands; False where there are too many, and none of them is idle, to be closed for it."""
        full = len(self._open) >= most
        idle = [other for other in self._open if other.idle] if full else []
        if idle:
            longest = min(idle, key=lambda other: other.deadline)
            self._open.discard(longest)
            longest.abort()
        self._open.add(connection)
        return not full or bool(idle)

    def remove(self, connection: HttpConnection) -> None:
        """One is gone."""
        self._open.discard(connection)

    def relieve(self) -> None:
        """More is being received than may be: the largest message gives way, so that no other is kept out by it."""
        max(self._open, key=lambda connection: connection.size).give_way()

    def are_crowded_by(self, caller: Caller, most: int) -> bool:
        """Whether more than half of those that there may be wait for answers to one credential, which would keep all
        others out before long. Who has none cannot be told apart.
        """
        if not caller.credential or 2 * len(self._open) <= most:
            return False
        return 2 * sum(connection.answers == caller.credential for connection in self._open) > most

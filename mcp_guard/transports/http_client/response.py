"""A response as whoever asked for it sees it: its head is here, its body comes as it is read."""

from collections.abc import Mapping
from types import TracebackType

from mcp_guard.transports.http_client.connection import Connection
from mcp_guard.transports.http_client.errors import EncodedError
from mcp_guard.transports.http_client.incoming import Incoming


class Response:
    """One response. It is read to its end, released or closed; as a context, it is closed where it was not read.

    `sent` are the fields that the request was made with, beside those of the client.
    """

    __slots__ = ("_connection", "_incoming", "headers", "sent", "status")

    def __init__(self, incoming: Incoming, connection: Connection, sent: Mapping[str, str]) -> None:
        self._incoming, self._connection = incoming, connection
        self.status = incoming.status
        self.headers = incoming
        self.sent = sent

    @property
    def encoded(self) -> bool:
        """Whether its body is compressed."""
        return (self._incoming.get("content-encoding") or "identity").strip().lower() != "identity"

    async def some(self) -> bytes:
        """All that has come of the body since the last time, as soon as there is some; b"" at its end. Raises HttpError
        where it ends too early.
        """
        incoming = self._incoming
        if incoming.pieces and self.encoded:
            raise EncodedError
        while True:
            if data := incoming.take():
                return data
            if incoming.failure is not None:
                raise incoming.failure
            if incoming.complete:
                return b""
            await self._connection.more(incoming)

    def release(self) -> None:
        """The rest of it is wanted by nobody. Its connection is kept, if that rest is short and soon here."""
        self._connection.leave(self._incoming)

    def close(self) -> None:
        """End its connection, unless it has come as a whole."""
        self._connection.drop(self._incoming)

    async def __aenter__(self) -> "Response":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

"""The response to one request, as whoever answers it sees it, whether the client is still there or not."""

from typing import Protocol

from mcp_guard.transports.http_server.requests import Answer, Fields


class Wire(Protocol):
    """What a channel needs of the connection that it belongs to."""

    @property
    def unsent(self) -> int:
        """Bytes that wait for the client to take them."""
        ...

    def send_answer(self, answer: Answer) -> None:
        """The whole response."""
        ...

    def begin_stream(self, fields: Fields) -> None:
        """The head of a stream."""
        ...

    def send_piece(self, data: bytes) -> None:
        """A piece of the stream."""
        ...

    def end_stream(self) -> None:
        """The stream has ended."""
        ...


class ChannelOwner(Protocol):
    """Who answers through a channel, and hears how that goes."""

    def channel_gone(self, channel: "Channel") -> None:
        """The client is gone before its response ended. Called once."""
        ...

    def channel_slow(self, channel: "Channel", slow: bool) -> None:
        """The client does not keep up with what it is sent, or has caught up (never from within `write`)."""
        ...


class Channel:
    """The response to one request: a whole answer, or a stream of events. A client that is gone swallows everything."""

    __slots__ = ("_connection", "owner", "streaming")

    def __init__(self, connection: "Wire") -> None:
        self._connection: Wire | None = connection
        self.streaming = False
        self.owner: ChannelOwner | None = None

    @property
    def open(self) -> bool:
        """Whether the response has not ended, and the client is there."""
        return self._connection is not None

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._connection.unsent if self._connection is not None else 0

    def answer(self, answer: Answer) -> None:
        """Respond as a whole."""
        connection = self._release()
        if connection is not None:
            connection.send_answer(answer)

    def json(self, status: int, line: bytes, fields: Fields = ()) -> None:
        """Respond with one JSON-RPC message."""
        self.answer(Answer(status, line, fields))

    def begin(self, fields: Fields = ()) -> None:
        """Respond with a stream of events, which goes on until `end`."""
        if self._connection is not None and not self.streaming:
            self.streaming = True
            self._connection.begin_stream(fields)

    def write(self, data: bytes) -> None:
        """Send a piece of the stream."""
        if self._connection is not None:
            self._connection.send_piece(data)

    def end(self) -> None:
        """The stream ends here."""
        connection = self._release()
        if connection is not None:
            connection.end_stream()

    def lost(self) -> None:
        """For the connection: the client is gone."""
        self._connection = None
        if self.owner is not None:
            self.owner.channel_gone(self)

    def slow(self, slow: bool) -> None:
        """For the connection: the client has fallen behind, or caught up."""
        if self.owner is not None:
            self.owner.channel_slow(self, slow)

    def _release(self) -> "Wire | None":
        connection, self._connection = self._connection, None
        return connection

"""One POST that waits for answers: as plain JSON while nothing else has to be said, else as a stream of events."""

import asyncio

from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.events import Stream, event
from mcp_guard.transports.http_server.requests import Fields


class Exchange:
    """The response under way to one POST. `ids` are those of its requests that are not answered yet.

    With a `stream`, its events can be taken up again by a client that lost the connection; without one, they cannot.
    """

    __slots__ = ("batch", "channel", "clashing", "fields", "ids", "letting_go", "opened", "primes", "stream", "tokens")

    def __init__(self, channel: Channel, now: float, fields: Fields = ()) -> None:
        self.channel = channel
        self.opened = now
        self.fields = fields
        self.ids: set[RequestId] = set()
        self.clashing: set[RequestId] = set()  # ids of its requests under which others wait already
        self.tokens: list[RequestId] = []  # progress tokens of its requests
        self.batch = False  # a batch was posted, so an array may answer it
        self.primes = False  # its stream begins with an event without data (see `events.priming`)
        self.stream: Stream | None = None
        self.letting_go: asyncio.TimerHandle | None = None  # when the client is to go and come back for the rest

    @property
    def streaming(self) -> bool:
        """Whether the response has begun as a stream."""
        return self.channel.streaming

    @property
    def away(self) -> bool:
        """Whether the client is not there, but may come back: what is sent waits for it."""
        return self.stream is not None and not self.channel.open

    @property
    def reachable(self) -> bool:
        """Whether what is sent has a chance to arrive: the client is there, or may come back for it."""
        return self.channel.open or self.stream is not None

    def begin(self, stream: Stream | None = None) -> None:
        """The response becomes a stream."""
        self.channel.begin(self.fields)
        self.stream = stream
        if stream is not None:
            stream.attach(self.channel)

    def send(self, line: bytes) -> None:
        """Something that is not the last answer. The stream has begun."""
        if self.stream is not None:
            self.stream.send(line)
        else:
            self.channel.write(event(line))

    def finish(self, line: bytes, status: int = 200) -> None:
        """The last answer: the response ends with it. `status` counts where the response has not begun."""
        if self.streaming:
            self.send(line)
            self.channel.end()
        else:
            self.channel.json(status, line, self.fields)

    def abandon(self) -> None:
        """The response ends without an answer, as of a request that was cancelled: a stream of no more events."""
        self.channel.begin(self.fields)
        self.channel.end()

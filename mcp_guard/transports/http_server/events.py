"""Server-sent events: their frames, and streams of them that can be taken up again where they broke off.

Each event of a legacy session has an id, `STREAM-NUMBER`, by which a client that lost its connection asks for what came
after it (2025-11-25, "Resumability and Redelivery"). What can be sent again is bounded for the session as a whole: the
oldest events go first. An event's data is always one line.
"""

from collections import deque

from mcp_guard.transports.http_server.channel import Channel

COMMENT = b": keep-alive\n\n"


def event(line: bytes, event_id: str | None = None) -> bytes:
    """A message as an event. Line ends in JSON stand between its tokens, where spaces are as good."""
    if b"\n" in line or b"\r" in line:
        line = line.replace(b"\r", b" ").replace(b"\n", b" ")
    if event_id is None:
        return b"event: message\ndata: %b\n\n" % line
    return b"id: %b\nevent: message\ndata: %b\n\n" % (event_id.encode("ascii"), line)


def priming(event_id: str, retry: int) -> bytes:
    """An event without data, which gives the client an id to resume from (2025-11-25, "Sending Messages": 6)."""
    return b"id: %b\nretry: %d\ndata: \n\n" % (event_id.encode("ascii"), retry)


class Replay:
    """The latest events of all streams of one session, up to so many bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._events: deque[tuple[str, int, bytes]] = deque()

    def keep(self, stream: str, number: int, frame: bytes) -> None:
        """Keep an event as long as there is room."""
        self._events.append((stream, number, frame))
        self._size += len(frame)
        while self._size > self._most:
            self._size -= len(self._events.popleft()[2])

    def after(self, stream: str, number: int) -> list[bytes]:
        """The events of a stream that came after one of it."""
        return [frame for key, n, frame in self._events if key == stream and n > number]

    def knows(self, stream: str) -> bool:
        """Whether any event of a stream is kept."""
        return any(key == stream for key, _, _ in self._events)


class Stream:
    """One stream of numbered events. Without a channel, events wait in the replay for the client to come back."""

    def __init__(self, key: str, replay: Replay) -> None:
        self.key = key
        self.channel: Channel | None = None
        self._replay = replay
        self._number = 0
        self._sent = 0  # the last event that a channel took

    def prime(self, retry: int) -> None:
        """Give the client an id to resume from, before anything (more) has happened."""
        if self.channel is not None:
            self.channel.write(priming(f"{self.key}-{self._sent}", retry))

    def send(self, line: bytes) -> None:
        """Send a message as the stream's next event."""
        self._number += 1
        frame = event(line, f"{self.key}-{self._number}")
        self._replay.keep(self.key, self._number, frame)
        if self.channel is not None and self.channel.open:
            self.channel.write(frame)
            self._sent = self._number

    def attach(self, channel: Channel, after: int | None = None) -> None:
        """Go on through `channel`: from the event `after` on, or from the first that no channel took."""
        self.channel = channel
        for frame in self._replay.after(self.key, self._sent if after is None else after):
            channel.write(frame)
        self._sent = self._number

    def detach(self, channel: Channel) -> None:
        """The client has lost `channel`, if it is this stream's."""
        if self.channel is channel:
            self.channel = None


def parse_event_id(text: str) -> tuple[str, int] | None:
    """The stream and number of an event id, or None where it is none that this server could have given."""
    stream, dash, number = text.partition("-")
    if not (dash and stream.isascii() and stream.isdigit() and number.isascii() and number.isdigit()):
        return None
    return (stream, int(number)) if len(text) <= 40 else None

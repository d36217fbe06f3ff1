"""One stream of events from a server, over as many connections as it takes.

2025-11-25, "Resumability and Redelivery": a stream that broke off is taken up again after the event that came last, and
not before the time that the server asks for.
"""

import asyncio
from collections.abc import Callable

from mcp_guard.transports.framing import Oversized
from mcp_guard.transports.http_client.errors import HttpError
from mcp_guard.transports.http_client.response import Response
from mcp_guard.transports.http_upstream.events import Events
from mcp_guard.transports.http_upstream.link import Valve

_TAIL = 1.0  # seconds that a stream gets to end by itself after the answer, so that its connection can be used again
_REST = 1.0  # seconds before a stream is taken up again, where the server says nothing else
_LONGEST_REST = 300.0
_LEAST_REST = 0.05  # doubled with each connection in a row that brought nothing


class Stream:
    """Reads events as they come. `take` gets each message, and says whether it was what the stream is for."""

    def __init__(self, limit: int, valve: Valve, take: Callable[[bytes], bool]) -> None:
        self._limit, self._valve, self._take = limit, valve, take
        self._retry: int | None = None
        self.last_id = ""
        self.done = False
        self.oversized = 0  # the size of the event that was too large, if there was one
        self.empty = 0  # connections in a row that brought nothing

    async def read(self, response: Response) -> None:
        """Take in what one connection brings, until it ends, breaks, or brings too much."""
        events = Events(self._limit, self.last_id)
        self.empty += 1
        try:
            async with asyncio.timeout(None) as tail:
                while chunk := await response.some():
                    if not self._feed(events, chunk):
                        return
                    if self.done and tail.when() is None:
                        tail.reschedule(asyncio.get_running_loop().time() + _TAIL)
                    await self._valve.passed()
        except (HttpError, TimeoutError):
            return
        finally:
            self.last_id = events.last_id
            self._retry = self._retry if events.retry is None else events.retry

    def _feed(self, events: Events, chunk: bytes) -> bool:
        for event in events.feed(chunk):
            if isinstance(event, Oversized):
                self.oversized = event.size
                return False
            self.empty = 0
            if event.type == "message" and self._take(event.data):
                self.done = True
        return True

    @property
    def rest(self) -> float:
        """Seconds before the next connection."""
        asked = _REST if self._retry is None else self._retry / 1000
        return min(max(asked, _LEAST_REST * 2 ** min(self.empty, 10)), _LONGEST_REST)

    def headers(self) -> dict[str, str]:
        """What the request for the next connection carries."""
        return {"Accept": "text/event-stream", **({"Last-Event-ID": self.last_id} if self.last_id else {})}

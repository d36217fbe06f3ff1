"""The stream for what a server of the legacy revisions says unasked (2025-11-25, "Listening for Messages").

Kept open for as long as the session stands and the server offers it, and opened again where it broke off.
"""

import asyncio
from collections.abc import Callable

from mcp_guard.transports.http_upstream.failures import RemoteError
from mcp_guard.transports.http_upstream.link import Link, Valve, media_type
from mcp_guard.transports.http_upstream.session import Session
from mcp_guard.transports.http_upstream.streams import Stream


class Listening:
    """Listens from `start` to `stop`. `say` gets each message, `oversized` the size of one that was too large."""

    def __init__(
        self, link: Link, session: Session, limit: int, valve: Valve, say: Callable[[bytes], None],
        oversized: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._link, self._session, self._limit, self._valve = link, session, limit, valve
        self._say, self._oversized = say, oversized
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen, in the session that stands now."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _listen(self) -> None:
        stream = Stream(self._limit, self._valve, self._take)
        while await self._connected(stream):
            if stream.oversized:
                self._oversized(stream.oversized)
                stream.oversized = 0
            await asyncio.sleep(stream.rest)

    async def _connected(self, stream: Stream) -> bool:
        """Listen over one connection; False where the server has nothing to say unasked (405), or wants no listener."""
        try:
            async with await self._link.open("GET", {**self._session.headers(), **stream.headers()}) as response:
                if response.status >= 500:
                    stream.empty += 1
                    return True
                if response.status >= 300 or media_type(response) != "text/event-stream":
                    return False
                await stream.read(response)
        except RemoteError:
            stream.empty += 1
        return True

    def _take(self, line: bytes) -> bool:
        self._say(line)
        return False

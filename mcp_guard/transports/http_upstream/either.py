"""A remote server whose transport nobody named: streamable HTTP, and HTTP+SSE where the server knows only that.

2025-11-25, "Backwards Compatibility": the opening message is posted; where that is refused as a thing unknown, and the
same URL opens a stream of events that names an endpoint, the server is one of the old transport.
"""

import asyncio
from collections.abc import Callable

from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.ends import UpstreamEnd, UpstreamListener
from mcp_guard.transports.http_upstream.failures import RemoteError
from mcp_guard.transports.http_upstream.link import Link
from mcp_guard.transports.http_upstream.old_sse import SseUpstream
from mcp_guard.transports.http_upstream.streamable import StreamableUpstream


class EitherUpstream:
    """One connection to a server. `make_link` gives a way to it, for each transport that is tried; `ends` is as with
    `StreamableUpstream`.
    """

    def __init__(self, make_link: Callable[[], Link], limit: int, *, ends: bool = False) -> None:
        self._make_link, self._limit = make_link, limit
        self._end: UpstreamEnd = StreamableUpstream(make_link(), limit, self._old, ends=ends)
        self._listener: UpstreamListener | None = None
        self._paused = False
        self._left: asyncio.Task[None] | None = None  # the streamable one is being closed

    @property
    def waiting(self) -> int:
        """Bytes that the server has not taken yet."""
        return self._end.waiting

    async def start(self, listener: UpstreamListener) -> None:
        """Nothing is said until there is something to say."""
        self._listener = listener
        await self._end.start(listener)

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        """A line to the server."""
        self._end.send(line)

    def flush(self) -> None:
        """Nothing is held back."""

    def pause(self) -> None:
        """Let what the server says wait."""
        self._paused = True
        self._end.pause()

    def resume(self) -> None:
        """Take it again."""
        self._paused = False
        self._end.resume()

    def kill(self) -> None:
        """Break off what is open."""
        self._end.kill()

    async def close(self) -> None:
        """End the connection, over whichever transport it is."""
        await self._end.close()
        if self._left is not None:
            await asyncio.gather(self._left, return_exceptions=True)

    async def _old(self, line: bytes) -> bool:
        """Try the old transport, and send the opening message over it. Gives whether the server speaks it."""
        assert self._listener is not None
        end = SseUpstream(self._make_link(), self._limit)
        try:
            await end.start(self._listener)
        except RemoteError:
            return False
        former, self._end = self._end, end
        if self._paused:
            end.pause()
        end.send(line)
        self._left = asyncio.get_running_loop().create_task(former.close())
        return True

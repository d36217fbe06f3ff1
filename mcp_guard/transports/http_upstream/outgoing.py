"""In which order messages go to a server over HTTP, where each is a request of its own and may overtake another.

Requests run side by side. A notification, a response and `initialize` are waited for before anything that comes after
them is sent: what a client says later may rest on them. Bounded: so many requests at a time, the others wait.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.framing import HIGH_WATER
from mcp_guard.transports.http_upstream.headers import Message, read

MOST_IN_FLIGHT = 128  # requests that a server works on at a time; subscriptions do not count
AFTER_CANCEL = 10.0  # seconds after which a request that was cancelled by a notification is given up
_IN_ORDER = 30.0  # seconds after which what comes after a message is sent all the same

Post = Callable[[bytes, Message], Awaitable[None]]


class Outgoing:
    """Messages on their way. `post` sends one and ends when its answer is here (or has failed; it does not raise).
    `unanswered` is told of requests that are broken off although somebody waits for them.
    """

    def __init__(self, post: Post, relieved: Callable[[], None], unanswered: Callable[[RequestId], None]) -> None:
        self._post, self._relieved, self._unanswered = post, relieved, unanswered
        self._queue: deque[tuple[bytes, Message]] = deque()
        self._surplus: deque[tuple[bytes, Message]] = deque()
        self._in_flight: dict[RequestId, asyncio.Task[None]] = {}
        self._lasting: set[RequestId] = set()  # those of them that are subscriptions
        self._withdrawn: set[RequestId] = set()  # and those for which nobody waits any more
        self._first: asyncio.Task[None] | None = None  # what everything else waits for
        self._late: set[asyncio.Future[None]] = set()  # what was waited for too long
        self._closed = False
        self.waiting = 0  # bytes that the server has not taken yet

    def send(self, line: bytes) -> None:
        """Send a message, or keep it until it is its turn."""
        if self._closed:
            return
        message = read(line)
        self.waiting += len(line)
        if self._first is None:
            self._begin(line, message)
        else:
            self._queue.append((line, message))

    def taken(self, line: bytes) -> None:
        """The server has taken a message, or never will."""
        before = self.waiting
        self.waiting -= len(line)
        if before > HIGH_WATER >= self.waiting:
            self._relieved()

    def cancel(self, request_id: RequestId, *, after: float = 0.0) -> None:
        """Break off a request, at once or if it is still open after so many seconds. Nobody answers it then."""
        task = self._in_flight.get(request_id)
        if task is None:
            kept = [item for item in self._surplus if item[1].id != request_id]
            for line, message in self._surplus:
                if message.id == request_id:
                    self.taken(line)
            self._surplus = deque(kept)
            return
        self._withdrawn.add(request_id)
        if after:
            asyncio.get_running_loop().call_later(after, task.cancel)
        else:
            task.cancel()

    def abandon(self) -> None:
        """Break off every request that is on its way."""
        for task in list(self._in_flight.values()):
            task.cancel()

    async def close(self, patience: float) -> None:
        """Nothing more is sent. Give what is on its way so many seconds, then break it off."""
        self._closed = True
        for line, message in (*self._queue, *self._surplus):
            self.taken(line)
            self._broken_off(message)
        self._queue.clear()
        self._surplus.clear()
        running = [task for request_id, task in self._in_flight.items() if request_id not in self._lasting]
        if self._first is not None:
            running.append(self._first)
        if running:
            await asyncio.wait(running, timeout=patience)
        everything = [*self._in_flight.values(), *self._late, *([self._first] if self._first is not None else [])]
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)

    def _begin(self, line: bytes, message: Message) -> None:
        if message.id is None or not message.method or message.method == "initialize":
            self._first = asyncio.get_running_loop().create_task(self._go_first(line, message))
        elif len(self._in_flight) - len(self._lasting) >= MOST_IN_FLIGHT and message.method != "subscriptions/listen":
            self._surplus.append((line, message))
        else:
            self._run(message.id, line, message)

    def _run(self, request_id: RequestId, line: bytes, message: Message) -> None:
        task = asyncio.get_running_loop().create_task(self._side_by_side(request_id, line, message))
        self._in_flight[request_id] = task
        if message.method == "subscriptions/listen":
            self._lasting.add(request_id)

    async def _side_by_side(self, request_id: RequestId, line: bytes, message: Message) -> None:
        try:
            await self._through(line, message)
        finally:
            if self._in_flight.get(request_id) is asyncio.current_task():
                del self._in_flight[request_id]
                self._lasting.discard(request_id)
                self._withdrawn.discard(request_id)
            while self._surplus and len(self._in_flight) - len(self._lasting) < MOST_IN_FLIGHT and not self._closed:
                kept_line, kept = self._surplus.popleft()
                assert kept.id is not None
                self._run(kept.id, kept_line, kept)

    async def _through(self, line: bytes, message: Message) -> None:
        try:
            await self._post(line, message)
        except asyncio.CancelledError:
            self._broken_off(message)
            raise

    def _broken_off(self, message: Message) -> None:
        asked = message.id is not None and message.method and message.method != "subscriptions/listen"
        if asked and message.id not in self._withdrawn:
            self._unanswered(cast(RequestId, message.id))

    async def _go_first(self, line: bytes, message: Message) -> None:
        posting = asyncio.ensure_future(self._through(line, message))
        try:
            await asyncio.wait([posting], timeout=None if message.method == "initialize" else _IN_ORDER)
            if not posting.done():
                self._late.add(posting)
                posting.add_done_callback(self._late.discard)
        except asyncio.CancelledError:
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)
            raise
        finally:
            self._first = None
            while self._queue and self._first is None and not self._closed:
                self._begin(*self._queue.popleft())

"""A remote server over HTTP+SSE, the transport of revision 2024-11-05: one stream down, a POST for each message up.

The stream is the connection: its first event names the URL to post to, and when it ends, the session has ended.
"""

import asyncio
from typing import cast

import msgspec

from mcp_guard.gate.lost_answers import RAISED
from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.ends import UpstreamListener
from mcp_guard.transports.framing import Oversized
from mcp_guard.transports.http_client.response import Response
from mcp_guard.transports.http_client.url import Url
from mcp_guard.transports.http_upstream import failures
from mcp_guard.transports.http_upstream.end import HttpUpstream
from mcp_guard.transports.http_upstream.events import Events
from mcp_guard.transports.http_upstream.failures import RemoteError
from mcp_guard.transports.http_upstream.headers import Message
from mcp_guard.transports.http_upstream.link import Link, media_type, read_refusal
from mcp_guard.transports.http_upstream.outgoing import AFTER_CANCEL
from mcp_guard.transports.http_upstream.session import error_answer, error_of, heard

OPENING = 30.0  # seconds for the server to name its endpoint
_OF_THE_OTHER = (400, 405, 406)  # statuses of a GET that streamable HTTP answers with where it opens no stream
_OTHERWISE = "if it speaks streamable HTTP, its transport is `http`, or `auto`"


class SseUpstream(HttpUpstream):
    """One connection to a server. `limit`: bytes of one message."""

    def __init__(self, link: Link, limit: int) -> None:
        super().__init__(link, limit)
        self._open: dict[RequestId, asyncio.Event] = {}  # requests that wait for their answers on the stream
        self._endpoint: asyncio.Future[Url] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self, listener: UpstreamListener) -> None:
        """Open the stream and wait for the endpoint. Raises RemoteError."""
        loop = asyncio.get_running_loop()
        endpoint = self._endpoint = loop.create_future()
        self._listener = listener
        self._reading = loop.create_task(self._read(endpoint))
        try:
            async with asyncio.timeout(OPENING):
                await asyncio.shield(endpoint)
        except TimeoutError:
            raise RemoteError(f"{self._who} opened no session: it named no endpoint in time") from None
        finally:
            if not endpoint.done() or endpoint.cancelled() or endpoint.exception() is not None:
                await self.close()

    async def _leave(self) -> None:
        """Close the stream."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    # What goes to the server

    async def _post(self, line: bytes, message: Message) -> None:
        """A request ends with its answer on the stream."""
        request_id = message.id if message.method else None
        answered = asyncio.Event()
        if message.cancels is not None:
            self._outgoing.cancel(message.cancels, after=AFTER_CANCEL)
        if request_id is not None:
            self._open[request_id] = answered
        try:
            taken = await self._sent(line, request_id)
            self._outgoing.taken(line)
            line = b""
            if request_id is not None and taken:
                await answered.wait()
        except Exception as error:  # a mistake of ours or of the HTTP client's is the end of this message only
            failure = error if isinstance(error, RemoteError) else failures.of_exception(self._link.url, error)
            if request_id is not None:
                self._fail(request_id, failure.message)
        finally:
            self._outgoing.taken(line)
            if request_id is not None:
                self._open.pop(request_id, None)

    async def _sent(self, line: bytes, request_id: RequestId | None) -> bool:
        """Whether the server took a message. Raises RemoteError where it did not and nothing was answered for it."""
        assert self._endpoint is not None
        endpoint = self._endpoint.result()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        async with await self._link.open("POST", headers, line, url=endpoint) as response:
            if response.status < 300:
                return True
            error = error_of(await read_refusal(response, self._valve))
            if error is None or request_id is None:
                raise failures.of_status(endpoint, response.status, response.headers.get("Retry-After"))
            self._say(error_answer(request_id, error))
            return False

    # What comes from it

    async def _read(self, endpoint: "asyncio.Future[Url]") -> None:
        """Read the stream to its end, and say that it has ended."""
        try:
            async with await self._link.open("GET", {"Accept": "text/event-stream"}) as response:
                if response.status in _OF_THE_OTHER:
                    raise RemoteError(f"{self._who} opens no stream of events (HTTP {response.status}); {_OTHERWISE}")
                if response.status >= 300:
                    raise failures.of_status(self._link.url, response.status, response.headers.get("Retry-After"))
                if media_type(response) != "text/event-stream":
                    raise RemoteError(f"{self._who} does not answer with a stream of events; {_OTHERWISE}")
                how = await self._events(response, endpoint)
        except RemoteError as error:
            how, failure = "cannot be reached any more", error
        except Exception as error:
            failure = failures.of_exception(self._link.url, error)
            how = "broke the connection off"
        else:
            failure = RemoteError(f"{self._who} opened no session: its stream of events ended at once")
        if not endpoint.done():
            endpoint.set_exception(failure)
            return
        self._ended(how)

    async def _events(self, response: Response, endpoint: "asyncio.Future[Url]") -> str:
        """Take in the stream; gives how it ended. Raises RemoteError, and what the network raises."""
        events = Events(self._limit)
        while chunk := await response.some():
            for event in events.feed(chunk):
                if isinstance(event, Oversized):
                    self._told_oversized(event.size)
                    return f"sent more than the limit of {self._limit} bytes for one message; {RAISED}"
                if event.type == "endpoint" and not endpoint.done():
                    endpoint.set_result(self._checked(event.data))
                elif event.type == "message":
                    self._say(event.data)
            await self._valve.passed()
        return "closed its stream of events"

    def _checked(self, data: bytes) -> Url:
        """The URL to post to. Raises RemoteError where it is another origin's: credentials would go with the posts."""
        try:
            url = self._link.url.join(data.decode().strip())
        except ValueError:
            raise RemoteError(f"{self._who} named an endpoint that is not a URL") from None
        if url.origin != self._link.url.origin:
            raise RemoteError(f"{self._who} wants messages to be posted to another origin, which is refused")
        return url

    def _say(self, line: bytes, related: RequestId | None = None) -> None:
        head = heard(line) if self._open else None
        if head is not None and head.method is msgspec.UNSET and isinstance(head.id, int | float | str):
            answered = self._open.get(cast(RequestId, head.id))  # 1.0 finds 1, as in the gate
            if answered is not None:
                answered.set()
        super()._say(line)

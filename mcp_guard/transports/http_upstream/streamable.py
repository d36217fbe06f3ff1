"""A remote server over streamable HTTP, in both eras: each message a POST, answers as JSON or as events.

Legacy revisions (2025-03-26 to 2025-11-25): sessions, a stream for what the server says unasked, streams taken up again
where they broke off. 2026-07-28: stateless, with headers that repeat the body. Which of them a message belongs to is
seen by the message. The invariant: every request gets one answer, the server's or an error that says what went wrong.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from mcp_guard.gate.bridge.eras import HEADER_MISMATCH
from mcp_guard.gate.lost_answers import RAISED
from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.ends import UpstreamListener
from mcp_guard.transports.framing import Oversized
from mcp_guard.transports.http_client.response import Response
from mcp_guard.transports.http_upstream import failures
from mcp_guard.transports.http_upstream.end import HttpUpstream
from mcp_guard.transports.http_upstream.failures import RemoteError
from mcp_guard.transports.http_upstream.headers import Message, modern_headers, read
from mcp_guard.transports.http_upstream.link import Link, media_type, read_body, read_refusal
from mcp_guard.transports.http_upstream.listening import Listening
from mcp_guard.transports.http_upstream.outgoing import AFTER_CANCEL
from mcp_guard.transports.http_upstream.parameters import MirroredParameters
from mcp_guard.transports.http_upstream.relisting import OWN_ID, code_of, list_tools, next_cursor
from mcp_guard.transports.http_upstream.session import (
    Session,
    answers,
    error_answer,
    error_of,
    is_about_session,
    one_line,
)
from mcp_guard.transports.http_upstream.streams import Stream

_GOODBYE = 2.0  # seconds for the server to end the session
_MOST_RESUMED = 5  # connections in a row that bring nothing, after which a broken stream is given up

_POSTED = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
_MOST_PAGES = 100  # of a list that is made for the sake of headers
_OPENING = ("initialize", "server/discover")
_LIST_CHANGED = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'

Elsewhere = Callable[[bytes], Awaitable[bool]]


class StreamableUpstream(HttpUpstream):
    """One connection to a server. `limit`: bytes of one message.

    `elsewhere`, where given, is asked when a server does not know streamable HTTP at all: it takes the line over if it
    can, and says whether it did. `ends`: a server that cannot be reached when the conversation opens has ended, for
    somebody to begin again with it; else that is an error for the client, who may ask again.
    """

    def __init__(self, link: Link, limit: int, elsewhere: Elsewhere | None = None, *, ends: bool = False) -> None:
        super().__init__(link, limit)
        self._elsewhere, self._ends = elsewhere, ends
        self._session = Session()
        self._parameters = MirroredParameters()
        self._modern: set[RequestId] = set()  # open requests that are cancelled by closing their streams
        self._listening = Listening(link, self._session, limit, self._valve, self._say, self._told_oversized)
        self._renewal = asyncio.Lock()

    async def start(self, listener: UpstreamListener) -> None:
        """Nothing is said until there is something to say."""
        self._listener = listener

    async def _leave(self) -> None:
        """End the session."""
        await self._listening.stop()
        if self._session.id is not None:
            try:
                async with asyncio.timeout(_GOODBYE):
                    (await self._link.open("DELETE", self._session.headers())).close()
            except (RemoteError, TimeoutError):
                pass  # a server that is gone, or keeps its sessions
            self._session.forget()

    # What goes to the server

    async def _post(self, line: bytes, message: Message) -> None:
        taken = _Once(lambda: self._outgoing.taken(line))
        try:
            if message.id is not None and message.method:
                await self._request(line, message, message.id, taken)
            else:
                await self._notify(line, message)
        finally:
            taken()

    async def _notify(self, line: bytes, message: Message) -> None:
        """A notification, or a response to a request of the server's: nobody waits for word of it."""
        cancelled = message.cancels
        if cancelled is not None and self._cancelled(cancelled):
            return
        try:
            (await self._open(line, message)).release()
        except RemoteError:
            return
        if message.method == "notifications/initialized":
            self._session.initialized = line
            self._listening.start()

    def _cancelled(self, request_id: RequestId) -> bool:
        """The client withdraws a request. True where closing its stream has said so to the server."""
        if request_id in self._modern:
            self._outgoing.cancel(request_id)
            return True
        self._outgoing.cancel(request_id, after=AFTER_CANCEL)
        return self._session.protocol is None

    async def _request(self, line: bytes, message: Message, request_id: RequestId, taken: Callable[[], None]) -> None:
        """Send a request and deliver its answer, whatever becomes of it."""
        if message.protocol is not None:
            self._modern.add(request_id)
        try:
            if message.method == "initialize":
                await self._listening.stop()
                self._session.forget()
                self._session.opening = line
            async with await self._open(line, message) as response:
                taken()
                await self._answer(response, line, message, request_id)
        except RemoteError as error:
            opening = message.method in _OPENING and error.passing
            if self._ends and opening:
                self._ended(error.message.removeprefix("the MCP server "))
            else:
                self._fail(request_id, error.message)
        except Exception as error:  # a mistake of ours or of the HTTP client's is the end of this request only
            self._fail(request_id, failures.of_exception(self._link.url, error).message)
        finally:
            self._modern.discard(request_id)

    async def _open(self, line: bytes, message: Message) -> Response:
        """Post a line; a session that the server has forgotten is opened again, once. Raises RemoteError."""
        session_id = None if message.method == "initialize" or message.protocol is not None else self._session.id
        response = await self._post_once(line, message)
        if response.status == 404 and session_id is not None:
            response.close()
            await self._renew(session_id)
            response = await self._post_once(line, message)
        return response

    async def _post_once(self, line: bytes, message: Message) -> Response:
        protocol = message.protocol
        if protocol is None:
            own = self._session.headers()
        else:
            own = modern_headers(message, protocol, self._parameters.of(message.params.name))
        return await self._link.open("POST", {**_POSTED, **own}, line)

    # What comes from it

    async def _answer(
        self, response: Response, line: bytes, message: Message, request_id: RequestId, *, again: bool = False
    ) -> None:
        """Deliver what a response brings. Raises RemoteError where that does not answer the request. `again`: it is the
        second for this request.
        """
        kind = media_type(response)
        if response.status >= 300:
            await self._refusal(response, line, message, request_id, again)
        elif kind == "text/event-stream":
            await self._follow(response, message, request_id)
        elif kind == "application/json" and response.status not in (202, 204):
            if not self._take(one_line(await self._read(response)), response, message, request_id):
                raise RemoteError(f"{self._who} sent something else than the answer to the request")
        else:
            raise RemoteError(f"{self._who} gave no answer that MCP knows (HTTP {response.status}, no JSON, no events)")

    async def _read(self, response: Response) -> bytes:
        try:
            body = await read_body(response, self._limit, self._valve)
        except Exception as error:
            failures.raise_for(self._link.url, error)
        if isinstance(body, Oversized):
            raise self._too_large(body.size)
        return body

    def _take(self, line: bytes, response: Response, message: Message, request_id: RequestId) -> bool:
        """Deliver one line of those that a request brought; gives whether it is its answer."""
        answered = answers(line, request_id)
        if answered and message.method == "initialize":
            self._session.opened(response.headers.get("Mcp-Session-Id"), line)
        if answered and message.method == "tools/list" and message.protocol is not None:
            line = self._parameters.learn(line)
        self._say(line, request_id)
        return answered

    async def _follow(self, response: Response, message: Message, request_id: RequestId) -> None:
        """Deliver a stream of events until the answer has come, taking it up again where it may be."""
        stream = Stream(self._limit, self._valve, lambda line: self._take(line, response, message, request_id))
        await stream.read(response)
        while not (stream.done or stream.oversized):
            if not stream.last_id or message.protocol is not None or stream.empty > _MOST_RESUMED:
                raise RemoteError(f"{self._who} closed the connection before it had answered")
            if self._listener is not None:
                self._listener.parted(request_id)
            await asyncio.sleep(stream.rest)
            async with await self._link.open("GET", {**self._session.headers(), **stream.headers()}) as resumed:
                if media_type(resumed) != "text/event-stream" or resumed.status >= 300:
                    raise RemoteError(f"{self._who} broke off its answer and does not go on with it")
                await stream.read(resumed)
        if not stream.done:
            raise self._too_large(stream.oversized)

    async def _refusal(
        self, response: Response, line: bytes, message: Message, request_id: RequestId, again: bool
    ) -> None:
        """An HTTP error: the JSON-RPC error that it carries, under the id of the request, else one in our words.

        A request whose session is gone, or whose headers the server did not expect, is made again, once.
        """
        try:
            error = error_of(await read_refusal(response, self._valve))
        except Exception as failure:
            failures.raise_for(self._link.url, failure)
        unknown = response.status in (400, 404, 405) and message.method in _OPENING
        if error is not None and not again and await self._mended(response, error, message):
            async with await self._post_once(line, message) as second:
                await self._answer(second, line, message, request_id, again=True)
        elif error is not None:
            self._say(error_answer(request_id, error), request_id)
        elif not (unknown and self._elsewhere is not None and await self._elsewhere(line)):
            raise failures.of_status(self._link.url, response.status, response.headers.get("Retry-After"))

    async def _mended(self, response: Response, error: bytes, message: Message) -> bool:
        """Whether what a request was refused for is another now: its headers, or its session. Raises RemoteError."""
        session_id = response.sent.get("Mcp-Session-Id")
        if response.status == 400 and session_id is not None and is_about_session(error):
            await self._renew(session_id)
            return True
        return code_of(error) == HEADER_MISMATCH and await self._learn_again(message)

    async def _learn_again(self, message: Message) -> bool:
        """List the tools for the sake of the headers alone (2026-07-28, "Client Behavior"); gives whether those of the
        called tool are others now. Raises RemoteError.
        """
        if message.method != "tools/call" or message.protocol is None:
            return False
        before, cursor = self._parameters.of(message.params.name), None
        for _ in range(_MOST_PAGES):
            asked = list_tools(message.params.meta, cursor)
            answer = await self._ask(asked, {**_POSTED, **modern_headers(read(asked), message.protocol, {})}, OWN_ID)
            if answer is None:
                break
            self._parameters.learn(answer)
            cursor = next_cursor(answer)
            if cursor is None:
                break
        return self._parameters.of(message.params.name) != before

    async def _ask(self, line: bytes, headers: Mapping[str, str], request_id: RequestId | None) -> bytes | None:
        """The answer to a request of this transport's own, which nobody else sees. Raises RemoteError."""
        found: list[bytes] = []

        def take(said: bytes) -> bool:
            if answers(said, request_id):
                found.append(said)
            return bool(found)

        async with await self._link.open("POST", headers, line) as response:
            if response.status < 300 and media_type(response) == "text/event-stream":
                await Stream(self._limit, self._valve, take).read(response)
            elif response.status < 300:
                take(await self._read(response))
            if found and request_id != OWN_ID:
                self._session.opened(response.headers.get("Mcp-Session-Id"), found[0])
        return found[0] if found else None

    def _too_large(self, size: int) -> RemoteError:
        self._told_oversized(size)
        return RemoteError(f"{self._who} sent more than the limit of {self._limit} bytes for one message; {RAISED}")

    # The legacy session

    async def _renew(self, session_id: str) -> None:
        """Open a new session in place of one that the server has forgotten, in the client's own words (2025-11-25,
        "Session Management"). The client hears that the tools may be others now. Raises RemoteError.
        """
        async with self._renewal:
            if self._session.id != session_id:
                return  # somebody else was faster
            opening, protocol, initialized = self._session.opening, self._session.protocol, self._session.initialized
            if opening is None:
                raise RemoteError(f"{self._who} has forgotten the session")
            await self._listening.stop()
            self._session.forget()
            answer = await self._ask(opening, _POSTED, read(opening).id)
            if answer is None or self._session.protocol != protocol:
                raise RemoteError(f"{self._who} has forgotten the session, and does not open another like it")
            if initialized is not None:
                (await self._link.open("POST", {**_POSTED, **self._session.headers()}, initialized)).release()
                self._listening.start()
                self._say(_LIST_CHANGED)


class _Once:
    """Something that is done the first time that it is asked for."""

    __slots__ = ("_what",)

    def __init__(self, what: Callable[[], None]) -> None:
        self._what: Callable[[], None] | None = what

    def __call__(self) -> None:
        what, self._what = self._what, None
        if what is not None:
            what()

"""What is at which path: from requests that were let in (`door`) to the clients that make them."""

import asyncio
import secrets
from collections.abc import Callable

from mcp_guard.gate import answers
from mcp_guard.gate.bridge.eras import HEADER_MISMATCH, LEGACY_VERSIONS
from mcp_guard.gate.messages import METHOD_NOT_FOUND
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Json
from mcp_guard.transports.http_server import mirrored, spoken
from mcp_guard.transports.http_server.access import Access
from mcp_guard.transports.http_server.beside import Beside
from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.client_end import TOO_MUCH
from mcp_guard.transports.http_server.clients import CallerKey, Client, Clients, OpenSwitch, caller_key
from mcp_guard.transports.http_server.connection import HttpConnection
from mcp_guard.transports.http_server.connections import Connections
from mcp_guard.transports.http_server.door import MCP_PATH, SSE_PATH, Door
from mcp_guard.transports.http_server.exchange import Exchange
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.old_sse import MESSAGE_PATH, OldSession
from mcp_guard.transports.http_server.requests import (
    Answer,
    Caller,
    Head,
    http_date,
    refusal,
)
from mcp_guard.transports.http_server.session import SESSION_FIELD, Session
from mcp_guard.transports.http_server.spoken import Spoken
from mcp_guard.transports.http_server.stateless import Asked, StatelessCaller


class Service:
    """One server over HTTP. `say` tells the person who runs it of what went wrong. `beside` answers what is not MCP."""

    def __init__(
        self,
        access: Access,
        limits: Limits,
        open_switch: OpenSwitch,
        say: Callable[[str], None],
        beside: Beside | None = None,
    ) -> None:
        self.door = Door(access, beside, limits.report, say)
        self.limits = limits
        self.receiving = 0
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._connections = Connections()
        self._clients = Clients(limits, open_switch, say)
        self.date = http_date()

    # What connections ask (see connection.Server)

    def connected(self, connection: HttpConnection) -> bool:
        """A connection stands; False where there are too many, and none of them is idle, to be closed for it."""
        return self._connections.add(connection, self.limits.connections)

    def disconnected(self, connection: HttpConnection) -> None:
        """A connection is gone."""
        self._connections.remove(connection)

    def relieve(self) -> None:
        """More is being received than may be: the largest message gives way."""
        self._connections.relieve()

    def handle(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """Answer a request through its channel, now or later."""
        try:
            beside = self.door.beside
            if beside is not None and beside.serves(head.path):
                beside.handle(head, caller, body, channel)
                return
            if self._connections.are_crowded_by(caller, self.limits.connections):
                channel.answer(TOO_MUCH)
                return
            if spoken.is_longer_than(body, self.limits.batch):
                channel.answer(refusal(413, f"a batch of more than {self.limits.batch} messages"))
                return
            if self.door.stopping and (spoken.asks(body) if head.method == "POST" else head.path == SSE_PATH):
                channel.answer(_ENDING)
                return
            _WAYS[head.path, head.method](self, head, caller, body, channel)
        except Exception as error:  # a mistake of ours must not end the server
            self._say(f"internal error ({type(error).__name__})")
            channel.end() if channel.streaming else channel.answer(refusal(500, "internal error"))

    # Streamable HTTP

    def post(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """A message over streamable HTTP, of either era."""
        version = head.headers.get(mirrored.VERSION_FIELD)
        if version is not None and version not in LEGACY_VERSIONS:
            self._post_modern(head, caller, body, channel)
            return
        messages = spoken.read_all(body) or []
        if any(spoken.read_params(message.params).meta.protocol is not None for message in messages):
            reason = "MCP-Protocol-Version does not match the protocol version in _meta"
            self._reject(channel, messages[0] if len(messages) == 1 else None, HEADER_MISMATCH, reason)
            return
        self._post_legacy(head, caller, body, messages, channel)

    def _post_legacy(self, head: Head, caller: Caller, body: bytes, messages: list[Spoken], channel: Channel) -> None:
        opening = any(message.method == "initialize" for message in messages)
        if head.headers.get(SESSION_FIELD) is None:
            if not opening or len(messages) != 1 or messages[0].kind != "request":
                self._reject(channel, None, *spoken.fault_of(body, _NO_SESSION))
                return
            session = Session(secrets.token_urlsafe(24), caller, self.limits, self._loop.time())
            if not self._open(session, channel):
                return
        else:
            found = self._session(head, caller, channel)
            if found is None:
                return
            if opening:
                channel.answer(refusal(400, "this session is initialized already"))
                return
            session = found
        session.post(head, body, messages, channel, self._loop.time())

    def get(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """A stream from the server, of a legacy session."""
        session = self._session(head, caller, channel)
        if session is not None:
            session.listen(head, channel, self._loop.time())

    def delete(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """The end of a legacy session."""
        session = self._session(head, caller, channel)
        if session is not None:
            session.leave("the client ended its session")
            channel.answer(Answer(204))

    def _session(self, head: Head, caller: Caller, channel: Channel) -> Session | None:
        """The session that a request belongs to, if it may speak for it; else it is answered."""
        session_id = head.headers.get(SESSION_FIELD)
        if session_id is None:
            channel.answer(refusal(400, _NO_SESSION))
            return None
        session = self._clients.session(session_id, caller)
        if session is None:
            self._note_another(session_id, caller)
            channel.answer(refusal(404, "there is no such session (any more): begin again with initialize"))
            return None
        return session

    def _note_another(self, session_id: str, caller: Caller) -> None:
        """Somebody asked for a session that is not theirs: they are told as little as of one that is not there."""
        if self._clients.is_anothers(session_id, caller):
            self.door.access.refuse_another(caller)

    # The stateless revision

    def _post_modern(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        message = spoken.read(body)
        if message is None or message.kind in ("response", "malformed"):
            self._reject(
                channel, message, *spoken.fault_of(body, "the body must be one JSON-RPC request or notification")
            )
        elif message.kind == "notification":
            self._notified(head, caller, body, message, channel)
        else:
            self._asked(head, caller, body, message, channel)

    def _asked(self, head: Head, caller: Caller, body: bytes, message: Spoken, channel: Channel) -> None:
        method, request_id = str(message.method), message.request_id
        params = spoken.members(message.params)
        meta = spoken.plain(params.get("_meta"))
        view = {"_meta": meta, **{key: spoken.plain(params[key]) for key in ("name", "uri") if key in params}}
        mismatch = mirrored.check_envelope(head.headers, method, view)
        if mismatch is not None or not isinstance(meta, dict):
            assert mismatch is not None
            self._reject(channel, message, mismatch.code, mismatch.message, mismatch.data)
            return
        if method == "initialize":  # which this revision has no more: as of any unknown method (2026-07-28, "HTTP")
            channel.json(404, answers.error(request_id, METHOD_NOT_FOUND, "Method not found"))
            return
        client = self._caller(caller, meta, channel)
        if client is None:
            return
        now = self._loop.time()
        token = meta.get("progressToken")
        exchange = Exchange(channel, now)
        asked = Asked(request_id, method, meta, head.headers, token if spoken.is_id(token) else None, exchange)
        client.ask(body, params, asked, now)

    def _notified(self, head: Head, caller: Caller, body: bytes, message: Spoken, channel: Channel) -> None:
        """A notification, which this revision knows none of over HTTP. It goes on where its sender is known already.

        Not so a cancellation: it would name a request by an id that somebody else may have chosen as well.
        """
        unsupported = mirrored.check_version(head.headers.get(mirrored.VERSION_FIELD))
        if unsupported is not None:
            self._reject(channel, None, unsupported.code, unsupported.message, unsupported.data)
            return
        meta = spoken.plain(spoken.members(message.params).get("_meta"))
        client = self._clients.caller(caller_key(caller, meta)) if isinstance(meta, dict) else None
        if client is not None and message.method != "notifications/cancelled":
            client.say(body)
        channel.answer(Answer(202))

    def _caller(self, caller: Caller, meta: dict[str, Json], channel: Channel) -> StatelessCaller | None:
        """The connection of whoever makes a request; a new one where there is none."""
        key = caller_key(caller, meta)
        client = self._clients.caller(key)
        if client is None:
            client = StatelessCaller(caller, self.limits, self._loop.time())
            if not self._open(client, channel, key):
                return None
        return client

    def _reject(
        self, channel: Channel, message: Spoken | None, code: int, reason: str, data: dict[str, object] | None = None
    ) -> None:
        """A JSON-RPC error with status 400, under the id of the message where it has one."""
        request_id = message.request_id if message is not None and message.kind == "request" else None
        error = {"code": code, "message": reason, **({} if data is None else {"data": data})}
        channel.json(400, encode({"jsonrpc": "2.0", "id": request_id, "error": error}))

    # HTTP with SSE

    def get_sse(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """A client of HTTP with SSE opens its stream."""
        if not self._clients.has_room(caller):
            channel.answer(_FULL)
            return
        client = OldSession(secrets.token_urlsafe(24), caller, self.limits, self._loop.time(), channel)
        if not self._clients.open(client, "sse"):
            channel.end()

    def post_message(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """A message of such a client."""
        name, _, session_id = head.query.partition("=")
        client = self._clients.old_session(session_id, caller) if name == "session_id" else None
        if client is None:
            self._note_another(session_id, caller)
            channel.answer(refusal(404, "there is no such session (any more): begin again with GET /sse"))
            return
        client.post(body, channel, self._loop.time())

    # Clients

    def _open(self, client: Client, channel: Channel, key: CallerKey | None = None) -> bool:
        """Begin the guarded connection of a client over streamable HTTP; False, and an answer, where it cannot be."""
        if not self._clients.has_room(client.caller):
            channel.answer(_FULL)
            return False
        if not self._clients.open(client, "streamable-http", key):
            channel.answer(refusal(503, "the server cannot take a new client", (("retry-after", "5"),)))
            return False
        return True

    # Time

    def sweep(self) -> None:
        """About a second has passed."""
        now = self._loop.time()
        self.date = http_date()
        for connection in self._connections:
            connection.sweep(now)
        self._clients.sweep(now)
        self._clients.dismiss(self.door.access.why_barred)
        self.door.sweep(now)

    async def stop(self, grace: float) -> None:
        """Take nothing new, let open requests end for so many seconds, then end every connection in order."""
        self.door.stopping = True
        await self._clients.stop(grace)
        for connection in self._connections:
            connection.finish()
        deadline = self._loop.time() + self.limits.goodbye
        while self._connections and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        for connection in self._connections:
            connection.abort()

    def hurry(self) -> None:
        """What `stop` has begun is to come to its end now."""
        self._clients.hurry()


_ENDING = refusal(503, "the server is ending", (("retry-after", "5"),))
_NO_SESSION = "a session is needed: begin with initialize"
_FULL = refusal(503, "too many clients", (("retry-after", "2"),))

_WAYS: dict[tuple[str, str], Callable[[Service, Head, Caller, bytes, Channel], None]] = {
    (MCP_PATH, "POST"): Service.post,
    (MCP_PATH, "GET"): Service.get,
    (MCP_PATH, "DELETE"): Service.delete,
    (SSE_PATH, "GET"): Service.get_sse,
    (MESSAGE_PATH, "POST"): Service.post_message,
}

"""A server over HTTP in this process, with scripted connections behind it, and clients that say just what a test says.

`Place` serves on a free port of loopback. Each client it takes gets a `Scripted` connection in the place of a switch:
what the client's end delivers is in `heard`, and `say` gives the end what an upstream would have said. Tests are
coroutines under `scenario`; nothing in them sleeps.
"""

import asyncio
import functools
import inspect
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.http_server.access import LOOPBACK, Access, Credential
from mcp_guard.transports.http_server.clients import Client
from mcp_guard.transports.http_server.connection import HttpConnection
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.service import Service

PATIENCE = 20  # seconds for a scenario as a whole

BOTH = "application/json, text/event-stream"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "cursor", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LOCAL = Access(LOOPBACK)


def scenario(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, bounded in time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), PATIENCE))

    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]  # pytest reads the parameters
    return run


class Scripted:
    """What stands in the place of a switch and all that is behind it."""

    def __init__(self, client: Client, transport: str) -> None:
        self.client, self.transport = client, transport
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.relieved_times, self.killed = 0, False
        self.refuses: str | None = None  # whatever is delivered is refused with this, under no id, as a gate does
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.why = ""

    async def run(self) -> str:
        await self.client.start(self)
        self.why = await self._over
        await self.client.close()
        return self.why

    def stop(self, why: str) -> None:
        if not self._over.done():
            self._over.set_result(why)

    def kill(self) -> None:
        self.killed = True

    def say(self, message: object, related: RequestId | None = None) -> None:
        """The upstream says this, and the gate lets it pass."""
        self.client.send(_line(message), related)

    def answer(self, message: dict[str, Any], **result: object) -> None:
        """The upstream answers a request."""
        self.say({"jsonrpc": "2.0", "id": message["id"], "result": result})

    async def hears(self) -> Any:
        """The next message that the client's end delivers."""
        return await self.heard.get()

    # The listener of the client's end

    def deliver(self, line: bytes, related: RequestId | None = None) -> None:
        if self.refuses is not None:
            self.say({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": self.refuses}})
            return
        try:
            self.heard.put_nowait(json.loads(line))
        except ValueError:
            self.say({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "not JSON"}})

    def oversized(self, size: int) -> None:
        self.heard.put_nowait(f"{size} bytes")

    def relieved(self) -> None:
        self.relieved_times += 1

    def ended(self, how: str) -> None:
        self.stop(how)


class Place:
    """A server, its scripted connections in the order in which clients came, and what it said to its operator."""

    def __init__(self, access: Access, limits: Limits) -> None:
        self.connections: list[Scripted] = []
        self.said: list[str] = []
        self.service = Service(access, limits, self._open, self.said.append)
        self.port = 0
        self.dialed: list[Http] = []

    def _open(self, client: Client, transport: str) -> Scripted:
        self.connections.append(Scripted(client, transport))
        return self.connections[-1]

    async def dial(self) -> "Http":
        """A new connection to the server."""
        self.dialed.append(Http(*await asyncio.open_connection("127.0.0.1", self.port), self.port))
        return self.dialed[-1]

    async def session(self, **headers: str) -> "Dialogue":
        """A client that has been through the handshake of the legacy era."""
        http = await self.dial()
        opening = request(0, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "c"})
        http.post(opening, **headers)
        while not self.connections or self.connections[-1].heard.empty():
            await asyncio.sleep(0)
        connection = self.connections[-1]
        connection.answer(await connection.hears(), protocolVersion="2025-11-25")
        reply = await http.reply()
        assert reply.status == 200
        return Dialogue(self, connection, {"Mcp-Session-Id": reply.headers["mcp-session-id"], **headers})


@asynccontextmanager
async def place(access: Access = LOCAL, **limits: Any) -> AsyncIterator[Place]:
    """A running server under these limits."""
    there = Place(access, Limits(**limits))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpConnection(there.service), "127.0.0.1", 0)
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()
        for http in there.dialed:
            http.close()
        await there.service.stop(grace=0)
        await asyncio.gather(*(http.writer.wait_closed() for http in there.dialed), return_exceptions=True)


@dataclass
class Dialogue:
    """A legacy session as its client has it."""

    place: Place
    connection: Scripted
    headers: dict[str, str]

    async def post(self, message: object, **headers: str) -> "Http":
        """Post a message on a connection of its own; the response is still to be read."""
        http = await self.place.dial()
        http.post(message, **{"MCP-Protocol-Version": "2025-06-18", **self.headers, **headers})
        return http

    async def get(self, **headers: str) -> "Http":
        http = await self.place.dial()
        http.send("GET", "/mcp", {"Accept": "text/event-stream", **self.headers, **headers})
        return http


@dataclass
class Reply:
    """A whole response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Event:
    """One server-sent event, or a comment (in `comment` only)."""

    id: str | None = None
    event: str | None = None
    data: str = ""
    retry: str | None = None
    comment: str | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class Http:
    """One TCP connection of a client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int
    _events: bytes = field(default=b"")

    def send(self, method: str, path: str, headers: dict[str, str | None], body: bytes = b"") -> None:
        """A request; a header that is None is left out, though it usually comes."""
        given: dict[str, str | None] = {"Host": f"127.0.0.1:{self.port}", **headers}
        if body:
            given.setdefault("Content-Length", str(len(body)))
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in given.items() if value is not None),
        ]
        self.raw("\r\n".join([*lines, "", ""]).encode() + body)

    def post(self, message: object, path: str = "/mcp", **headers: str | None) -> None:
        usual: dict[str, str | None] = {"Accept": BOTH, "Content-Type": "application/json"}
        self.send("POST", path, {**usual, **headers}, _line(message))

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        """The head of the next response."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("ascii")
        status, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
        return int(status.split()[1]), dict(line.split(": ", 1) for line in lines)

    async def reply(self) -> Reply:
        """The next response, which is no stream."""
        status, headers = await self.head()
        return Reply(status, headers, await self.reader.readexactly(int(headers["content-length"])))

    async def stream(self) -> dict[str, str]:
        """The head of a response that is a stream of events."""
        status, headers = await self.head()
        assert (status, headers["content-type"]) == (200, "text/event-stream")
        return headers

    async def event(self) -> Event | None:
        """The next event; None where the stream has ended."""
        while b"\n\n" not in self._events:
            size = int(await self.reader.readline(), 16)
            piece = await self.reader.readexactly(size + 2)
            if not size:
                return None
            self._events += piece[:-2]
        text, _, self._events = self._events.partition(b"\n\n")
        event = Event()
        for line in text.decode().split("\n"):
            name, _, value = line.partition(":")
            setattr(event, name or "comment", value.removeprefix(" "))
        return event

    async def closed(self) -> bool:
        """Whether the server has closed the connection, once it has said all it has to say."""
        return await self.reader.read() == b""

    def close(self) -> None:
        self.writer.close()


def request(id: object, method: str, /, **params: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def notification(method: str, /, **params: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def modern(id: object, method: str, /, meta: dict[str, object] | None = None, **params: object) -> dict[str, Any]:
    """A request of the stateless revision."""
    return request(id, method, _meta={**META, **(meta or {})}, **params)


def fields(method: str, name: str | None = None, **more: str | None) -> dict[str, str | None]:
    """The header fields that go with it."""
    return {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, **({"Mcp-Name": name} if name else {}), **more}


def credential(token: str, name: str = "one", **facts: Any) -> Credential:
    from mcp_guard.transports.http_server.access import digest_of

    return Credential(name, digest_of(token), **facts)


def _line(message: object) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()

"""A scripted remote server on loopback, written by hand so that it can say what no library would, and what hears it.

Tests are coroutines under `scenario`; nothing in them sleeps: they wait for what the server got or what was delivered.
"""

import asyncio
import functools
import inspect
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp_guard.gate.messages import RequestId

PATIENCE = 20.0  # seconds for a scenario as a whole
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "cursor", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIMIT = 1 << 20

Message = dict[str, Any]


def scenario(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, bounded in time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), PATIENCE))

    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]  # pytest reads the parameters
    return run


def line(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def request(request_id: RequestId, method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, **({"params": params} if params else {})}


def modern(request_id: RequestId, method: str, **params: Any) -> Message:
    return request(request_id, method, **params, _meta=META)


def notification(method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


def result(request_id: RequestId, **members: Any) -> Message:
    return {"jsonrpc": "2.0", "id": request_id, "result": members}


def initialize(request_id: RequestId = 0, revision: str = "2025-11-25") -> Message:
    client = {"name": "t", "version": "1"}
    return request(request_id, "initialize", protocolVersion=revision, capabilities={}, clientInfo=client)


def initialized(request_id: RequestId = 0, revision: str = "2025-11-25") -> Message:
    """The answer to `initialize`."""
    server = {"name": "s", "version": "1"}
    return result(request_id, protocolVersion=revision, capabilities={"tools": {}}, serverInfo=server)


@dataclass
class Got:
    """One HTTP request as the server got it, and the means to answer it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    gone: asyncio.Event

    @property
    def message(self) -> Message:
        return json.loads(self.body)

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    def reply(self, body: bytes = b"", status: int = 200, kind: str = "application/json", **headers: str) -> None:
        fields = {"Content-Type": kind, "Content-Length": str(len(body))}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.raw(f"HTTP/1.1 {status} -\r\n{head}\r\n".encode() + body)

    def json(self, message: Message, status: int = 200, **headers: str) -> None:
        self.reply(line(message), status, **headers)

    def accept(self) -> None:
        self.reply(status=202)

    def stream(self, status: int = 200, **headers: str) -> None:
        fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        kind = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        self.raw(f"HTTP/1.1 {status} -\r\n{kind}{fields}\r\n".encode())

    def chunk(self, data: bytes) -> None:
        self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def event(self, message: Message | bytes, id: str | None = None, retry: int | None = None) -> None:
        data = message if isinstance(message, bytes) else line(message)
        fields = (f"id: {id}\n" if id is not None else "") + (f"retry: {retry}\n" if retry is not None else "")
        self.chunk(fields.encode() + b"data: " + data + b"\n\n")

    def end(self) -> None:
        self.raw(b"0\r\n\r\n")

    def drop(self) -> None:
        self.writer.transport.abort()


Handler = Callable[[Got], Awaitable[None]]


class Remote:
    """The server. Requests wait in `queue` for the test to answer them, or go to `handler` where there is one."""

    def __init__(self, handler: Handler | None = None) -> None:
        self.handler = handler
        self.seen: list[Got] = []
        self.connections = 0
        self.queue: asyncio.Queue[Got] = asyncio.Queue()
        self.url = ""

    async def next(self) -> Got:
        return await self.queue.get()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        gone = asyncio.Event()
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *fields = head.decode("latin-1").strip().split("\r\n")
                method, path, _ = first.split(" ")
                headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                got = Got(method, path, headers, body, writer, gone)
                self.seen.append(got)
                if self.handler is not None:
                    await self.handler(got)
                else:
                    self.queue.put_nowait(got)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            gone.set()
            writer.close()


@asynccontextmanager
async def remote(handler: Handler | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Remote]:
    """A server on a free port of loopback."""
    scripted = Remote(handler)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, limit=1 << 26, ssl=tls)
    scripted.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    try:
        yield scripted
    finally:
        server.close()


@dataclass
class Heard:
    """What an end told of its peer: lines in `queue`, everything else beside it."""

    queue: asyncio.Queue[tuple[bytes, RequestId | None]] = field(default_factory=asyncio.Queue)
    too_large: list[int] = field(default_factory=list)
    let_go: list[RequestId] = field(default_factory=list)
    relief: asyncio.Event = field(default_factory=asyncio.Event)
    over: "asyncio.Future[str]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def deliver(self, line: bytes, related: RequestId | None = None) -> None:
        self.queue.put_nowait((line, related))

    def parted(self, related: RequestId) -> None:
        self.let_go.append(related)

    def oversized(self, size: int) -> None:
        self.too_large.append(size)

    def relieved(self) -> None:
        self.relief.set()

    def ended(self, how: str) -> None:
        self.over.set_result(how)

    async def next(self) -> Message:
        return json.loads((await self.queue.get())[0])

    async def related(self) -> tuple[Message, RequestId | None]:
        said, related = await self.queue.get()
        return json.loads(said), related

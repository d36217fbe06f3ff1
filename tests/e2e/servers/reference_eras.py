"""Servers of one era only, as most in the world are: the SDK's own speaks both, and lets nobody turn one off.

What such a server says to a client of the other era is what the specification has it say (basic/versioning).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    UNSUPPORTED_PROTOCOL_VERSION,
    ErrorData,
    JSONRPCError,
    JSONRPCRequest,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
VERSION_HEADER = "mcp-protocol-version"


class Era(StrEnum):
    """What a server speaks."""

    LEGACY = "legacy"
    MODERN = "modern"
    BOTH = "both"


def refusal(era: Era, method: str, params: dict[str, Any]) -> ErrorData | None:
    """The error that a server of this era has for a request of the other; None where it is of its own."""
    enveloped = VERSION_KEY in (params.get("_meta") or {})
    if era is Era.LEGACY and (enveloped or method == "server/discover"):
        return ErrorData(code=METHOD_NOT_FOUND, message="Method not found")
    if era is Era.MODERN and not enveloped:
        data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": params.get("protocolVersion")}
        return ErrorData(code=UNSUPPORTED_PROTOCOL_VERSION, message="Unsupported protocol version", data=data)
    return None


@asynccontextmanager
async def streams_of_one_era(era: Era, read: Any, write: Any) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of a connection with the requests of the other era answered and taken out."""
    inner, accepted = anyio.create_memory_object_stream[SessionMessage | Exception]()

    async def sieve() -> None:
        async with inner:
            async for item in read:
                message = item.message if isinstance(item, SessionMessage) else None
                refused = (
                    refusal(era, message.method, message.params or {}) if isinstance(message, JSONRPCRequest) else None
                )
                if refused is None:
                    await inner.send(item)
                else:
                    assert isinstance(message, JSONRPCRequest)
                    error = JSONRPCError(jsonrpc="2.0", id=message.id, error=refused)
                    await write.send(SessionMessage(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sieve)
        yield accepted, write
        tasks.cancel_scope.cancel()


def http_of_one_era(era: Era, app: ASGIApp) -> ASGIApp:
    """The application with the requests of the other era answered by HTTP's means; HTTP+SSE passes."""

    async def sieve(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if scope["type"] != "http" or not request.url.path.endswith("/mcp") or era is Era.BOTH:
            return await app(scope, receive, send)
        version = request.headers.get(VERSION_HEADER, HANDSHAKE_PROTOCOL_VERSIONS[0])
        modern = version not in HANDSHAKE_PROTOCOL_VERSIONS
        if modern == (era is Era.MODERN):
            return await app(scope, receive, send)
        return await (await _refused(era, request))(scope, receive, send)

    return sieve


async def _refused(era: Era, request: Request) -> Response:
    if request.method != "POST":
        return Response(status_code=405, headers={"Allow": "POST"})
    message = await request.json()
    error = ErrorData(code=INVALID_REQUEST, message="Bad Request: Unsupported protocol version")
    if era is Era.MODERN:
        error = refusal(era, message.get("method", ""), message.get("params") or {}) or error
    body = {"jsonrpc": "2.0", "id": message.get("id"), "error": error.model_dump(exclude_none=True)}
    return JSONResponse(body, status_code=400)

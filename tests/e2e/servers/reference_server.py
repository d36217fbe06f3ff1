"""The reference server: all that the protocol has, in both eras, over every transport. The upstream of the matrix, and
what the official conformance suite is run against.

    python reference_server.py stdio [--era legacy|modern|both] [--page N]
    python reference_server.py http [--port N] [--page N]

Over HTTP one process serves three servers, each in its eras: `/legacy/mcp`, `/legacy/sse`, `/modern/mcp`, `/both/mcp`.
When it listens it prints its base URL as one line on stdout.
"""

import argparse
import asyncio
import socket
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.mcpserver import MCPServer
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPDeprecationWarning
from reference_conformance import add_conformance
from reference_eras import Era, http_of_one_era, streams_of_one_era
from reference_events import Events
from reference_features import build
from reference_tasks import add_tasks
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

CHANGES = NotificationOptions(tools_changed=True, prompts_changed=True, resources_changed=True)


def reference(page: int) -> MCPServer:
    """A server of its own state: nothing is shared between two of them."""
    server = build(page)
    add_tasks(server)
    add_conformance(server)
    return server


async def serve_stdio(era: Era, page: int) -> None:
    """Serve one client on stdin and stdout."""
    # the high-level server has no public way to say that its lists change in the legacy era
    server = reference(page)._lowlevel_server  # pyright: ignore[reportPrivateUsage]
    async with stdio_server() as streams, streams_of_one_era(era, *streams) as (read, write):
        await server.run(read, write, server.create_initialization_options(CHANGES))


def application(page: int) -> Starlette:
    """The three servers as one application."""
    apps = {era: served(era, page) for era in Era}
    mounts = [Mount(f"/{era}", app=http_of_one_era(era, app)) for era, app in apps.items()]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    return Starlette(routes=mounts, lifespan=lifespan)


def served(era: Era, page: int) -> Starlette:
    """One server's streamable HTTP at `/mcp`, and HTTP+SSE at `/sse` where it speaks the era that has it."""
    server = reference(page)
    app = server.streamable_http_app(event_store=Events(), retry_interval=100)
    if era is not Era.MODERN:
        app.router.routes.extend(old_sse(server))
    return app


def old_sse(server: MCPServer) -> list[BaseRoute]:
    """HTTP+SSE as in 2024-11-05, and no later era on it."""
    sse = SseServerTransport("/messages/")
    lowlevel = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]  (as in serve_stdio)

    async def connect(request: Request) -> Response:
        send = request._send  # pyright: ignore[reportPrivateUsage]  (Starlette gives an endpoint no other way to it)
        async with (
            sse.connect_sse(request.scope, request.receive, send) as streams,
            streams_of_one_era(Era.LEGACY, *streams) as (read, write),
        ):
            await lowlevel.run(read, write, lowlevel.create_initialization_options(CHANGES))
        return Response()

    return [Route("/sse", connect), Mount("/messages/", app=sse.handle_post_message)]


async def serve_http(port: int, page: int) -> None:
    """Serve any number of clients on a loopback port."""
    # asyncio turns Nagle's algorithm off only where it sees that a socket is TCP's
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    # h11: httptools leaves the spaces around a header's value, which the specification wants gone
    config = uvicorn.Config(application(page), http="h11", log_level="critical", timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve([listener])


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("transport", choices=["stdio", "http"])
    arguments.add_argument("--era", type=Era, choices=list(Era), default=Era.BOTH)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--page", type=int, default=0, help="how many items a page of a list holds; 0: all")
    given = arguments.parse_args()
    warnings.simplefilter("ignore", MCPDeprecationWarning)  # the legacy era is deprecated, and yet to be served
    if given.transport == "stdio":
        asyncio.run(serve_stdio(given.era, given.page))
    else:
        asyncio.run(serve_http(given.port, given.page))


if __name__ == "__main__":
    main()

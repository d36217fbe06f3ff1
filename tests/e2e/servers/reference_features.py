"""The features of the reference server: whatever a client can ask of a server, and a server of a client.

Nothing it says depends on the time of day or on chance, so two sessions with it are equal. What a session changes it
can change back, so two sessions with one process are equal too.
"""

import base64
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import anyio
import mcp_types as types
from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, Elicit, ListRoots, MCPServer, Resolve, Sample
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.server.mcpserver.resources import TextResource
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()  # no picture, but nobody looks
SOUND = base64.b64encode(b"RIFF\x00\x00\x00\x00WAVE").decode()


class Weather(BaseModel):
    city: str
    celsius: float
    exact: int


class Size(BaseModel):
    size: int


def build(page: int = 0) -> MCPServer:
    """The server with its general features; `page`: how many items a page of a list holds."""
    server = MCPServer(
        "reference",
        version="7",
        title="The reference server",
        instructions="Everything there is, the same every time.",
        log_level="CRITICAL",
        middleware=[truth_about_changes, *([paged(page)] if page else [])],
    )
    add_plain_tools(server)
    add_cancellation(server)
    add_questions(server)
    add_logging(server)
    add_changes(server)
    add_subscriptions(server)
    add_prompts_and_resources(server)
    return server


def is_modern(context: Context) -> bool:
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


async def truth_about_changes(context: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Over HTTP the SDK never says of a legacy server that its lists may change. This one's do."""
    result = await call_next(context)
    if context.method == "initialize":
        assert isinstance(result, dict)
        for kind in ("tools", "prompts", "resources"):
            result["capabilities"][kind]["listChanged"] = True
    return result


def paged(size: int) -> Callable[[ServerRequestContext[Any, Any], CallNext], Awaitable[HandlerResult]]:
    """Cut every list into pages. The cursor is the place to go on from."""

    async def cut(context: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        result = await call_next(context)
        kind = LISTS.get(context.method)
        if kind is not None:
            assert isinstance(result, dict)
            start = int((context.params or {}).get("cursor") or 0)
            if start + size < len(result[kind]):
                result["nextCursor"] = str(start + size)
            result[kind] = result[kind][start : start + size]
        return result

    return cut


def echo(text: str) -> str:
    """Say it again."""
    return text


def add_plain_tools(server: MCPServer) -> None:
    """Tools that answer from their arguments alone."""
    server.add_tool(echo)

    @server.tool(annotations=types.ToolAnnotations(title="Add numbers", read_only_hint=True))
    def add(a: float, b: float) -> float:
        """Add two numbers."""
        return a + b

    @server.tool()
    def weather(city: str) -> Weather:
        """Structured output, with a number that no float holds."""
        return Weather(city=city, celsius=21.5, exact=9007199254740993)

    @server.tool()
    def media() -> list[types.ContentBlock]:
        """One block of each kind of content."""
        text = types.TextResourceContents(uri="memo://today", mime_type="text/plain", text="Nothing today.")
        return [
            types.TextContent(type="text", text="línea\u2028separator \U0001f98a"),
            types.ImageContent(type="image", data=PIXEL, mime_type="image/png"),
            types.AudioContent(type="audio", data=SOUND, mime_type="audio/wav"),
            types.EmbeddedResource(type="resource", resource=text),
            types.ResourceLink(type="resource_link", name="today", uri="memo://today"),
        ]

    @server.tool()
    def fail(reason: str) -> str:
        """Fail, always, as a tool does: in its result."""
        raise ValueError(reason)

    @server.tool()
    def refuse(code: int) -> str:
        """Fail as a request does: with a JSON-RPC error."""
        raise MCPError(code, "refused", {"why": "as told"})

    @server.tool()
    async def count(steps: int, context: Context) -> str:
        """Count, and tell how far it has come."""
        for step in range(steps):
            await context.report_progress(step + 1, steps, f"step {step + 1}")
        return f"{steps} steps"

    @server.tool()
    def blob(size: int) -> str:
        """As many bytes as asked for."""
        return "x" * size


def add_cancellation(server: MCPServer) -> None:
    """A call that never ends of itself, and one that tells when it was ended."""
    ended: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)

    @server.tool()
    async def wait_for_ever(name: str, context: Context) -> str:
        """Say that it has begun, by progress; answer never."""
        await context.report_progress(0, 1, "waiting")
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            ended[name].set()
            raise
        return "never"

    @server.tool()
    async def was_ended(name: str) -> str:
        """Wait until the call of that name was cancelled."""
        with anyio.fail_after(20):
            await ended[name].wait()
        return f"{name} was cancelled"


async def ask_size() -> Elicit[Size]:
    return Elicit("What size?", Size)


async def ask_model(text: str) -> Sample:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=text))
    return Sample([message], max_tokens=50)


async def ask_roots() -> ListRoots:
    return ListRoots()


def add_questions(server: MCPServer) -> None:
    """Tools that ask the client back: by a request in the legacy era, by their result in the modern one."""

    @server.tool()
    async def order(item: str, size: Annotated[Size, Resolve(ask_size)]) -> str:
        """Ask the user for the size first."""
        return f"{item} in {size.size}"

    @server.tool()
    async def summarize(text: str, answer: Annotated[types.CreateMessageResult, Resolve(ask_model)]) -> str:
        """Ask the client's model."""
        assert isinstance(answer.content, types.TextContent)
        return f"{answer.model}: {answer.content.text}"

    @server.tool()
    async def roots(found: Annotated[types.ListRootsResult, Resolve(ask_roots)]) -> str:
        """Ask the client for its roots."""
        return ", ".join(str(root.uri) for root in found.roots)

    @server.tool()
    async def survey(
        topic: str,
        size: Annotated[Size, Resolve(ask_size)],
        found: Annotated[types.ListRootsResult, Resolve(ask_roots)],
    ) -> str:
        """Ask two things."""
        return f"{topic}: {size.size} at {found.roots[0].uri}"


def connection_of(context: ServerRequestContext[Any, Any]) -> str:
    """What tells one legacy client's connection from another's."""
    if context.request is None:
        return "stdio"
    request = context.request
    return request.headers.get("mcp-session-id") or request.query_params.get("session_id", "")


def add_logging(server: MCPServer) -> None:
    """Log messages at a level: that of the session in the legacy era, of the request in the modern one."""
    level: dict[str, str] = {}

    async def set_level(
        context: ServerRequestContext[Any, Any], params: types.SetLevelRequestParams
    ) -> types.EmptyResult:
        level[connection_of(context)] = params.level
        return types.EmptyResult()

    server._lowlevel_server.add_request_handler(  # pyright: ignore[reportPrivateUsage]  (no public way)
        "logging/setLevel", types.SetLevelRequestParams, set_level
    )

    @server.tool()
    async def say(texts: dict[types.LoggingLevel, str], context: Context) -> str:
        """Log each text at its level, as far as the client wants that level."""
        least = "debug" if is_modern(context) else level.get(connection_of(context.request_context), "debug")
        for name, text in texts.items():
            if LEVELS.index(name) >= LEVELS.index(least):
                await context.log(name, text, logger_name="reference")  # pyright: ignore[reportDeprecated]
        return "said"


def add_changes(server: MCPServer) -> None:
    """Lists that change, and say so to whoever listens."""

    async def tell(context: Context) -> None:
        if is_modern(context):
            await context.notify_tools_changed()
            await context.notify_prompts_changed()
            await context.notify_resources_changed()
        else:
            await context.session.send_tool_list_changed()
            await context.session.send_prompt_list_changed()
            await context.session.send_resource_list_changed()

    @server.tool()
    async def grow(name: str, context: Context) -> str:
        """Get one more tool, prompt and resource."""
        if name not in {tool.name for tool in await server.list_tools()}:
            server.add_tool(echo, name=name)
            server.add_prompt(Prompt.from_function(lambda: f"I am {name}.", name=name, description="new"))
            server.add_resource(TextResource(uri=f"new://{name}", name=name, text=f"This is {name}."))
        await tell(context)
        return f"{name} is here"

    @server.tool()
    async def shrink(name: str, context: Context) -> str:
        """Lose them again."""
        if name in {tool.name for tool in await server.list_tools()}:
            server.remove_tool(name)
            server.remove_prompt(name)
            # pyright: ignore: a resource can be added, but not taken away
            server._resource_manager._resources.pop(f"new://{name}", None)  # pyright: ignore[reportPrivateUsage]
        await tell(context)
        return f"{name} is gone"


def add_subscriptions(server: MCPServer) -> None:
    """Resources that a client can watch: by `resources/subscribe` in the legacy era, by listening in the modern one."""
    watched: defaultdict[str, set[str]] = defaultdict(set)

    async def subscribe(
        context: ServerRequestContext[Any, Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        watched[connection_of(context)].add(str(params.uri))
        return types.EmptyResult()

    async def unsubscribe(
        context: ServerRequestContext[Any, Any], params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        watched[connection_of(context)].discard(str(params.uri))
        return types.EmptyResult()

    lowlevel = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]  (no public way)
    lowlevel.add_request_handler("resources/subscribe", types.SubscribeRequestParams, subscribe)
    lowlevel.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, unsubscribe)

    @server.tool()
    async def touch(uri: str, context: Context) -> str:
        """Say that a resource has changed."""
        if is_modern(context):
            await context.notify_resource_updated(uri)
        elif uri in watched[connection_of(context.request_context)]:
            await context.session.send_resource_updated(uri)
        return f"{uri} has changed"


def add_prompts_and_resources(server: MCPServer) -> None:
    """Prompts, resources, templates, and completion of their arguments."""

    @server.prompt(title="Review some code")
    def review(code: str, style: str = "kind") -> list[UserMessage]:
        """Review some code."""
        return [UserMessage(f"Review, {style}: {code}")]

    @server.prompt()
    def greet() -> list[UserMessage]:
        """Say hello."""
        return [UserMessage("Hello.")]

    @server.resource("memo://today")
    def memo() -> str:
        """A memo."""
        return "Nothing today."

    @server.resource("picture://pixel", mime_type="image/png")
    def picture() -> bytes:
        """Bytes, not text."""
        return base64.b64decode(PIXEL)

    @server.resource("note://{name}")
    def note(name: str) -> str:
        """A note, by its name."""
        return f"About {name}."

    @server.completion()
    async def complete(
        ref: types.PromptReference | types.ResourceTemplateReference,
        argument: types.CompletionArgument,
        context: types.CompletionContext | None,
    ) -> types.Completion:
        known = "".join(sorted((context.arguments if context else None) or {}))
        values = [argument.value + ending for ending in ("a", "b")] + ([known] if known else [])
        return types.Completion(values=values, total=len(values), has_more=False)

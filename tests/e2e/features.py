"""Everything the protocol has, asked through the SDK's client: one function a feature, each giving plain values.

A feature looks the same in both eras where the client's user sees no difference, so what a client gets through a guard
can be compared with what it gets from a server of its own era. Nothing here knows whether a guard is in between.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import mcp_types as types
from mcp import Client, MCPError
from mcp.client import advertise
from mcp.shared.subscriptions import ServerEvent
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from tests.e2e.guard import PATIENCE

TASKS = "io.modelcontextprotocol/tasks"


class Ears:
    """What the server says of its own accord, and a way to wait for it."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._news = anyio.Event()

    async def logged(self, params: types.LoggingMessageNotificationParams) -> None:
        self._hear(("log", params.level, params.logger, params.data))

    async def told(self, message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            self._hear(("updated", str(message.params.uri)))
        elif isinstance(message, types.ServerNotification) and message.method.endswith("/list_changed"):
            self._hear(("changed", message.method.split("/")[1]))

    def listened(self, event: ServerEvent) -> None:
        """A change that came on a modern subscription."""
        uri = getattr(event, "uri", None)
        name = type(event).__name__.removesuffix("ListChanged").lower()
        self._hear(("changed", name) if uri is None else ("updated", str(uri)))

    def _hear(self, what: Any) -> None:
        self.heard.append(what)
        self._news.set()
        self._news = anyio.Event()

    async def wait_for(self, *wanted: Any, patience: float = PATIENCE) -> bool:
        """Wait until all of it was heard."""
        with anyio.move_on_after(patience):
            while not set(wanted) <= set(self.heard):
                await self._news.wait()
        return set(wanted) <= set(self.heard)

    def forget(self) -> None:
        self.heard.clear()


class Session:
    """A connected client and its ears."""

    def __init__(self, client: Client, ears: Ears) -> None:
        self.client, self.ears = client, ears

    @property
    def modern(self) -> bool:
        return self.client.protocol_version in MODERN_PROTOCOL_VERSIONS

    async def text(self, tool: str, **arguments: Any) -> str:
        """The text that a tool answers."""
        result = await self.client.call_tool(tool, arguments)
        assert isinstance(result.content[0], types.TextContent)
        return result.content[0].text

    @asynccontextmanager
    async def listening(self, *, uris: tuple[str, ...] = (), lists: bool = False) -> AsyncIterator[None]:
        """Hear of changes, by the means of the era."""
        self.ears.forget()
        if not self.modern:
            for uri in uris:
                await self.client.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]
            yield
            for uri in uris:
                await self.client.unsubscribe_resource(uri)  # pyright: ignore[reportDeprecated]
            return
        wanted = {f"{kind}_list_changed": lists for kind in ("tools", "prompts", "resources")}
        async with (
            anyio.create_task_group() as tasks,
            self.client.listen(**wanted, resource_subscriptions=uris) as heard,
        ):

            async def listen() -> None:
                async for event in heard:
                    self.ears.listened(event)

            tasks.start_soon(listen)
            yield
            tasks.cancel_scope.cancel()

    async def until_heard(self, again: Callable[[], Awaitable[object]], *wanted: Any) -> None:
        """Have the server say it until it was heard: over HTTP nothing says when the stream for it stands."""
        with anyio.fail_after(PATIENCE):
            while True:
                await again()
                if await self.ears.wait_for(*wanted, patience=0.2):
                    return


Mode = Literal["legacy", "auto"]


@asynccontextmanager
async def opened(transport: Any, mode: Mode | str) -> AsyncIterator[Session]:
    """A session over this transport, with a client that answers whatever it is asked."""
    ears = Ears()
    client = Client(
        transport,
        mode=mode,
        read_timeout_seconds=PATIENCE,
        client_info=types.Implementation(name="matrix", version="1"),
        sampling_callback=_sample,
        elicitation_callback=_elicit,
        list_roots_callback=_roots,
        logging_callback=ears.logged,
        log_level="warning",
        message_handler=ears.told,
        extensions=[advertise(TASKS)],
        cache=None,
    )
    async with client:
        yield Session(client, ears)


async def _sample(context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    said = params.messages[0].content
    assert isinstance(said, types.TextContent)
    answer = types.TextContent(type="text", text=f"{said.text}, in short")
    return types.CreateMessageResult(role="assistant", model="m-1", content=answer)


async def _elicit(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    assert params.message == "What size?"
    return types.ElicitResult(action="accept", content={"size": 42})


async def _roots(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///srv/project")])  # type: ignore[arg-type]  (a URL)


# the features


async def tools(session: Session) -> Any:
    """Lists in pages, results of every kind, and both kinds of failure."""
    client = session.client
    return {
        "list": await listed(client.list_tools, "tools"),
        "echo": plain(await client.call_tool("echo", {"text": "línea\u2028 \U0001f98a"})),
        "add": plain(await client.call_tool("add", {"a": 0.1, "b": 1e300})),
        "weather": plain(await client.call_tool("weather", {"city": "Paris"})),
        "media": plain(await client.call_tool("media", {})),
        "fail": plain(await client.call_tool("fail", {"reason": "as told"})),
        "refuse": await failing(client.call_tool("refuse", {"code": -32050})),
        "wrong argument": plain(await client.call_tool("echo", {"wrong": 1})),
        "unknown": await failing(client.call_tool("no_such_tool", {})),
    }


async def prompts(session: Session) -> Any:
    client = session.client
    return {
        "list": await listed(client.list_prompts, "prompts"),
        "get": plain(await client.get_prompt("review", {"code": "x = 1"})),
        "unknown": await failing(client.get_prompt("nothing")),
        "missing argument": await failing(client.get_prompt("review", {})),
    }


async def resources(session: Session) -> Any:
    client = session.client
    return {
        "list": await listed(client.list_resources, "resources"),
        "templates": await listed(client.list_resource_templates, "resourceTemplates"),
        "text": plain(await client.read_resource("memo://today")),
        "bytes": plain(await client.read_resource("picture://pixel")),
        "template": plain(await client.read_resource("note://tomorrow")),
        "unknown": await failing(client.read_resource("void://")),
    }


async def completion(session: Session) -> Any:
    complete = session.client.complete
    prompt = types.PromptReference(type="ref/prompt", name="review")
    template = types.ResourceTemplateReference(type="ref/resource", uri="note://{name}")
    return {
        "prompt": plain(await complete(prompt, {"name": "code", "value": "x"})),
        "context": plain(await complete(prompt, {"name": "code", "value": "x"}, {"style": "kind"})),
        "template": plain(await complete(template, {"name": "name", "value": "y"})),
    }


async def progress(session: Session) -> Any:
    told: list[Any] = []
    complete = anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append([progress, total, message])
        if progress == total:
            complete.set()

    result = await session.client.call_tool("count", {"steps": 3}, progress_callback=hear)
    with anyio.move_on_after(PATIENCE):
        await complete.wait()
    return {"told": told, "result": plain(result)}


async def cancellation(session: Session) -> Any:
    name = f"wait-{id(session)}"
    begun = anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    async def call() -> None:
        await session.client.call_tool("wait_for_ever", {"name": name}, progress_callback=hear)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        with anyio.fail_after(PATIENCE):
            await begun.wait()
        tasks.cancel_scope.cancel()
    return (await session.text("was_ended", name=name)).replace(name, "it")


async def sampling(session: Session) -> Any:
    return plain(await session.client.call_tool("summarize", {"text": "a long story"}))


async def elicitation(session: Session) -> Any:
    return plain(await session.client.call_tool("order", {"item": "shirt"}))


async def roots(session: Session) -> Any:
    return {
        "alone": plain(await session.client.call_tool("roots", {})),
        "with another question": plain(await session.client.call_tool("survey", {"topic": "shoes"})),
    }


async def logging(session: Session) -> Any:
    """Only from the level that the client asked for: that of the session, or of each request."""
    if not session.modern:
        await session.client.set_logging_level("warning")  # pyright: ignore[reportDeprecated]
    session.ears.forget()
    await session.text("say", texts={"debug": "no", "info": "no", "warning": "yes", "error": "yes", "alert": "the end"})
    await session.ears.wait_for(("log", "alert", "reference", "the end"))
    return list(session.ears.heard)


async def subscriptions(session: Session) -> Any:
    """Changes of a resource that is watched, and none of one that is not."""
    async with session.listening(uris=("memo://today", "note://a")):
        for uri in ("memo://today", "note://b", "note://a"):
            watched = uri != "note://b"
            touch = lambda uri=uri: session.text("touch", uri=uri)  # noqa: E731
            await (session.until_heard(touch, ("updated", uri)) if watched else touch())
    heard = sorted(set(session.ears.heard))
    if not session.modern:
        session.ears.forget()
        await session.text("touch", uri="memo://today")
        assert session.ears.heard == []
    return heard


async def list_changes(session: Session) -> Any:
    """Tools, prompts and resources that come and go, each time with a word to the client."""
    kinds = [("changed", kind) for kind in ("prompts", "resources", "tools")]
    seen: dict[str, Any] = {}
    async with session.listening(lists=True):
        await session.until_heard(lambda: session.text("grow", name="newcomer"), *kinds)
        seen["grown"] = [names(items) for items in await every_list(session.client)]
        seen["called"] = await session.text("newcomer", text="hello")
        session.ears.forget()
        await session.until_heard(lambda: session.text("shrink", name="newcomer"), *kinds)
        seen["shrunk"] = [names(items) for items in await every_list(session.client)]
        seen["heard"] = sorted(set(session.ears.heard))
    return seen


async def tasks(session: Session) -> Any:
    """A call that the server turns into a task, in the manner of the era."""
    call: dict[str, Any] = {"name": "bake", "arguments": {"cake": "plum"}}
    created = await raw(session, "tools/call", call if session.modern else {**call, "task": {"ttl": 60_000}})
    task = created.get("task", created).get("taskId")
    if task is None:
        return created
    last = "tasks/get" if session.modern else "tasks/result"
    asked = [await raw(session, method, {"taskId": task}) for method in ("tasks/get", "tasks/get", last)]
    return without_ids([created, *asked], task)


async def ping(session: Session) -> Any:
    """Legacy only: the modern era has none."""
    return None if session.modern else plain(await session.client.send_ping())


FEATURES: Mapping[str, Callable[[Session], Awaitable[Any]]] = {
    feature.__name__: feature
    for feature in (
        tools,
        prompts,
        resources,
        completion,
        progress,
        cancellation,
        sampling,
        elicitation,
        roots,
        logging,
        subscriptions,
        list_changes,
        tasks,
        ping,
    )
}


async def play(transport: Any, mode: Mode | str) -> dict[str, Any]:
    """Every feature in one session: what it came to, or the error that it failed with."""
    with anyio.fail_after(100):
        async with opened(transport, mode) as session:
            seen: dict[str, Any] = {"revision": session.client.protocol_version, "hello": hello(session.client)}
            for name, feature in FEATURES.items():
                try:
                    seen[name] = await feature(session)
                except MCPError as error:
                    seen[name] = plain(error.error)
            return seen


# plain values


async def raw(session: Session, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """A request that the SDK has no words for, dressed like its own."""
    # pyright: ignore on both: its public way validates results against shapes that know of no tasks
    inner = session.client.session
    request: dict[str, Any] = {"method": method, "params": dict(params)}
    options: Any = {"timeout": PATIENCE}
    inner._stamp(request, options)  # pyright: ignore[reportPrivateUsage]
    if "taskId" in params:
        options["headers"]["Mcp-Name"] = params["taskId"]
    return await inner._dispatcher.send_raw_request(  # pyright: ignore[reportPrivateUsage]
        method, request["params"], options
    )


def hello(client: Client) -> Any:
    """What the server says of itself when the connection opens."""
    info = client.server_info
    return {"capabilities": plain(client.server_capabilities), "instructions": client.instructions, "info": plain(info)}


async def listed(ask: Callable[..., Awaitable[Any]], kind: str) -> list[Any]:
    """All pages of a list."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        page = plain(await ask(cursor=cursor))
        items += page[kind]
        cursor = page.get("nextCursor")
        if cursor is None:
            return items


async def every_list(client: Client) -> list[list[Any]]:
    return [
        await listed(client.list_tools, "tools"),
        await listed(client.list_prompts, "prompts"),
        await listed(client.list_resources, "resources"),
    ]


def names(items: list[Any]) -> list[str]:
    return [item["name"] for item in items]


async def failing(doing: Awaitable[Any]) -> Any:
    """The error of what should fail with one."""
    try:
        return plain(await doing)
    except MCPError as error:
        return plain(error.error)


def plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return value


def without_ids(value: Any, task: str) -> Any:
    """The value with the task's id, which counts on from session to session, made the same."""
    if isinstance(value, str):
        return value.replace(task, "task-id")
    if isinstance(value, list):
        return [without_ids(item, task) for item in value]
    if isinstance(value, dict):
        return {key: without_ids(item, task) for key, item in value.items()}
    return value

"""The Python SDK's own client, in every protocol revision: what it makes of a guarded server equals what it makes of a
direct one.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client

from tests.e2e.guard import Guard, server
from tests.e2e.npm import node_server
from tests.e2e.test_same_answers import without_clock
from tests.e2e.wire import LEGACY, MODERN

Doing = Callable[[Client], Awaitable[Any]]

REFERENCE: Sequence[Doing] = (
    lambda client: client.list_tools(),
    lambda client: client.call_tool("echo", {"text": "hello"}),
    lambda client: client.call_tool("weather", {"city": "Paris"}),
    lambda client: client.call_tool("fail", {"reason": "as told"}),
    lambda client: client.call_tool("order", {"item": "shirt"}),
    lambda client: client.call_tool("summarize", {"text": "a long story"}),
    lambda client: client.call_tool("roots", {}),
    lambda client: client.list_prompts(),
    lambda client: client.get_prompt("review", {"code": "x = 1"}),
    lambda client: client.get_prompt("nothing"),
    lambda client: client.list_resources(),
    lambda client: client.list_resource_templates(),
    lambda client: client.read_resource("memo://today"),
    lambda client: client.read_resource("void://"),
    lambda client: client.complete(
        types.PromptReference(type="ref/prompt", name="review"), {"name": "code", "value": "x"}
    ),
    lambda client: progress_of(client, "count", {"steps": 3}),
)
EVERYTHING: Sequence[Doing] = (
    lambda client: client.list_tools(),
    lambda client: client.call_tool("echo", {"message": "hello"}),
    lambda client: client.call_tool("get-structured-content", {"location": "Chicago"}),
    lambda client: client.call_tool("get-tiny-image", {}),
    lambda client: client.call_tool("trigger-sampling-request", {"prompt": "shorten", "maxTokens": 20}),
    lambda client: client.call_tool("trigger-elicitation-request", {}),
    lambda client: client.list_prompts(),
    lambda client: client.get_prompt("args-prompt", {"city": "Paris"}),
    lambda client: client.list_resources(),
    lambda client: client.read_resource("demo://resource/static/document/features.md"),
    lambda client: progress_of(client, "trigger-long-running-operation", {"duration": 0.1, "steps": 3}),
)
FILESYSTEM: Sequence[Doing] = (
    lambda client: client.list_tools(),
    lambda client: client.call_tool("list_allowed_directories", {}),
    lambda client: client.call_tool("read_text_file", {"path": "/etc/passwd"}),
)
SERVERS = {"reference": REFERENCE, "everything": EVERYTHING, "filesystem": FILESYSTEM}
CASES = [
    *((name, revision) for name in ("everything", "filesystem") for revision in LEGACY),
    ("reference", "auto"),  # with a legacy server it meets a bridge: test_matrix
    ("reference", LEGACY[-1]),
    ("reference", MODERN),
]


@pytest.mark.parametrize(("name", "revision"), CASES)
def test_the_guarded_server_looks_the_same(
    name: str, revision: str, guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = revision if revision in (MODERN, "auto") else "legacy"
    if mode == "legacy":
        monkeypatch.setattr("mcp.client.session.LATEST_HANDSHAKE_VERSION", revision)
    command = {
        "reference": lambda: server("reference"),
        "everything": lambda: node_server("everything"),
        "filesystem": lambda: [*node_server("filesystem"), str(tmp_path)],
    }[name]()
    direct = anyio.run(session, command, mode, SERVERS[name])
    guarded = anyio.run(session, guard.command(command), mode, SERVERS[name])

    assert direct[0] == (revision if revision != "auto" else MODERN)
    assert without_clock(guarded) == without_clock(as_the_guard_says_it(direct))


async def session(command: Sequence[str], mode: str, doings: Sequence[Doing]) -> list[Any]:
    """The revision that was agreed, the server's capabilities, and what each thing done came to."""
    transport = stdio_client(StdioServerParameters(command=command[0], args=list(command[1:])))
    callbacks: dict[str, Any] = {
        "sampling_callback": sample,
        "elicitation_callback": elicit,
        "list_roots_callback": list_roots,
    }
    with anyio.fail_after(60):
        async with Client(transport, mode=mode, read_timeout_seconds=30, **callbacks) as client:
            outcome: list[Any] = [client.protocol_version, plain(client.server_capabilities)]
            for doing in doings:
                try:
                    outcome.append(plain(await doing(client)))
                except MCPError as error:
                    outcome.append(plain(error.error))
            return outcome


async def progress_of(client: Client, tool: str, arguments: dict[str, Any]) -> list[Any]:
    """What a call reports on its way, and its result at the end."""
    told: list[Any] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append([progress, total, message])

    result = await client.call_tool(tool, arguments, progress_callback=hear)
    return [*told, plain(result)]


async def sample(context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="in short")
    return types.CreateMessageResult(role="assistant", model="m-1", content=content)


async def elicit(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"size": 42})


async def list_roots(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///srv/project")])  # type: ignore[arg-type]  (a URL)


def plain(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True) if hasattr(value, "model_dump") else value


def as_the_guard_says_it(direct: list[Any]) -> list[Any]:
    """The differences that are by design: see `test_same_answers`."""
    revision, capabilities, *results = direct
    if capabilities.get("tools"):
        capabilities["tools"]["listChanged"] = True
    for result in results:
        if isinstance(result, dict) and "tools" in result and revision == MODERN:
            result["cacheScope"], result["ttlMs"] = "private", min(result["ttlMs"], 30_000)
    return [revision, capabilities, *results]

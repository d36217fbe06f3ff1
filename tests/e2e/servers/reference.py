"""A server on the Python SDK that uses what the protocol has, in both eras: the upstream of the comparisons.

Nothing it says depends on the time of day or on chance, so two sessions with it are equal message for message.
"""

from typing import Annotated

import anyio
import mcp_types as types
from mcp.server.mcpserver import Context, Elicit, ListRoots, MCPServer, Resolve, Sample
from mcp.server.mcpserver.prompts.base import UserMessage
from pydantic import BaseModel

server = MCPServer(
    "reference", version="7", instructions="Everything there is, the same every time.", log_level="CRITICAL"
)


class Weather(BaseModel):
    city: str
    celsius: float
    exact: int


class Size(BaseModel):
    size: int


@server.tool()
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool(annotations=types.ToolAnnotations(title="Add numbers", read_only_hint=True))
def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


@server.tool()
def weather(city: str) -> Weather:
    """Structured output, with a number that no float holds."""
    return Weather(city=city, celsius=21.5, exact=9007199254740993)


@server.tool()
def fail(reason: str) -> str:
    """Fail, always."""
    raise ValueError(reason)


@server.tool()
async def count(steps: int, context: Context) -> str:
    """Count, and tell how far it has come."""
    for step in range(steps):
        await context.report_progress(step + 1, steps, f"step {step + 1}")
    return f"{steps} steps"


@server.tool()
async def wait_for_ever() -> str:
    """Answer never: for cancelling."""
    await anyio.sleep_forever()
    return "never"


async def ask_size() -> Elicit[Size]:
    return Elicit("What size?", Size)


@server.tool()
async def order(item: str, size: Annotated[Size, Resolve(ask_size)]) -> str:
    """Ask the user for the size first."""
    return f"{item} in {size.size}"


async def ask_model(text: str) -> Sample:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=text))
    return Sample([message], max_tokens=50)


@server.tool()
async def summarize(text: str, answer: Annotated[types.CreateMessageResult, Resolve(ask_model)]) -> str:
    """Ask the client's model."""
    return f"{answer.model}: {answer.content}"


async def ask_roots() -> ListRoots:
    return ListRoots()


@server.tool()
async def roots(found: Annotated[types.ListRootsResult, Resolve(ask_roots)]) -> str:
    """Ask the client for its roots."""
    return ", ".join(str(root.uri) for root in found.roots)


@server.tool()
async def grow(name: str, context: Context) -> str:
    """Get one more tool, and say so to whoever listens."""
    server.add_tool(echo, name=name)
    await context.notify_tools_changed()
    return f"{name} is here"


@server.resource("memo://today")
def memo() -> str:
    """A memo."""
    return "Nothing today."


@server.resource("note://{name}")
def note(name: str) -> str:
    """A note, by its name."""
    return f"About {name}."


@server.prompt()
def review(code: str) -> list[UserMessage]:
    """Review some code."""
    return [UserMessage(f"Review: {code}")]


@server.completion()
async def complete(
    ref: types.PromptReference | types.ResourceTemplateReference,
    argument: types.CompletionArgument,
    context: types.CompletionContext | None,
) -> types.Completion:
    return types.Completion(values=[argument.value + ending for ending in ("a", "b")], has_more=False)


if __name__ == "__main__":
    server.run("stdio")

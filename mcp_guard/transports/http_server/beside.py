"""What the server answers beside MCP, as far as it has to know: whose path it is, and who may ask."""

from typing import Protocol

from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.requests import Answer, Caller, Head


class Beside(Protocol):
    """What else the server answers, beside MCP."""

    def serves(self, path: str) -> bool:
        """Whether a path is none of MCP's, but this one's."""
        ...

    def admit(self, head: Head, caller: Caller | Answer) -> Caller | Answer:
        """Who makes a request, or why it is refused before its body is read; `caller` is what `Access` says of it."""
        ...

    def handle(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """Answer a request through its channel, now or later."""
        ...

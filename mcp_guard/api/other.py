"""What is served beside MCP and the registry's own routes, each at one path: metrics, and telemetry that comes in."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from mcp_guard.api.kept import KeptBook
from mcp_guard.api.lanes import Name
from mcp_guard.transports.http_server.requests import Answer, Caller, Head

Work = Callable[[KeptBook], Answer]
"""What makes an answer out of the registry, on the thread of its lane. Raises ProblemError, GuardError."""


class Other(ABC):
    """What answers one method at one path, in its lane."""

    method = "GET"
    lane: Name

    @abstractmethod
    def may(self, head: Head, caller: Caller | Answer) -> Caller | Answer:
        """Who makes a request, or why it is refused; `caller` is what the server says of it. Raises ProblemError."""

    @abstractmethod
    def work(self, head: Head, caller: Caller, body: bytes) -> Work:
        """What makes the answer. Raises ProblemError."""

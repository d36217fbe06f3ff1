"""A client that speaks just enough MCP for a script: one request, one answer, over the pipes of a process it started.

What it gives is what came over the wire, and nothing waits for ever: a server that does not answer is an error.
"""

import selectors
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import cast

import msgspec

from mcp_guard import __version__
from mcp_guard.errors import GuardError

Json = dict[str, object]

PROTOCOL = "2025-11-25"
_ERROR, _HINT = "mcp-guard: error: ", "  hint: "  # how a guard says what is wrong
PATIENCE = 20.0  # seconds for one answer: a machine under load still makes it


@contextmanager
def connected(command: Sequence[str]) -> "Generator[Client]":
    """A client of a server that is started here, introduced to it, and ended with it. Raises GuardError."""
    client = Client(command)
    try:
        client.introduce()
        yield client
    finally:
        client.close()


class Client:
    """One connection to a server that the client starts and ends; made by `connected`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the client)
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, bufsize=0
        )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._to_server, self._from_server = self._server.stdin, self._server.stdout
        self._readable = selectors.DefaultSelector()
        self._readable.register(self._from_server, selectors.EVENT_READ)
        self._unread = b""
        self._last_id = 0

    def introduce(self) -> None:
        """Open the session."""
        client = {"name": "demo", "version": __version__}
        self.request("initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client})
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def close(self) -> None:
        """End the session, and the server with it."""
        self._to_server.close()
        try:
            self._server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._from_server.close()
        self._readable.close()
        self._complaints.close()

    def tools(self) -> list[str]:
        """The names of the tools that the server lists."""
        result = cast(Json, self.request("tools/list", {})["result"])
        return [str(tool["name"]) for tool in cast(list[Json], result["tools"])]

    def request(self, method: str, params: Json) -> Json:
        """Send a request; gives the whole response. Raises GuardError where none comes."""
        self._last_id += 1
        self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        deadline = time.monotonic() + PATIENCE
        while True:
            message = msgspec.json.decode(self._line(deadline), type=Json)
            if message.get("id") == self._last_id and "method" not in message:
                return message

    def _send(self, message: Json) -> None:
        try:
            self._to_server.write(msgspec.json.encode(message) + b"\n")
        except BrokenPipeError:
            raise self._gone() from None

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._unread:
            if not self._readable.select(max(0.0, deadline - time.monotonic())):
                raise GuardError(f"the server did not answer within {PATIENCE:.0f} seconds")
            chunk = self._from_server.read(65536)
            if not chunk:
                raise self._gone()
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _gone(self) -> GuardError:
        """The server ended before it answered: the last that it said on stderr."""
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        for line, after in pairwise((*said, "")):
            if line.startswith(_ERROR):  # the guard's own, which says what to do
                return GuardError(line.removeprefix(_ERROR), after.removeprefix(_HINT))
        return GuardError("the server ended before it answered", "\n".join(said[-5:]))

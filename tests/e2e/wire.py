"""A client at the level of lines: it sends what it is told, bytes or JSON, and sees each message that comes back.

Real clients hide what a proxy might change: order, ids, members they do not know, the value of a number. Numbers with a
fraction are read as decimals, so equal means equal.
"""

import json
import os
import selectors
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.e2e.guard import PATIENCE

Message = dict[str, Any]

MODERN = "2026-07-28"
LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
CAPABILITIES: Message = {"roots": {"listChanged": True}, "sampling": {}, "elicitation": {}}
CLIENT_INFO = {"name": "wire", "version": "1"}
ANSWERS: Mapping[str, Message] = {  # what this client says to a server that asks
    "roots/list": {"roots": [{"uri": "file:///srv/project", "name": "project"}]},
    "sampling/createMessage": {"role": "assistant", "model": "m-1", "content": {"type": "text", "text": "in short"}},
    "elicitation/create": {"action": "accept", "content": {"size": 42}},
    "ping": {},
}


class GoneError(Exception):
    """The server's output ended where a message was expected."""


class Wire:
    """One connection. `seen` is every message from the server in the order it came, those that answer included."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the connection)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            bufsize=0,
        )
        self.seen: list[Message] = []
        self.answers = dict(ANSWERS)
        self.revision = ""
        self._lines: deque[bytes] = deque()
        self._partial: list[bytes] = []
        self._last_id = 0
        self._readable = selectors.DefaultSelector()
        assert self.process.stdout is not None
        self._readable.register(self.process.stdout, selectors.EVENT_READ)

    # what goes out

    def send(self, message: Message | bytes) -> None:
        """Send one message, or these very bytes."""
        assert self.process.stdin is not None
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) :]

    def ask(self, method: str, params: Message | None = None, id: int | str | None = None) -> int | str:
        """Send a request and do not wait; gives its id."""
        if id is None:
            self._last_id += 1
            id = self._last_id
        message: Message = {"jsonrpc": "2.0", "id": id, "method": method}
        if self.revision == MODERN:
            params = {**(params or {}), "_meta": {**envelope(), **(params or {}).get("_meta", {})}}
        if params is not None:
            message["params"] = params
        self.send(message)
        return id

    def notify(self, method: str, params: Message | None = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})})

    def request(self, method: str, params: Message | None = None, id: int | str | None = None) -> Message:
        """Send a request and give the whole response to it."""
        return self.response(self.ask(method, params, id))

    def call(self, tool: str, arguments: Message | None = None, **more: Any) -> Message:
        """A `tools/call`; gives the whole response."""
        return self.request("tools/call", {"name": tool, "arguments": arguments or {}, **more})

    def open(self, revision: str, capabilities: Message | None = None) -> Message:
        """Open a session as a client of that revision does; gives the response that says what the server can do."""
        self.revision = revision
        if revision == MODERN:
            return self.request("server/discover")
        offer = {
            "protocolVersion": revision,
            "capabilities": CAPABILITIES if capabilities is None else capabilities,
            "clientInfo": CLIENT_INFO,
        }
        response = self.request("initialize", offer)
        self.notify("notifications/initialized")
        return response

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    # what comes in

    def response(self, id: int | str | None) -> Message:
        """The response to that request; what comes before it is kept in `seen`, and questions are answered."""
        return self.until(lambda message: "method" not in message and message.get("id") == id)

    def until(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message from here on that is wanted."""
        while True:
            message = self.receive()
            if wanted(message):
                return message

    def receive(self) -> Message:
        """The next message, whatever it is; a question among `answers` is answered."""
        message = self.parse(self.line())
        self.seen.append(message)
        if "method" in message and "id" in message and message["method"] in self.answers:
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": self.answers[message["method"]]})
        return message

    @staticmethod
    def parse(line: bytes) -> Any:
        return json.loads(line, parse_float=Decimal)

    def line(self) -> bytes:
        """The next line. Raises GoneError at the end of the output."""
        deadline = time.monotonic() + PATIENCE
        while not self._lines:
            if not self._read(max(0.0, deadline - time.monotonic())):
                raise AssertionError(
                    f"nothing came for {PATIENCE:.0f} s\nseen: {self.seen[-5:]}\n{self.stderr()[-4000:]}"
                )
        return self._lines.popleft()

    def lines(self, patience: float) -> list[bytes]:
        """What has come by now; where that is nothing, what one more read brings within that many seconds."""
        if not self._lines:
            self._read(patience)
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def _read(self, patience: float) -> bool:
        """One read, if there is something to read in time."""
        if not self._readable.select(patience):
            return False
        assert self.process.stdout is not None
        chunk = os.read(self.process.stdout.fileno(), 1 << 20)
        if not chunk:
            raise GoneError(self.stderr())
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._partial.append(line)
            self._lines.append(b"".join(self._partial))
            self._partial.clear()
        self._partial.append(rest)
        return True

    def rest(self) -> list[Message]:
        """Every message until the output ends."""
        messages: list[Message] = []
        while True:
            try:
                messages.append(self.receive())
            except GoneError:
                return messages

    def finish(self) -> int:
        """End the session from this side and wait for the process to be done with it, its log included."""
        self.close_input()
        self.rest()
        return self.wait()

    def stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    def wait(self) -> int:
        """The status that the process ended with."""
        return self.process.wait(PATIENCE)

    def close(self, patience: float) -> bool:
        """End the session as a client does: end of input, patience, force. Gives whether no force was needed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(patience)
            return True
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        finally:
            self.process.stdout.close()
            self._readable.close()
            self._stderr.close()


@contextmanager
def wire(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    *,
    stubborn: bool = False,
) -> Iterator[Wire]:
    """A connection to a process that is started here and ended with the block; `stubborn`: one that ignores the end of
    its input, as some servers do, and is killed.
    """
    connection = Wire(command, env, cwd)
    try:
        yield connection
    except BaseException:
        connection.close(patience=0)
        raise
    ended = connection.close(patience=0 if stubborn else 10)
    assert ended or stubborn, "the process did not end when its input did"


def envelope() -> Message:
    """What every modern request carries (2026-07-28, "Versioning")."""
    return {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
        "io.modelcontextprotocol/clientCapabilities": {"roots": {}, "sampling": {}, "elicitation": {"form": {}}},
    }


def text_of(response: Message) -> str:
    """The text of a tool result."""
    return "\n".join(block["text"] for block in response["result"]["content"])

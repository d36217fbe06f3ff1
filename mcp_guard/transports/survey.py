"""One short conversation with a server: start it, ask what tools it has, end it. No agent is there, no tool is called.

Both eras are tried: `initialize` first, and where the server refuses that, the modern way (2026-07-28), in which each
request introduces its client. Nothing waits for ever.
"""

import os
import select
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import cast

import msgspec

from mcp_guard import __version__
from mcp_guard.errors import GuardError
from mcp_guard.transports.framing import Lines, Oversized
from mcp_guard.transports.process import Upstream, spawn

LEGACY, MODERN = "2025-11-25", "2026-07-28"
MAX_PAGES = 1_000
FIRST_ANSWER = 120.0  # seconds: the package may have to be downloaded first
LATER_ANSWER = 30.0  # seconds
LIMIT = 64 << 20  # bytes of one message
_LAST_WORDS = 2.0  # seconds for a server to end by itself
_CHUNK = 64 << 10
_METHOD_NOT_FOUND = -32601

Json = dict[str, object]
Listed = tuple[tuple[str, bytes], ...]
"""Each tool's hash and its definition, as the server wrote it."""

_CLIENT: Json = {"name": "mcp-guard", "version": __version__}
_ENVELOPE: Json = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": _CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class SurveyError(GuardError):
    """A server that could not be asked: it did not start, did not answer, or has no tools to list."""


def tools_of(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Listed:
    """All that a stdio server lists, page by page. Raises GuardError."""
    upstream = spawn(command, env=env)
    try:
        return _Conversation(upstream).tools()
    finally:
        upstream.end()
        _wait(upstream.status, _LAST_WORDS)  # most servers end when their input does
        upstream.close()


class _Conversation:
    """Requests of ours, one at a time, and the server's answers to them."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lines = Lines(LIMIT)
        self._read: list[bytes] = []
        self._asked = 0
        self._patience = FIRST_ANSWER

    def tools(self) -> Listed:
        """What the server lists."""
        modern = not self._initialized()
        found: list[tuple[str, bytes]] = []
        cursor: object = None
        for _ in range(MAX_PAGES):
            params: Json = {"_meta": _ENVELOPE} if modern else {}
            page = self._answer("tools/list", params if cursor is None else {**params, "cursor": cursor})
            found += _definitions(page)
            cursor = _decode_any(page["nextCursor"]) if "nextCursor" in page else None
            if cursor is None:
                return tuple(found)
        raise SurveyError(f"the server's list of tools has more than {MAX_PAGES} pages")

    def _initialized(self) -> bool:
        """Open a session, where the server has sessions."""
        params: Json = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": _CLIENT}
        response = self._request("initialize", params)
        if "result" not in response:
            return False
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return True

    def _answer(self, method: str, params: Json) -> dict[str, msgspec.Raw]:
        """The result of a request. Raises SurveyError."""
        response = self._request(method, params)
        try:
            return _decode(response["result"])
        except KeyError:
            raise SurveyError(f"the server answers `{method}` with an error", _said(response)) from None
        except _UNREADABLE:
            raise SurveyError(f"the server's answer to `{method}` cannot be read") from None

    def _request(self, method: str, params: Json) -> dict[str, msgspec.Raw]:
        """The whole response to a request. What the server asks meanwhile is declined."""
        self._asked += 1
        self._send({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params})
        deadline = time.monotonic() + self._patience
        while True:
            message = self._message(deadline)
            if "method" in message:
                self._decline(message)
            elif message.get("id") == msgspec.Raw(str(self._asked).encode()):
                self._patience = LATER_ANSWER
                return message

    def _decline(self, message: dict[str, msgspec.Raw]) -> None:
        if "id" not in message:
            return
        if bytes(message["method"]) == b'"ping"':
            self._send({"jsonrpc": "2.0", "id": message["id"], "result": {}})
        else:
            error = {"code": _METHOD_NOT_FOUND, "message": "not offered"}
            self._send({"jsonrpc": "2.0", "id": message["id"], "error": error})

    def _send(self, message: Json) -> None:
        data = msgspec.json.encode(message) + b"\n"
        try:
            os.write(self._upstream.stdin, data)  # a few hundred bytes: any pipe takes them whole
        except (BrokenPipeError, BlockingIOError):
            raise self._gone() from None

    def _message(self, deadline: float) -> dict[str, msgspec.Raw]:
        """The next message; what is none is passed over, as servers print all sorts of things."""
        while True:
            while self._read:
                try:
                    return _decode(self._read.pop(0))
                except _UNREADABLE:
                    continue
            self._receive(deadline)

    def _receive(self, deadline: float) -> None:
        if not _wait(self._upstream.stdout, deadline - time.monotonic()):
            raise SurveyError(f"the server did not answer within {self._patience:.0f} seconds")
        try:
            chunk = os.read(self._upstream.stdout, _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            raise self._gone()
        for line in self._lines.feed(chunk):
            if isinstance(line, Oversized):
                raise SurveyError(f"the server sent a message of more than {LIMIT >> 20} MiB")
            self._read.append(line)

    def _gone(self) -> SurveyError:
        _wait(self._upstream.status, _LAST_WORDS)  # it has closed its output: most likely it is just ending
        exit = self._upstream.read_status()
        how = exit.describe() if exit is not None else "closed its output"
        return SurveyError(f"the server {how} before it listed its tools", "run it by itself to see what it needs")


def _wait(descriptor: int, seconds: float) -> bool:
    """Wait until something can be read there, but not for ever. Gives whether it can."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(max(0.0, seconds) * 1000))


def _definitions(page: Mapping[str, msgspec.Raw]) -> list[tuple[str, bytes]]:
    try:
        definitions = [bytes(one) for one in _decode_list(page["tools"])]
    except (*_UNREADABLE, KeyError):
        raise SurveyError("the server's answer is not a list of tools") from None
    return [(sha256(one).hexdigest(), one) for one in definitions]


def _said(response: Mapping[str, msgspec.Raw]) -> str:
    """What an error response says, for a hint: one line of printable text."""
    try:
        error = _decode_any(response["error"])
        text = str(cast("Json", error)["message"])
    except (*_UNREADABLE, KeyError, TypeError):
        return ""
    return "".join(char if char.isprintable() else " " for char in text[:200])

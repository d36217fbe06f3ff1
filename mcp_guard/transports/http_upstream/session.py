"""What a server of the legacy revisions knows a client by: the session that `initialize` opened. No I/O.

2025-11-25, "Session Management". Kept so that a session which the server has forgotten can be opened again in the very
words of the client.
"""

import re

import msgspec

from mcp_guard.gate.lost_answers import instead_of
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.wire import without_halves

_SESSION_ID = re.compile(r"[\x21-\x7e]{1,1024}")
_REVISION = re.compile(r"[0-9A-Za-z.-]{1,32}")


class _Result(msgspec.Struct):
    protocolVersion: object = None  # noqa: N815  (MCP's own name)


class _Answer(msgspec.Struct):
    id: object = None
    method: object = None
    result: _Result | None = None
    error: msgspec.Raw | None = None


class Head(msgspec.Struct):
    """As much of a server's message as tells what it is."""

    id: object = msgspec.UNSET
    method: object = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_head = msgspec.json.Decoder(Head).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode


def read_head(line: bytes) -> Head | None:
    """The head of a server's message; None where it is none (the gate says so)."""
    try:
        return _decode_head(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        whole = without_halves(line)  # the gate makes do with it, too
        return None if whole is line else read_head(whole)


def heard(line: bytes) -> Head | None:
    """The head of what the gate takes a line for: the error in place of an answer that is no JSON answers as well."""
    head = read_head(line)
    instead = instead_of(line) if head is None else None
    return head if instead is None else read_head(instead)


def error_of(body: bytes) -> bytes | None:
    """The JSON-RPC error object in the body of an HTTP error, as the server wrote it; None where there is none."""
    head = read_head(body)
    if head is None or not isinstance(head.error, msgspec.Raw):
        return None
    error = bytes(head.error).strip()
    return error if error.startswith(b"{") else None


def is_about_session(error: bytes) -> bool:
    """Whether an error says that there is no such session. Servers that are built after the TypeScript SDK's examples
    answer so, with status 400 (-32000, "No valid session ID provided"), where the specification asks for 404.
    """
    text = error.lower()
    return b"session" in text or b"not initialized" in text


def error_answer(request_id: RequestId, error: bytes) -> bytes:
    """The server's error as the answer to a request, whatever id the server gave it."""
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (msgspec.json.encode(request_id), one_line(error))


def one_line(body: bytes) -> bytes:
    """A JSON text without line ends, which can only stand between its tokens."""
    return body.replace(b"\n", b" ") if b"\n" in body else body


def answers(line: bytes, request_id: object) -> bool:
    """Whether a line is the answer to a request: the gate finds it by the same equality of ids."""
    head = heard(line)
    if head is None or head.method is not msgspec.UNSET or isinstance(head.id, bool):
        return False
    return head.id == request_id and (head.result is not msgspec.UNSET or head.error is not msgspec.UNSET)


class Session:
    """The session's id and revision, as far as they are known, and the lines that opened it."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.protocol: str | None = None
        self.opening: bytes | None = None  # the client's `initialize`
        self.initialized: bytes | None = None  # and its `notifications/initialized`

    def headers(self) -> dict[str, str]:
        """What every request of the session carries."""
        headers: dict[str, str] = {}
        if self.id is not None:
            headers["Mcp-Session-Id"] = self.id
        if self.protocol is not None:
            headers["MCP-Protocol-Version"] = self.protocol
        return headers

    def forget(self) -> None:
        """There is no session, or a new one is about to be opened."""
        self.id = self.protocol = None

    def opened(self, session_id: str | None, answer: bytes) -> None:
        """The server has answered `initialize`, and named a session. What it says only counts if it can stand in a
        header.
        """
        try:
            result = _decode_answer(answer).result
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
            return
        if result is None:
            return
        protocol = result.protocolVersion
        self.protocol = protocol if isinstance(protocol, str) and _REVISION.fullmatch(protocol) else None
        self.id = session_id if session_id is not None and _SESSION_ID.fullmatch(session_id) else None

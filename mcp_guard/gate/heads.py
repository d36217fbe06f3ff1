"""What the guard needs to know of an upstream's line: is it a message, what kind of, and which one.

The rest of the line is checked to be JSON and not decoded.
"""

import msgspec

from mcp_guard.gate.wire import UNREADABLE, UnreadableError, decode


class Result(msgspec.Struct):
    """Of a result: whether it says of a call that it failed."""

    isError: object = None  # noqa: N815  (MCP's own name)


class Head(msgspec.Struct):
    """One message. `UNSET` is what is not there."""

    jsonrpc: object = None
    id: object = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    result: Result | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_head = msgspec.json.Decoder(Head).decode


class NotAMessageError(Exception):
    """A line from the upstream that is not a JSON-RPC message. The text says why, without quoting it."""


class NotJsonError(NotAMessageError):
    """A line that is no JSON."""

    def __init__(self) -> None:
        super().__init__("not JSON")


def read_head(line: bytes) -> Head:
    """Decode what is needed of a line. Raises NotAMessageError unless it is one JSON-RPC 2.0 message."""
    try:
        head = _decode_head(line)
    except msgspec.ValidationError:
        head = _read_odd(line)
    except UNREADABLE:
        raise NotJsonError from None
    if head.jsonrpc != "2.0":
        raise NotAMessageError('jsonrpc must be "2.0"')
    answer = head.result is not msgspec.UNSET or head.error is not msgspec.UNSET
    if (head.method is not msgspec.UNSET) == answer:
        raise NotAMessageError("a message needs a method, or one of result and error")
    return head


def _read_odd(line: bytes) -> Head:
    """The same for a line whose members are not of the usual types: a result that is no object is passed on."""
    try:
        message = decode(line)
    except UnreadableError:
        raise NotJsonError from None
    if not isinstance(message, dict):
        raise NotAMessageError("a message must be a JSON object")
    method = message.get("method", msgspec.UNSET)
    if method is not msgspec.UNSET and not isinstance(method, str):
        raise NotAMessageError("method must be a string")
    failed = message.get("error") is not None
    result = msgspec.UNSET if failed and message.get("result") is None else Result()
    result = result if "result" in message else msgspec.UNSET
    error = msgspec.Raw(b"{}" if failed else b"null") if "error" in message else msgspec.UNSET
    return Head(message.get("jsonrpc"), message.get("id", msgspec.UNSET), method, result, error)

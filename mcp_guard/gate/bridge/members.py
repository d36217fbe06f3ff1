"""Messages as slices of their own text: read only as far as a bridge has to, everything else kept as it came.

What goes to the client may hold slices of the upstream's text (`down`); what goes upstream holds slices of the gate's
own encoding, which is ASCII and has no second reading (`up`).
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, TypeGuard

import msgspec

from mcp_guard.gate.messages import MAX_ID_LENGTH, RequestId
from mcp_guard.gate.wire import UnreadableError, decode, encode, encode_slices, seal
from mcp_guard.policy.values import Json

Members: TypeAlias = dict[str, msgspec.Raw]
Kind = Literal["request", "notification", "response"]

_encode = msgspec.json.Encoder().encode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read(text: bytes | msgspec.Raw | None) -> Members | None:
    """The members of a JSON object; None where the text is anything else. The last of duplicate names stands."""
    if text is None:
        return None
    try:
        return _decode_members(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_elements(text: bytes | msgspec.Raw) -> list[msgspec.Raw] | None:
    """The elements of a JSON array; None where the text is anything else."""
    try:
        return _decode_elements(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def plain(text: msgspec.Raw | None) -> Json:
    """The value of a slice; None where there is none or it cannot be read."""
    if text is None:
        return None
    try:
        return decode(bytes(text))
    except UnreadableError:
        return None


def text_of(members: Members | None, name: str) -> str | None:
    """The member of that name, where it is a string."""
    value = plain(members.get(name)) if members else None
    return value if isinstance(value, str) else None


def raw(value: object) -> msgspec.Raw:
    """A value as a slice of the guard's own encoding."""
    return msgspec.Raw(encode(value))


def up(members: Mapping[str, object]) -> bytes:
    """The line that goes towards the upstream. Raises UnreadableError."""
    return encode(members)


def down(members: Mapping[str, object]) -> bytes:
    """The line that goes towards the client. Raises UnreadableError."""
    return encode_slices(members)


def joined(parts: Mapping[str, msgspec.Raw] | list[msgspec.Raw]) -> bytes:
    """Slices put together again. What came through the gate has been sealed, and what goes to it will be: only names,
    which were decoded, could hold what needs sealing.
    """
    text = _encode(parts)
    return text if isinstance(parts, list) or all(map(str.isascii, parts)) else seal(text)


def size_of(parts: Mapping[str, msgspec.Raw]) -> int:
    """How many bytes of text these slices hold."""
    return sum(memoryview(part).nbytes for part in parts.values())


def kind_of(members: Members) -> Kind | None:
    """What kind of message this is; None where it is not exactly one of the three (JSON-RPC 2.0, sections 4 and 5)."""
    answers = ("result" in members) + ("error" in members)
    if plain(members.get("jsonrpc")) != "2.0" or answers + ("method" in members) != 1:
        return None
    if answers:
        return "response"
    if text_of(members, "method") is None:
        return None
    return "request" if "id" in members else "notification"


def without_null(members: Members) -> Members:
    """An answer without the null that some servers write beside it, as its error or result."""
    if "result" not in members or "error" not in members:
        return members
    empty = next((name for name in ("error", "result") if plain(members[name]) is None), None)
    return {name: value for name, value in members.items() if name != empty}


def id_of(members: Members) -> RequestId | None:
    """The id of a request or response; None where it is none that MCP allows. 1.0 is the integer that it equals."""
    value = plain(members.get("id"))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if is_id(value) else None


def is_id(value: Json) -> TypeGuard[RequestId]:
    """Whether a value may be the id of a request, or a progress token."""
    if isinstance(value, str):
        return len(value) <= MAX_ID_LENGTH
    return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 4 * MAX_ID_LENGTH


def message(method: str, params: object = None, request_id: RequestId | None = None) -> dict[str, object]:
    """A request (with an id) or a notification of the guard's own."""
    members: dict[str, object] = {"jsonrpc": "2.0"}
    if request_id is not None:
        members["id"] = request_id
    members["method"] = method
    if params is not None:
        members["params"] = params
    return members


def result(request_id: RequestId, value: object) -> dict[str, object]:
    """A result response of the guard's own."""
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


def failure(request_id: RequestId, code: int, text: str, data: object = None) -> dict[str, object]:
    """An error response of the guard's own."""
    error: dict[str, object] = {"code": code, "message": text}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": request_id, "error": error}

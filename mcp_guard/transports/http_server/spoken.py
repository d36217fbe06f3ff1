"""What a JSON-RPC message is about, read without decoding more of it than an HTTP server needs to carry it.

The gate is the one that judges messages; here is only found out which request a message belongs to. The parser is the
same, so both read the same out of one text: where a key comes twice, the last one stands.
"""

from functools import cache
from typing import Literal, TypeGuard, cast

import msgspec

from mcp_guard.gate.bridge.members import plain as plain  # what the text of a member says
from mcp_guard.gate.connection import PROTOCOL_META
from mcp_guard.gate.messages import INVALID_REQUEST, PARSE_ERROR, RequestId
from mcp_guard.gate.wire import UnreadableError, decode

ABSENT = msgspec.UNSET
_NOTHING = msgspec.Raw(b"null")


class Spoken(msgspec.Struct):
    """The members of a message that say where it belongs. `params` is JSON text."""

    id: object = msgspec.UNSET
    method: object = msgspec.UNSET
    params: msgspec.Raw = _NOTHING
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    @property
    def kind(self) -> Literal["request", "notification", "response", "malformed"]:
        """What kind of message this is, if it is one at all."""
        if isinstance(self.method, str):
            if self.id is msgspec.UNSET:
                return "notification"
            return "request" if is_id(self.id) else "malformed"
        return "response" if self.method is msgspec.UNSET and is_id(self.id) else "malformed"

    @property
    def request_id(self) -> RequestId:
        """The id; only where `kind` says that there is one."""
        return cast(RequestId, self.id)


class _Meta(msgspec.Struct):
    progress_token: object = msgspec.field(default=None, name="progressToken")
    subscription: object = msgspec.field(default=None, name="io.modelcontextprotocol/subscriptionId")
    protocol: object = msgspec.field(default=None, name=PROTOCOL_META)


class Params(msgspec.Struct):
    """What a transport may want to know of a message's params."""

    meta: _Meta = msgspec.field(default_factory=_Meta, name="_meta")
    progress_token: object = msgspec.field(default=None, name="progressToken")
    request_id: object = msgspec.field(default=None, name="requestId")


class _ErrorCode(msgspec.Struct):
    code: object = None


_decode = msgspec.json.Decoder(Spoken).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_params = msgspec.json.Decoder(Params).decode
_decode_code = msgspec.json.Decoder(_ErrorCode).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


def is_id(value: object) -> TypeGuard[RequestId]:
    """Whether a value can be the id of a request (MCP, "Messages")."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def read(line: bytes) -> Spoken | None:
    """One message, or None where the text is no JSON object. Ids that are equal as numbers are one: 1, 1.0, 1e0."""
    try:
        message = _decode(line)
    except _UNREADABLE:
        return None
    if isinstance(message.id, float) and message.id.is_integer():
        message.id = int(message.id)
    return message


def read_all(line: bytes) -> list[Spoken] | None:
    """The messages of a text: the one that it is, or all of a batch. None where it is neither."""
    elements = split(line)
    if elements is None:
        spoken = read(line)
        return None if spoken is None else [spoken]
    messages = [read(element) for element in elements]
    return None if None in messages else cast(list[Spoken], messages)


def split(line: bytes) -> list[bytes] | None:
    """The elements of a batch as texts of their own, or None where the text is no array."""
    if not _is_array(line):
        return None
    try:
        return [bytes(element) for element in _decode_elements(line)]
    except _UNREADABLE:
        return []


def _is_array(line: bytes) -> bool:
    return (line[:64].lstrip() or line.lstrip())[:1] == b"["  # of a long line, only the start is looked at


def is_longer_than(line: bytes, most: int) -> bool:
    """Whether a text is a batch of more messages than that. Reads no further: as many as fit into one body would hold
    up everybody for a minute.
    """
    if not _is_array(line):
        return False
    try:
        _counting(most).decode(line)
    except msgspec.ValidationError:  # of what can be anything, only the number can be wrong
        return True
    except _UNREADABLE:
        pass
    return False


@cache
def _counting(most: int) -> msgspec.json.Decoder[msgspec.Struct]:
    """What reads an array of at most so many elements: as a struct, as only of that the rest is not read at all."""
    places = [(f"m{number}", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for number in range(most)]
    return msgspec.json.Decoder(msgspec.defstruct("Batch", places, array_like=True, forbid_unknown_fields=True))


def read_params(params: msgspec.Raw) -> Params:
    """What a transport needs of the params; nothing of it where they are not as they should be."""
    try:
        return _decode_params(params)
    except _UNREADABLE:
        return Params()


def error_code(spoken: Spoken) -> int | None:
    """The code of an error response; None for any other message."""
    if not isinstance(spoken.error, msgspec.Raw):
        return None
    try:
        code = _decode_code(spoken.error).code
    except _UNREADABLE:
        return None
    return code if isinstance(code, int) else None


def fault_of(body: bytes, otherwise: str) -> tuple[int, str]:
    """What is wrong with a body that is not what it should be, as a JSON-RPC code and a text: it is no JSON, or
    `otherwise`.
    """
    try:
        decode(body)
    except UnreadableError as error:
        return PARSE_ERROR, f"the body is not JSON: {error}"
    return INVALID_REQUEST, otherwise


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def members(params: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The members of what should be an object; none where it is not."""
    try:
        return _decode_members(params)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return {}


def asks(body: bytes) -> bool:
    """Whether a body asks for something: not what a client answers that was asked, or tells."""
    return any(message.kind == "request" for message in read_all(body) or [])

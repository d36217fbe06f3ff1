"""What comes out of a server's gate for the client, read as far as the hub needs it, and written anew.

Written anew, because in a gate's line a second member of the same name could make a client see the answer to another
server's request: what leaves the hub has each member once.
"""

from collections.abc import Mapping
from typing import TypeAlias, cast

import msgspec

from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.wire import encode_slices
from mcp_guard.policy.values import Json

OWN = "mcp-guard/"  # ids that begin so are the guard's; a client may not use them

Body: TypeAlias = "msgspec.Raw | msgspec.UnsetType"


class Head(msgspec.Struct):
    """A JSON-RPC message whose parts are not read yet."""

    id: object = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: Body = msgspec.UNSET
    result: Body = msgspec.UNSET
    error: Body = msgspec.UNSET


class ListHead(Head):
    """The answer to a list request, as its gate has read it: see `outputs.Listed`."""

    members: Mapping[str, object] = {}
    text: bytes = b""


_decode_head = msgspec.json.Decoder(Head).decode
_decode_lines = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode

BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


def read(line: bytes) -> Head | None:
    """The message in a line, or None where it is none."""
    try:
        return _decode_head(line)
    except BROKEN:
        return None


def in_utf8(text: bytes) -> bytes:
    """The text with U+FFFD for whatever in it is not UTF-8, as lenient readers have it. For a strict one, the bytes of
    one server would be the end of the connection to all.
    """
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


def split(line: bytes) -> list[bytes]:
    """The messages of a line: itself, or the elements of a batch (2025-03-26)."""
    if line[:1] != b"[":
        return [line]
    try:
        return [bytes(element) for element in _decode_lines(line)]
    except BROKEN:
        return []


def members(body: Body) -> dict[str, msgspec.Raw]:
    """The members of an object, each unread; none where it is no object."""
    try:
        return {} if body is msgspec.UNSET else _decode_members(body)
    except BROKEN:
        return {}


class ListPage(msgspec.Struct, frozen=True):
    """One page of a list: its JSON text (None where there is no such list), and what stands beside it."""

    text: bytes | None
    ttl: Json
    cursor: Json


def page(head: Head, member: str) -> ListPage:
    """The page that an answer holds, whose list is in `member`."""
    if isinstance(head, ListHead):
        return ListPage(head.text, _plain(head.members.get("ttlMs")), _plain(head.members.get("nextCursor")))
    found = members(head.result)
    ttl, cursor = value(found.get("ttlMs", msgspec.UNSET)), value(found.get("nextCursor", msgspec.UNSET))
    return ListPage(bytes(found[member]) if member in found else None, ttl, cursor)


def _plain(member: object) -> Json:
    """What may be unread, as a value."""
    return value(member) if isinstance(member, msgspec.Raw) else cast(Json, member)


def value(body: Body) -> Json:
    """The value that a part stands for; None where there is none."""
    try:
        return None if body is msgspec.UNSET else _decode(body)
    except BROKEN:
        return None


def fields(body: Body) -> dict[str, Json]:
    """The value of an object; empty where it is none."""
    found = value(body)
    return found if isinstance(found, dict) else {}


def response(request_id: RequestId, head: Head) -> bytes:
    """The answer in `head`, as the answer to `request_id`."""
    part = "result" if head.error is msgspec.UNSET else "error"
    body = head.result if head.error is msgspec.UNSET else head.error
    return encode_slices({"jsonrpc": "2.0", "id": request_id, part: body})


def result(request_id: RequestId, body: object) -> bytes:
    """A successful answer."""
    return encode_slices({"jsonrpc": "2.0", "id": request_id, "result": body})


def listing(request_id: RequestId, member: str, texts: list[bytes], rest: Mapping[str, Json]) -> bytes:
    """A successful answer whose result has a list in `member`, and after it `rest`. `texts`, the list's elements, are
    sealed already (`wire.seal`), and copied once: they may be megabytes.
    """
    head = b'{"jsonrpc":"2.0","id":%b,"result":{"%b":[' % (encode_slices(request_id), member.encode())
    tail = b"],%b}" % encode_slices(rest)[1:] if rest else b"]}}"
    if not texts:
        return head + tail
    pieces = list(texts)
    pieces[0] = head + pieces[0]
    pieces[-1] += tail
    return b",".join(pieces)


def request(request_id: RequestId, method: str, params: object) -> bytes:
    """A request; `params` None or UNSET: without any."""
    message: dict[str, object] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return encode_slices(message if params is None or params is msgspec.UNSET else {**message, "params": params})


def notification(method: str, params: object = None) -> bytes:
    """A notification; `params` None or UNSET: without any."""
    message: dict[str, object] = {"jsonrpc": "2.0", "method": method}
    return encode_slices(message if params is None or params is msgspec.UNSET else {**message, "params": params})

"""Ids of the stateless revision, made unique on the way in and put back on the way out.

Clients of one connection may use the same ids and progress tokens at once: each has a response stream of its own, and
behind the guard there is one. Only the members that have to change are decoded; everything else keeps its text.
"""

import msgspec

from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.wire import encode

SUBSCRIPTION_META = "io.modelcontextprotocol/subscriptionId"

_Members = dict[str, msgspec.Raw]
_decode = msgspec.json.Decoder(_Members).decode
_encode = msgspec.json.Encoder().encode


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(encode(value))


def request_under(line: bytes, own: int, *, progress: bool) -> bytes:
    """A request under an id of the guard's own, and its progress token, if it has one, likewise."""
    members = _decode(line)
    members["id"] = _raw(own)
    if progress:
        params = _decode(members["params"])
        meta = _decode(params["_meta"])
        meta["progressToken"] = _raw(own)
        params["_meta"] = msgspec.Raw(_encode(meta))
        members["params"] = msgspec.Raw(_encode(params))
    return _encode(members)


def response_to(line: bytes, request_id: RequestId) -> bytes:
    """A response under the client's own id."""
    members = _decode(line)
    members["id"] = _raw(request_id)
    return _encode(members)


def listen_response_to(line: bytes, request_id: RequestId) -> bytes:
    """The response that ends a subscription, which carries its id in the result's `_meta` as well."""
    members = _decode(line)
    members["id"] = _raw(request_id)
    if "result" in members:
        members["result"] = _tagged(members["result"], request_id)
    return _encode(members)


def progress_for(line: bytes, token: object) -> bytes:
    """A progress notification with the client's own token."""
    members = _decode(line)
    params = _decode(members["params"])
    params["progressToken"] = _raw(token)
    members["params"] = msgspec.Raw(_encode(params))
    return _encode(members)


def notice_for(line: bytes, request_id: RequestId) -> bytes:
    """A notification on a subscription, with the client's own id of it."""
    members = _decode(line)
    members["params"] = _tagged(members["params"], request_id)
    return _encode(members)


def _tagged(holder: msgspec.Raw, request_id: RequestId) -> msgspec.Raw:
    """Params or a result, with the subscription's id in its `_meta` replaced where there is one."""
    members = _decode(holder)
    if "_meta" not in members:
        return holder
    meta = _decode(members["_meta"])
    if SUBSCRIPTION_META in meta:
        meta[SUBSCRIPTION_META] = _raw(request_id)
    members["_meta"] = msgspec.Raw(_encode(meta))
    return msgspec.Raw(_encode(members))

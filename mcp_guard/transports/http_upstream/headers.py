"""What of a JSON-RPC message is said again in HTTP headers, and how a value may stand in one. No I/O.

2026-07-28, "Request Metadata": `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name`, and an `Mcp-Param-…` for each argument
that the tool's schema marks with `x-mcp-header`. They are made from the very line that is sent, so they agree with it.
"""

import re
from base64 import b64encode
from collections.abc import Mapping

import msgspec

from mcp_guard.gate.connection import PROTOCOL_META
from mcp_guard.gate.messages import RequestId
from mcp_guard.policy.values import Json

NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

_PLAIN = re.compile(r"([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?")
_SAFE_INTEGER = 2**53 - 1
_MARK, _END_MARK = "=?base64?", "?="

Path = tuple[str, ...]  # the names of properties from the root of the arguments
Parameters = Mapping[str, Path]  # header name (whole) → where its value is in the arguments


class _Params(msgspec.Struct):
    name: object = None
    uri: object = None
    arguments: msgspec.Raw = msgspec.Raw(b"null")
    requestId: object = None  # noqa: N815  (MCP's own name)
    meta: dict[str, msgspec.Raw] = msgspec.field(name="_meta", default_factory=dict[str, msgspec.Raw])


class Message(msgspec.Struct):
    """As much of a line that goes to the server as the transport has to know."""

    id: RequestId | None = None
    method: str = ""
    params: _Params = msgspec.field(default_factory=_Params)

    @property
    def protocol(self) -> str | None:
        """The revision that a modern request names; None for a message of the legacy era."""
        raw = self.params.meta.get(PROTOCOL_META)
        value = msgspec.json.decode(raw) if raw is not None else None
        return value if isinstance(value, str) else None

    @property
    def cancels(self) -> RequestId | None:
        """The request that this message withdraws."""
        request_id = self.params.requestId if self.method == "notifications/cancelled" else None
        return request_id if isinstance(request_id, int | str) else None


_decode = msgspec.json.Decoder(Message).decode


def read(line: bytes) -> Message:
    """What a line says, as far as it matters here. What is not as MCP has it is as if it were not there."""
    try:
        return _decode(line)
    except msgspec.ValidationError:  # params of other types than these methods have: nothing to say in headers
        message = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        odd = {name: msgspec.json.decode(message[name]) for name in ("id", "method") if name in message}
        request_id, method = odd.get("id"), odd.get("method")
        return Message(
            request_id if isinstance(request_id, int | str) else None, method if isinstance(method, str) else ""
        )


def modern_headers(message: Message, protocol: str, parameters: Parameters) -> dict[str, str]:
    """The headers of a request of the modern era. `parameters` are those of the tool that it calls."""
    headers = {"MCP-Protocol-Version": header_value(protocol), "Mcp-Method": header_value(message.method)}
    named_by = NAMED_BY.get(message.method)
    name = getattr(message.params, named_by) if named_by else None
    if isinstance(name, str):
        headers["Mcp-Name"] = header_value(name)
    if parameters:
        arguments: Json = msgspec.json.decode(message.params.arguments)
        for header, path in parameters.items():
            text = _text(_at(arguments, path))
            if text is not None:
                headers[header] = header_value(text)
    return headers


def header_value(text: str) -> str:
    """`text` as it may stand in a header: itself where it is plain ASCII, else in Base64 between marks."""
    marked = text.startswith(_MARK) and text.endswith(_END_MARK)
    if _PLAIN.fullmatch(text) and not marked:
        return text
    return f"{_MARK}{b64encode(text.encode()).decode()}{_END_MARK}"


def _at(arguments: Json, path: Path) -> Json:
    value = arguments
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Json) -> str | None:
    """A primitive value as text; None for what is not mirrored: null, numbers with a fraction, composites."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) <= _SAFE_INTEGER:
        return str(int(value))
    if isinstance(value, int):
        return str(value) if abs(value) <= _SAFE_INTEGER else None
    return value if isinstance(value, str) else None

"""Header fields that repeat what a message says (2026-07-28, "Request Metadata"): both must say the same.

Whatever stands between client and guard may have chosen a way by the fields, while the guard judges the body. What is
checked is what a body has: the guard itself never acts on these fields.
"""

import base64
import binascii
import re
from typing import Any, cast

import msgspec

from mcp_guard.gate.bridge.eras import HEADER_MISMATCH, MODERN_VERSION, UNSUPPORTED_VERSION
from mcp_guard.gate.connection import CAPABILITIES_META, PROTOCOL_META
from mcp_guard.gate.messages import INVALID_PARAMS
from mcp_guard.transports.http_server.requests import Headers

VERSION_FIELD, METHOD_FIELD, NAME_FIELD = "mcp-protocol-version", "mcp-method", "mcp-name"
PARAM_PREFIX = "mcp-param-"
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}  # method: the param that is its name


class Mismatch(msgspec.Struct, frozen=True):
    """Why a request is refused: a JSON-RPC error, with HTTP status 400."""

    code: int
    message: str
    data: dict[str, object] | None = None


def check_envelope(headers: Headers, method: str, params: dict[str, Any]) -> Mismatch | None:
    """What is wrong with a modern request's `_meta`, or with the standard fields that repeat it; None if nothing is."""
    meta = params.get("_meta")
    if not isinstance(meta, dict):
        unsupported = check_version(headers.get(VERSION_FIELD))  # of a message of no era, the version is what is wrong
        return unsupported or Mismatch(
            INVALID_PARAMS, "params._meta must be an object with the protocol version and capabilities"
        )
    for key in (PROTOCOL_META, CAPABILITIES_META):
        if key not in meta:
            return Mismatch(INVALID_PARAMS, f"params._meta needs {key}")
    version = cast(object, meta[PROTOCOL_META])
    repeated = headers.repeated & {VERSION_FIELD, METHOD_FIELD, NAME_FIELD}
    if repeated:
        return Mismatch(HEADER_MISMATCH, f"the header field {min(repeated)} must come once")
    if headers.get(VERSION_FIELD) != version:
        return Mismatch(HEADER_MISMATCH, "MCP-Protocol-Version does not match the protocol version in _meta")
    if headers.get(METHOD_FIELD) != method:
        return Mismatch(HEADER_MISMATCH, "Mcp-Method does not match the method")
    name = params.get(_NAMED[method]) if method in _NAMED else None
    if name is not None and decode_value(headers.get(NAME_FIELD)) != name:
        return Mismatch(HEADER_MISMATCH, f"Mcp-Name does not match params.{_NAMED[method]}")
    return check_version(version)


def check_version(version: object) -> Mismatch | None:
    """A version that this server does not speak (2026-07-28, "Protocol Version Negotiation")."""
    if version == MODERN_VERSION:
        return None
    shown = version if isinstance(version, str) else ""
    data: dict[str, object] = {"supported": [MODERN_VERSION], "requested": shown}
    return Mismatch(UNSUPPORTED_VERSION, "Unsupported protocol version", data)


_SENTINEL = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)


def decode_value(value: str | None) -> str | None:
    """A field's value as it was before it was encoded (2026-07-28, "Value Encoding"); None where it is not valid.

    ISO 8859-1 is how fields were read: a value with a character beyond ASCII is not valid either.
    """
    if value is None or not value.isascii():
        return None
    encoded = _SENTINEL.fullmatch(value)
    if encoded is None:
        return value if all(" " <= character <= "~" or character == "\t" for character in value) else None
    try:
        text = base64.b64decode(encoded[1], validate=True)
        return text.decode() if base64.b64encode(text).decode() == encoded[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PRIMITIVE = frozenset({"string", "integer", "boolean"})
_DEEPEST = 64


class Mirrored(msgspec.Struct, frozen=True):
    """One parameter of a tool that is repeated in a field: the way to it, the field's name, the parameter's type."""

    path: tuple[str, ...]
    field: str
    type: str


def mirrored_params(schema: object) -> tuple[Mirrored, ...]:
    """The parameters that an inputSchema marks with `x-mcp-header`, as far as they are marked as they should be."""
    found: list[Mirrored] = []
    waiting: list[tuple[tuple[str, ...], object]] = [((), schema)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict) or len(path) > _DEEPEST:
            continue
        members = cast(dict[str, object], node)
        name, kind = members.get("x-mcp-header"), members.get("type")
        if path and isinstance(name, str) and _TOKEN.fullmatch(name) and isinstance(kind, str) and kind in _PRIMITIVE:
            found.append(Mirrored(path, PARAM_PREFIX + name.lower(), kind))
        properties = members.get("properties")
        if isinstance(properties, dict):
            waiting += [((*path, key), value) for key, value in cast(dict[str, object], properties).items()]
    return tuple(found)


def check_params(headers: Headers, mirrored: tuple[Mirrored, ...], arguments: object) -> Mismatch | None:
    """The first parameter of a call that its field does not repeat as it should, as an error."""
    for parameter in mirrored:
        value = _at(arguments, parameter.path)
        field = headers.get(parameter.field)
        if value is None and field is None:
            continue
        if parameter.field in headers.repeated:
            return Mismatch(HEADER_MISMATCH, f"the header field {parameter.field} must come once")
        if field is None or value is None or not _same(decode_value(field), value, parameter.type):
            return Mismatch(
                HEADER_MISMATCH, f"{parameter.field} does not match the argument {'.'.join(parameter.path)}"
            )
    return None


def _at(arguments: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(arguments, dict):
            return None
        arguments = cast(dict[str, object], arguments).get(key)
    return arguments


_DECIMAL = re.compile(r"(-?[0-9]{1,400})(\.0+)?")


def _same(text: str | None, value: object, kind: str) -> bool:
    """Whether a field's text is a value: integers by their number, everything else by its text."""
    if text is None:
        return False
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, str):
        return text == value
    if not isinstance(value, int | float) or (isinstance(value, float) and not value.is_integer()):
        return False
    number = _DECIMAL.fullmatch(text)
    return number is not None and int(number[1]) == int(value)

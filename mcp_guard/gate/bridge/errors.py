"""Error codes of one era in the other's (2026-07-28, "Error Codes"; 2025-11-25, "Resources: Error Handling").

A code that means nothing certain to the other side, or that its era forbids, becomes an internal error with the same
text and data. All other errors pass as they are.
"""

import msgspec

from mcp_guard.gate.bridge.eras import MODERN_ERRORS, UNSUPPORTED_VERSION
from mcp_guard.gate.bridge.members import plain, raw, read
from mcp_guard.gate.messages import INTERNAL_ERROR, INVALID_PARAMS
from mcp_guard.gate.wire import encode_slices
from mcp_guard.policy.values import Json

RESOURCE_NOT_FOUND = -32002  # legacy; the modern era has -32602 for it
URL_ELICITATION_REQUIRED = -32042  # 2025-11-25 alone

_RESERVED = range(-32099, -32019)  # the modern specification's own codes: nobody else may use them


def modern(method: str, error: msgspec.Raw) -> msgspec.Raw:
    """A legacy upstream's error as a modern client may get it."""
    code = _code(error)
    if code == RESOURCE_NOT_FOUND:
        return _with_code(error, INVALID_PARAMS)
    return _with_code(error, INTERNAL_ERROR) if code in _RESERVED or code == URL_ELICITATION_REQUIRED else error


def elicitations(error: msgspec.Raw | None) -> Json:
    """Where a person has to go first, in a legacy upstream's error that says so (2025-11-25, "Elicitation")."""
    members = read(error)
    if members is None or plain(members.get("code")) != URL_ELICITATION_REQUIRED:
        return None
    data = plain(members.get("data"))
    return data.get("elicitations") if isinstance(data, dict) else None


def legacy(method: str, error: msgspec.Raw) -> msgspec.Raw:
    """A modern upstream's error as a legacy client knows it.

    A resource is not found where the error of a `resources/read` names its URI, as the specification's example does.
    """
    code = _code(error)
    if code == INVALID_PARAMS and method in ("resources/read", "resources/subscribe") and _names_uri(error):
        return _with_code(error, RESOURCE_NOT_FOUND)
    if code == UNSUPPORTED_VERSION:
        return _with_code(error, INVALID_PARAMS)
    return _with_code(error, INTERNAL_ERROR) if code in MODERN_ERRORS else error


def _code(error: msgspec.Raw) -> int | None:
    members = read(error)
    code = None if members is None else plain(members.get("code"))
    return code if isinstance(code, int) else None


def _with_code(error: msgspec.Raw, code: int) -> msgspec.Raw:
    return msgspec.Raw(encode_slices({**(read(error) or {}), "code": raw(code)}))


def _names_uri(error: msgspec.Raw) -> bool:
    members = read(error)
    data = None if members is None else plain(members.get("data"))
    return isinstance(data, dict) and isinstance(data.get("uri"), str)

"""Which era a message tells of (2026-07-28, "Versioning and Compatibility" and "stdio: Backward Compatibility").

A client tells by how it opens: `initialize` is legacy; a request with the modern envelope, or the probe, is modern. An
upstream tells by how it answers `server/discover`: with a DiscoverResult or one of the modern era's own errors it is
modern; any other error, or silence, is legacy. The rule must not look at one certain error code, and does not.
"""

from typing import Literal

import msgspec

from mcp_guard.gate.bridge.members import Members, plain, read
from mcp_guard.gate.connection import PROTOCOL_META
from mcp_guard.policy.values import Json

Era = Literal["legacy", "modern"]

MODERN_VERSION = "2026-07-28"
LEGACY_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
NEWEST_LEGACY = LEGACY_VERSIONS[-1]

HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION = -32020, -32021, -32022
MODERN_ERRORS = frozenset((HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION))


class _Params(msgspec.Struct, frozen=True):
    _meta: dict[str, msgspec.Raw] = {}


class _Opening(msgspec.Struct):
    """What of a client's message tells the era; `meta` only where it is an object."""

    jsonrpc: Literal["2.0"]
    method: str
    id: int | str
    params: _Params = _Params()


_decode_opening = msgspec.json.Decoder(_Opening).decode


class Opening(msgspec.Struct, frozen=True):
    """A client's message that tells its era."""

    era: Era
    id: int | str
    method: str
    meta: dict[str, msgspec.Raw]


def opening(line: bytes) -> Opening | None:
    """What a client's message tells of its era; None where it tells nothing (or is for the gate to refuse)."""
    try:
        message = _decode_opening(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    meta = message.params._meta  # pyright: ignore[reportPrivateUsage]  (MCP's own name)
    if message.method == "initialize":
        return Opening("legacy", message.id, message.method, meta)
    if message.method == "server/discover" or PROTOCOL_META in meta:
        return Opening("modern", message.id, message.method, meta)
    return None


def told(answer: Members) -> Era:
    """The era of an upstream that gave this answer to `server/discover`."""
    result = read(answer.get("result"))
    if result is not None:
        return "modern" if _names_modern(plain(result.get("supportedVersions"))) else "legacy"
    error = plain(answer.get("error"))
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(code, int) or code not in MODERN_ERRORS:
        return "legacy"
    data = error.get("data")
    supported = data.get("supported") if isinstance(data, dict) else None
    return "legacy" if isinstance(supported, list) and supported and not _names_modern(supported) else "modern"


def _names_modern(versions: Json) -> bool:
    """Whether a list of revisions has one that is not of the legacy era. Revisions to come are modern."""
    return isinstance(versions, list) and any(isinstance(one, str) and one not in LEGACY_VERSIONS for one in versions)

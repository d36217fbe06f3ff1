"""A list of tools that the transport asks for itself, when a server did not expect the headers of a call. No I/O.

2026-07-28, "Client Behavior": on a HeaderMismatch the tools are listed anew and the call is made again.
"""

from collections.abc import Mapping

import msgspec

OWN_ID = "mcp-guard/headers"


class _Error(msgspec.Struct):
    code: object = None


class _Result(msgspec.Struct):
    nextCursor: str | None = None  # noqa: N815  (MCP's own name)


class _Answer(msgspec.Struct):
    result: _Result | None = None


def code_of(error: bytes) -> object:
    """The code of a JSON-RPC error object; None where it has none."""
    try:
        return msgspec.json.decode(error, type=_Error).code
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None


def list_tools(meta: Mapping[str, msgspec.Raw], cursor: str | None) -> bytes:
    """A `tools/list` in the name of the client that `meta` introduces."""
    params: dict[str, object] = {"_meta": meta, **({"cursor": cursor} if cursor is not None else {})}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": OWN_ID, "method": "tools/list", "params": params})


def next_cursor(answer: bytes) -> str | None:
    """Where the next page of a list begins; None where this was the last, or is none."""
    try:
        result = msgspec.json.decode(answer, type=_Answer).result
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
    return None if result is None else result.nextCursor

"""One page of a list that the upstream answers with: tools, prompts, resources or templates (MCP, "Pagination").

The elements are not decoded here; what is not taken out of them passes as the upstream wrote it.
"""

import msgspec

from mcp_guard.gate import answers
from mcp_guard.gate.wire import encode_slices

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode

UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class UnlistableError(Exception):
    """An answer that is an error or cannot be read as a list. The text says which."""


class Page(msgspec.Struct, frozen=True):
    """One page: the whole envelope, its result's members, and the JSON text of the list, which is in `member`."""

    envelope: dict[str, msgspec.Raw]
    result: dict[str, msgspec.Raw]
    member: str
    listed: bytes
    cursor: str | None


def read_page(line: bytes, member: str) -> Page:
    """Read the answer to a list request, whose result has the list in `member`. Raises UnlistableError."""
    try:
        envelope = _decode_members(line)
        if "result" not in envelope:
            raise UnlistableError("the upstream answered with an error")
        result = _decode_members(envelope["result"])
        listed = bytes(result[member])
        cursor = _decode_any(result["nextCursor"]) if "nextCursor" in result else None
    except (*UNREADABLE, KeyError):
        raise _no_list(member) from None
    return Page(envelope, result, member, listed, cursor if isinstance(cursor, str) else None)


def elements(page: Page) -> list[msgspec.Raw]:
    """The elements of a page. Raises UnlistableError."""
    try:
        return _decode_elements(page.listed)
    except UNREADABLE:
        raise _no_list(page.member) from None


def filtered(page: Page, visible: bytes, *, modern: bool) -> bytes:
    """The page's line as the client gets it: the same envelope and members, with `visible` (JSON text) for the list."""
    result: dict[str, object] = {**page.result, page.member: msgspec.Raw(visible)}
    if modern:
        if "ttlMs" in page.result:
            result["ttlMs"] = _decode_any(page.result["ttlMs"])
        answers.keep_private(result)
    return encode_slices({**page.envelope, "result": result})


def _no_list(member: str) -> UnlistableError:
    return UnlistableError(f"the upstream's answer is not a list of {member}")

"""One page of a list that the upstream answers with: tools, prompts, resources or templates (MCP, "Pagination").

The elements are not decoded here; what is not taken out of them passes as the upstream wrote it.
"""

from collections.abc import Callable, Iterable, Mapping
from json import JSONDecoder

import msgspec

from mcp_guard.gate import answers
from mcp_guard.gate.messages import ENVELOPE_MEMBERS, MalformedError, folded, refuse_near_names
from mcp_guard.gate.wire import (
    UNREADABLE,
    decode_any,
    decode_elements,
    decode_members,
    encode_slices,
    encode_unsealed,
    seal,
)


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    """An answer as nearly all are: with nothing beside its result. It is read in one pass, envelope and result."""

    jsonrpc: msgspec.Raw
    id: msgspec.Raw
    result: dict[str, msgspec.Raw]


_decode_plain = msgspec.json.Decoder(_Plain).decode

MOST_ELEMENTS = 100_000  # of one page: each is judged
_OF_A_PAGE = ("_meta", "cacheScope", "nextCursor", "resultType", "ttlMs")  # beside the list itself


class UnlistableError(Exception):
    """An answer that is an error or cannot be read as a list. The text says which."""


class Page(msgspec.Struct, frozen=True):
    """One page: the members of the envelope (its `result` only holds the place), those of the result, and the JSON text
    of the list, which is in `member`.
    """

    envelope: dict[str, msgspec.Raw]
    result: dict[str, msgspec.Raw]
    member: str
    listed: bytes
    cursor: str | None
    sealed: bool  # all but the list is as `wire.seal` leaves it


def read_page(line: bytes, member: str) -> Page:
    """Read the answer to a list request, whose result has the list in `member`. Raises UnlistableError."""
    try:
        envelope, result = _read(line)
        refuse_near_names(envelope, ENVELOPE_MEMBERS, "member")
        refuse_near_names(result, frozenset((member, *_OF_A_PAGE)), "member of the result")
        listed = bytes(result[member])
        cursor = decode_any(result["nextCursor"]) if "nextCursor" in result else None
    except (*UNREADABLE, KeyError):
        raise _no_list(member) from None
    except MalformedError as error:
        raise UnlistableError(f"the upstream's answer is not one list of {member}: {error.reason}") from None
    beside = encode_unsealed([envelope, {**result, member: None}])
    return Page(envelope, result, member, listed, cursor if isinstance(cursor, str) else None, seal(beside) is beside)


_IN_PLACE = msgspec.Raw(b"{}")


def _read(line: bytes) -> tuple[dict[str, msgspec.Raw], dict[str, msgspec.Raw]]:
    """The members of the envelope, in which the result is not, and those of the result."""
    try:
        plain = _decode_plain(line)
    except msgspec.ValidationError:
        envelope = decode_members(line)
        if "result" not in envelope:
            raise UnlistableError("the upstream answered with an error") from None
        return {**envelope, "result": _IN_PLACE}, decode_members(envelope["result"])
    if line.startswith(b'{"result"'):  # the other order that is usual
        return {"result": _IN_PLACE, "jsonrpc": plain.jsonrpc, "id": plain.id}, plain.result
    return {"jsonrpc": plain.jsonrpc, "id": plain.id, "result": _IN_PLACE}, plain.result


def elements(page: Page) -> list[msgspec.Raw]:
    """The elements of a page. Raises UnlistableError."""
    try:
        found = decode_elements(page.listed)
    except UNREADABLE:
        raise _no_list(page.member) from None
    if len(found) > MOST_ELEMENTS:
        raise UnlistableError(f"the upstream's list has more than {MOST_ELEMENTS} {page.member} on one page")
    return found


def reads_otherwise(element: bytes, members: Mapping[str, msgspec.Raw], member: str) -> bool:
    """Whether a reader could find something else than the guard under the `member` that an element is judged by: one
    that takes the first of duplicates, or heeds no case, or nothing behind a NUL. `members` is the element as the guard
    reads it; it is only read once more, name by name, where that does not tell.
    """
    if encode_unsealed(members) == element and _plainly_once(members, member.lower()):  # so nothing is there twice
        return False
    quoted = b'"%b"' % member.lower().encode()
    if b"\\u00" not in element and element.lower().count(quoted) < 2:  # spaces between; no ASCII letter is escaped
        return False
    names: list[str] = []

    def read(pairs: list[tuple[str, object]]) -> None:
        names[:] = [name for name, _ in pairs]  # the last object that is read is the outermost

    try:
        _read_pairs(element, read)
    except (ValueError, RecursionError):
        return True
    return [folded(name) for name in names].count(folded(member)) != 1


def _plainly_once(names: Iterable[str], lowered: str) -> bool:
    """Whether one name alone is that, in whatever case; no where there are names for which it takes more to tell."""
    found = 0
    for name in names:
        if not name.isascii() or "\0" in name:
            return False
        found += name.lower() == lowered
    return found == 1


def _read_pairs(text: bytes, read: Callable[[list[tuple[str, object]]], None]) -> None:
    JSONDecoder(object_pairs_hook=read).decode(text.decode())


def filtered(page: Page, visible: bytes, *, modern: bool) -> bytes:
    """The page's line as the client gets it: the same envelope and members, with `visible` for the list: JSON text that
    is sealed (`wire.seal`).
    """
    return with_result(page, filtered_result(page, visible, modern=modern))


def filtered_result(page: Page, visible: bytes, *, modern: bool) -> dict[str, object]:
    """The members of the page's result as the client gets them."""
    result = {**page.result, page.member: msgspec.Raw(visible)}
    return _private(result) if modern else {**result}


def with_result(page: Page, result: Mapping[str, object]) -> bytes:
    """The page's line with another result, made of its own and a list that is sealed. That may be megabytes: it is not
    looked through once more.
    """
    line = {**page.envelope, "result": result}
    return encode_unsealed(line) if page.sealed else encode_slices(line)


def kept_private(line: bytes) -> bytes:
    """The modern answer to a request that was judged: for this client alone to keep, and not for long. An interim
    result is kept by nobody and passes as it is (2026-07-28, "Caching").
    """
    try:
        envelope = decode_members(line)
        result = decode_members(envelope["result"])
        interim = "resultType" in result and decode_any(result["resultType"]) == "input_required"
    except (*UNREADABLE, KeyError):
        return seal(line)
    return encode_slices({**envelope, "result": result if interim else _private(result)})


def _private(result: dict[str, msgspec.Raw]) -> dict[str, object]:
    hinted: dict[str, object] = {**result}
    if "ttlMs" in result:
        hinted["ttlMs"] = decode_any(result["ttlMs"])
    answers.keep_private(hinted)
    return hinted


def _no_list(member: str) -> UnlistableError:
    return UnlistableError(f"the upstream's answer is not a list of {member}")

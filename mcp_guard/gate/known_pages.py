"""Pages of the upstream's tools that came before: a line that is the same but for the request that it answers.

The guard lists the tools itself and then hands the client the same list, of megabytes perhaps, under another id. The
invariant: a line is only taken for one that came before where every byte of it is the same but those of the value of
its one `id`, and these are one plain string or integer, without what a reader could take for a line end: to read it
would give the page that is kept, under that id. Nothing is kept here of what an agent may see.
"""

from collections import deque

import msgspec

from mcp_guard.gate.messages import MAX_ID_LENGTH, RequestId
from mcp_guard.gate.pages import Page
from mcp_guard.gate.wire import UNREADABLE, decode_any, encode_unsealed, seal

SHORTEST = 4 * 1024  # bytes of a line that is kept: a shorter one is as soon read
MEMO_PAGES, MEMO_BYTES = 64, 8 * 1024 * 1024  # how many pages are kept, and of how many bytes together
MOST_MEMBERS = 32  # of a result that is kept: each takes many times the memory that it takes in its line

_ENVELOPE = {"jsonrpc", "id", "result"}


class KnownPage(msgspec.Struct, frozen=True):
    """A page that came, its line, and how many bytes of that are before the value of its `id` and behind it."""

    line: bytes
    before: int
    behind: int
    page: Page

    def under(self, line: bytes) -> RequestId | None:
        """The id under which `line` is this very page; None where it is not."""
        end = len(line) - self.behind
        if not 0 < end - self.before <= MAX_ID_LENGTH or not line.endswith(memoryview(self.line)[-self.behind :]):
            return None
        return _plain_id(line[self.before : end]) if line.startswith(memoryview(self.line)[: self.before]) else None


class KnownPages:
    """The pages that came last."""

    def __init__(self) -> None:
        self._pages: deque[KnownPage] = deque()
        self._size = 0  # bytes of their lines

    def find(self, line: bytes) -> tuple[RequestId, Page] | None:
        """The page that this line is, and the id under which it comes; None where it has to be read."""
        for known in self._pages:
            request_id = known.under(line)
            if request_id is not None:
                envelope = {**known.page.envelope, "id": msgspec.Raw(encode_unsealed(request_id))}
                return request_id, msgspec.structs.replace(known.page, envelope=envelope)
        return None

    def keep(self, line: bytes, page: Page) -> None:
        """`line` is this page: know it again, where it is plain what in it is its id."""
        if not SHORTEST <= len(line) <= MEMO_BYTES or len(page.result) > MOST_MEMBERS:
            return
        around = _around_id(line, page)
        if around is None:
            return
        self._pages.appendleft(KnownPage(line, *around, page))
        self._size += len(line)
        while len(self._pages) > MEMO_PAGES or self._size > MEMO_BYTES:
            self._size -= len(self._pages.pop().line)


def _around_id(line: bytes, page: Page) -> tuple[int, int] | None:
    """How many bytes are before the value of the line's `id` and behind it; None unless the line is, byte for byte, how
    its members are encoded: so none is there twice.
    """
    envelope = {**page.envelope, "result": page.result}
    if envelope.keys() != _ENVELOPE or bytes(page.envelope["jsonrpc"]) != b'"2.0"' or "isError" in page.result:
        return None
    value = bytes(page.envelope["id"])
    names = list(envelope)
    place = names.index("id")
    before = encode_unsealed({name: envelope[name] for name in names[: place + 1]})[: -len(value) - 1]
    behind = encode_unsealed({name: envelope[name] for name in names[place:]})[len('{"id":') + len(value) :]
    same = len(before) + len(value) + len(behind) == len(line) and line.startswith(before) and line.endswith(behind)
    return (len(before), len(behind)) if same else None


def _plain_id(value: bytes) -> RequestId | None:
    """The id that this JSON text is; None unless it is a string or an integer in the plainest spelling, and sealed as
    the page around it may be.
    """
    try:
        found = decode_any(value)
    except UNREADABLE:
        return None
    plain = type(found) in (int, str) and encode_unsealed(found) == value
    return found if plain and seal(value) is value else None

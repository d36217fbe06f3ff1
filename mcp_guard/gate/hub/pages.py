"""A merged list in pages of the hub's own. A cursor only finds what this client has been offered."""

from bisect import bisect_left
from collections import OrderedDict
from itertools import accumulate

import msgspec

from mcp_guard.gate.hub import messages
from mcp_guard.gate.hub.kinds import KINDS
from mcp_guard.gate.hub.merging import SERVER_INFO, SERVER_META
from mcp_guard.gate.messages import RequestId
from mcp_guard.policy.values import Json

PAGE_ENTRIES = 5_000
PAGE_BYTES = 4 * 1024 * 1024
KEPT = 4  # lists that a client may still be paging through


class _List(msgspec.Struct, frozen=True):
    entries: list[bytes]
    ttl: float


class Pages:
    """The lists of one method that a client may still be reading."""

    def __init__(self, method: str) -> None:
        self._member = KINDS[method].member
        self._lists: OrderedDict[int, _List] = OrderedDict()
        self._count = 0

    def first(self, request_id: RequestId, entries: list[bytes], ttl: float, *, modern: bool) -> bytes:
        """The answer that holds the first page of a list: `entries` are sealed JSON texts, `ttl` is in milliseconds."""
        self._count += 1
        return self._page(request_id, self._count, _List(entries, ttl), 0, modern)

    def at(self, request_id: RequestId, cursor: Json, *, modern: bool) -> bytes | None:
        """The answer that a cursor stands for; None for one that was never given, or is no longer good."""
        if not isinstance(cursor, str) or len(cursor) > 40:
            return None
        number, _, start = cursor.partition("-")
        if not (number.isascii() and number.isdigit() and start.isascii() and start.isdigit()):
            return None
        found = self._lists.get(int(number))
        if found is None or not 0 < int(start) < len(found.entries):
            return None
        return self._page(request_id, int(number), found, int(start), modern)

    def _page(self, request_id: RequestId, number: int, whole: _List, start: int, modern: bool) -> bytes:
        page = _fitting(whole.entries[start : start + PAGE_ENTRIES])
        end = start + len(page)
        rest: dict[str, Json] = {}
        if end < len(whole.entries):
            rest["nextCursor"] = f"{number}-{end}"
            self._keep(number, whole)
        if modern:
            meta: dict[str, Json] = {SERVER_META: SERVER_INFO}
            rest |= {"resultType": "complete", "ttlMs": whole.ttl, "cacheScope": "private", "_meta": meta}
        return messages.listing(request_id, self._member, page, rest)

    def _keep(self, number: int, whole: _List) -> None:
        self._lists[number] = whole
        while len(self._lists) > KEPT:
            self._lists.popitem(last=False)


def _fitting(entries: list[bytes]) -> list[bytes]:
    """As many of them as one page holds: at least one, and no further one once `PAGE_BYTES` are reached."""
    sizes = list(accumulate(map(len, entries)))
    return entries[: bisect_left(sizes, PAGE_BYTES) + 1]

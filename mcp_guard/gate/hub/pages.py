"""A merged list in pages of the hub's own. A cursor only finds what this client has been offered."""

from collections import OrderedDict

import msgspec

from mcp_guard.gate.hub.kinds import KINDS
from mcp_guard.gate.hub.merging import SERVER_INFO, SERVER_META
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

    def first(self, entries: list[bytes], ttl: float, *, modern: bool) -> dict[str, object]:
        """The result that holds the first page of a list (`ttl`: milliseconds)."""
        self._count += 1
        return self._page(self._count, _List(entries, ttl), 0, modern)

    def at(self, cursor: Json, *, modern: bool) -> dict[str, object] | None:
        """The result that a cursor stands for; None for one that was never given, or is no longer good."""
        if not isinstance(cursor, str) or len(cursor) > 40:
            return None
        number, _, start = cursor.partition("-")
        if not (number.isascii() and number.isdigit() and start.isascii() and start.isdigit()):
            return None
        found = self._lists.get(int(number))
        if found is None or not 0 < int(start) < len(found.entries):
            return None
        return self._page(int(number), found, int(start), modern)

    def _page(self, number: int, whole: _List, start: int, modern: bool) -> dict[str, object]:
        end, size = start, 0
        while end < len(whole.entries) and end - start < PAGE_ENTRIES and (size < PAGE_BYTES or end == start):
            size += len(whole.entries[end])
            end += 1
        result: dict[str, object] = {self._member: [msgspec.Raw(text) for text in whole.entries[start:end]]}
        if end < len(whole.entries):
            result["nextCursor"] = f"{number}-{end}"
            self._keep(number, whole)
        if modern:
            meta = {SERVER_META: SERVER_INFO}
            result |= {"resultType": "complete", "ttlMs": whole.ttl, "cacheScope": "private", "_meta": meta}
        return result

    def _keep(self, number: int, whole: _List) -> None:
        self._lists[number] = whole
        while len(self._lists) > KEPT:
            self._lists.popitem(last=False)

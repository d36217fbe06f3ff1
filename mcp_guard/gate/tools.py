"""What the upstream offers and what of it this agent may see: the catalog, the guard's own listing, the filter.

The guard lists the upstream's tools itself as soon as the connection stands and whenever the upstream says that they
changed, so it knows which names exist before a client asks for one. Pages follow `nextCursor` (MCP, "Pagination").
"""

from collections import deque
from collections.abc import Callable

import msgspec

from mcp_guard.gate.catalog import MAX_TOOLS, Catalog, ChangedTool, label
from mcp_guard.gate.known_pages import MEMO_BYTES, MEMO_PAGES, KnownPages
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.pages import Page, UnlistableError, elements, read_page
from mcp_guard.gate.wire import encode_slices
from mcp_guard.policy.values import VisibilityLevel

MAX_PAGES = 1_000  # an upstream that never stops paging is cut off here
FREE_LISTINGS = 20  # as soon as the upstream says that its tools changed; then pauses grow between them
LONGEST_PAUSE = 60_000_000  # microseconds
MOST_TOLD = 1_000  # changed tools of one listing that get a row each
LISTING_TIMEOUT = 30_000_000  # microseconds that an upstream has to answer one page of the guard's own listing


class Learned(msgspec.Struct, frozen=True):
    """What a page told: the names on it, the list of what this agent may see (JSON text), the tools that changed."""

    names: list[str]
    visible: bytes
    changes: list[ChangedTool]


class Tools:
    """The upstream's tools on one connection, and how far the guard's own listing of them has come."""

    def __init__(self, preview: Callable[[str], VisibilityLevel]) -> None:
        self.catalog = Catalog()
        self.up_to_date = False  # a complete listing has been seen, and nothing said since that it is out of date
        self.running: str | None = None  # the id of the guard's own request that waits for its page
        self.deadline = 0
        self._known = KnownPages()
        self._recognised: tuple[bytes, Page] | None = None  # a line that came, and the page that it is once more
        self._preview = preview
        self._visible: dict[str, VisibilityLevel] = {}
        self._recent: deque[tuple[int, bytes, Learned]] = deque()
        self._recent_size = 0  # bytes of their lists
        self._names: set[str] = set()
        self._pages = 0
        self._outdated = False  # the upstream has said so since the last listing began
        self._listings = 0  # that have begun
        self._next = 0  # when the upstream's word alone makes the guard list again
        self._told = 0  # changes that were told since the last listing began

    def visibility(self, name: str) -> VisibilityLevel:
        """What this agent may see of a listed tool, under the policy in force."""
        level = self._visible.get(name)
        if level is None:
            level = self._visible[name] = self._preview(name)
        return level

    def label(self, name: str) -> str:
        """A tool's name as the log shows it."""
        tool = self.catalog.tools.get(name)
        return label(name) if tool is None else tool.label

    def by_visibility(self) -> dict[str, list[str]]:
        """The names of the listed tools under "allowed", "conditional" and "denied"."""
        names: dict[str, list[str]] = {"allowed": [], "conditional": [], "denied": []}
        for tool in self.catalog:
            names[self.visibility(tool.name)].append(tool.label)
        return names

    def forget_visibility(self) -> None:
        """The policy or the principal changed."""
        self._visible.clear()
        self._recent.clear()
        self._recent_size = 0

    def recognise(self, line: bytes) -> RequestId | None:
        """The id of the request that this line answers, where it is a page of tools that came before; else None."""
        found = self._known.find(line)
        self._recognised = None if found is None else (line, found[1])
        return None if found is None else found[0]

    def read(self, line: bytes) -> Page:
        """The page of tools that an answer to `tools/list` is. Raises UnlistableError."""
        recognised, self._recognised = self._recognised, None
        if recognised is not None and recognised[0] is line:
            return recognised[1]
        page = read_page(line, "tools")
        self._known.keep(line, page)
        return page

    def learn(self, page: Page) -> Learned:
        """Take in a page, the client's or the guard's own. One that came before, byte for byte, tells nothing new.

        Raises UnlistableError where its tools are no list.
        """
        text = page.listed
        for version, known, learned in self._recent:
            if version == self.catalog.version and known == text:
                return learned
        learned = self._learn(page)
        self._recent.append((self.catalog.version, text, Learned(learned.names, learned.visible, [])))
        self._recent_size += len(text)
        while len(self._recent) > MEMO_PAGES or self._recent_size > MEMO_BYTES:
            self._recent_size -= len(self._recent.popleft()[1])
        return learned

    def _learn(self, page: Page) -> Learned:
        names: list[str] = []
        visible: list[msgspec.Raw] = []
        changes: list[ChangedTool] = []
        listed = elements(page)
        if len(listed) > MAX_TOOLS:
            raise UnlistableError(f"the upstream's list has more than {MAX_TOOLS} tools on one page")
        for definition in listed:
            name, change = self.catalog.learn(definition)
            if name is None:
                continue
            names.append(name)
            if change is not None:
                changes.append(change)
            if self.visibility(name) != "denied":
                visible.append(definition)
        text = encode_slices(visible)
        return Learned(names, page.listed if text == page.listed else text, changes)  # most are the same: kept once

    # The guard's own listing: begin, one page after another, finish or fail.

    def begin(self, request_id: str, now: int) -> None:
        """A listing starts, or goes on to its next page, with the guard's own request `request_id`."""
        if not self._pages:
            self._outdated, self._told = False, 0
            self._listings += 1
            seconds = 2 ** min(self._listings - FREE_LISTINGS, 6) if self._listings > FREE_LISTINGS else 0
            self._next = now + min(seconds * 1_000_000, LONGEST_PAUSE)
        self.running = request_id
        self.deadline = now + LISTING_TIMEOUT

    def outdated(self, now: int) -> bool:
        """The upstream says that its tools changed. Gives whether to list at once; a running listing is repeated after
        it ended.
        """
        self.up_to_date, self._outdated = False, True
        return self.due(now)

    def due(self, now: int) -> bool:
        """Whether to list, because the upstream has said that its tools changed: not as often as it likes to."""
        paused = 0 < self._next - now <= LONGEST_PAUSE
        return self._outdated and self.running is None and not paused

    def told(self, changes: list[ChangedTool]) -> list[ChangedTool]:
        """Those of the changes that get a row each: what an upstream says of its tools must not fill the log. The row
        of the listing has the hashes of all.
        """
        room = max(0, MOST_TOLD - self._told)
        self._told += len(changes)
        return changes[:room]

    def take_page(self, page: Page) -> tuple[list[ChangedTool], str | None]:
        """Take in a page of the guard's own listing; gives what changed and the cursor of the next page, if any.

        Raises UnlistableError when the upstream does not stop paging.
        """
        self._pages += 1
        if self._pages > MAX_PAGES:
            raise UnlistableError(f"the upstream's list has more than {MAX_PAGES} pages")
        learned = self.learn(page)
        self._names.update(learned.names)
        return learned.changes, page.cursor

    def finish(self) -> None:
        """The last page came. The listing stands, unless the upstream said meanwhile that its tools changed again."""
        self.catalog.keep(self._names)
        for gone in self._visible.keys() - self.catalog.tools.keys():  # else other names each time would fill the guard
            del self._visible[gone]
        self._end(up_to_date=not self._outdated)

    def fail(self) -> None:
        """The listing ended without a result: what was known before stays known, other names stay unknown."""
        self._end(up_to_date=False)

    def _end(self, *, up_to_date: bool) -> None:
        self.up_to_date = up_to_date
        self.running = None
        self._names, self._pages = set(), 0

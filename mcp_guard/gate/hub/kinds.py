"""What servers list: one table of the kinds, and the shelf on which one server's things of one kind stand.

A shelf outlives its server's process: what a server has listed stays its own while it is away, so no other server can
take over its names or URIs in the meantime.
"""

import msgspec

from mcp_guard.gate.hub.messages import BROKEN, in_utf8
from mcp_guard.gate.hub.naming import Naming
from mcp_guard.gate.hub.shapes import fits
from mcp_guard.gate.hub.templates import Template, read_all
from mcp_guard.gate.messages import folded
from mcp_guard.gate.wire import UnreadableError, encode, seal


class Kind(msgspec.Struct, frozen=True):
    """One list method: the member of its result, the key that tells entries apart, and what goes with it."""

    method: str
    member: str
    key: str
    capability: str
    changed: str = ""  # the notification that this list changed
    named: bool = False  # whether the key is a name that gets the server's prefix


KINDS: dict[str, Kind] = {
    kind.method: kind
    for kind in (
        Kind("tools/list", "tools", "name", "tools", "notifications/tools/list_changed", named=True),
        Kind("prompts/list", "prompts", "name", "prompts", "notifications/prompts/list_changed", named=True),
        Kind("resources/list", "resources", "uri", "resources", "notifications/resources/list_changed"),
        Kind(
            "resources/templates/list",
            "resourceTemplates",
            "uriTemplate",
            "resources",
            "notifications/resources/list_changed",
        ),
        Kind("tasks/list", "tasks", "taskId", "tasks"),
    )
}
CHANGES: dict[str, tuple[Kind, ...]] = {
    changed: tuple(kind for kind in KINDS.values() if kind.changed == changed)
    for changed in dict.fromkeys(kind.changed for kind in KINDS.values() if kind.changed)
}
"""Which lists a notification says to have changed."""

MAX_ENTRIES = 20_000  # of one server's list
MEMO_PAGES, MEMO_BYTES = 4, 1024 * 1024  # how many pages of one server's list are remembered, and how large ones

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class Entry(msgspec.Struct, frozen=True):
    """One listed thing: its server's own key for it, and its JSON text as the client gets it, sealed (`wire.seal`)."""

    key: str
    text: bytes


class Read(msgspec.Struct, frozen=True):
    """One page as it was read: its entries, and the keys of things that are not what MCP says that they are."""

    entries: list[Entry]
    misshapen: list[str]


class Shelf:
    """One server's things of one kind, as they were last listed completely."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.ttl: float = 0
        self.shown = False  # whether they may be shown: listed in this life, under the policy in force
        self.outdated = True  # whether listing again could tell something new
        self._ahead = 0  # until when the client's next list may be answered with it: it was listed ahead of that
        self._pages: dict[int, tuple[bytes, Read]] = {}  # the first ones as they came last, and what they held
        self._templates: list[Template] | None = None  # what the keys say, where they are templates and were asked

    @property
    def texts(self) -> list[bytes]:
        """The JSON texts of all that stands here, in order."""
        return [entry.text for entry in self.entries.values()]

    @property
    def templates(self) -> list[Template]:
        """What stands here, where it is resource templates: as what could make a URI."""
        if self._templates is None:
            self._templates = read_all(self.entries)
        return self._templates

    def read(self, number: int, text: bytes, kind: Kind, slug: str, naming: Naming) -> Read | None:
        """As `read_entries`, of the page of this number. One that comes again, byte for byte, holds what it held."""
        known = self._pages.get(number)
        if known is not None and known[0] == text:
            return known[1]
        read = read_entries(text, kind, slug, naming)
        if read is not None and number < MEMO_PAGES and len(text) <= MEMO_BYTES:
            self._pages[number] = text, read
        else:
            self._pages.pop(number, None)
        return read

    def put(self, entries: dict[str, Entry], ttl: float) -> bool:
        """A complete listing came. Gives whether the client would see a difference."""
        differs = not self.shown or entries != self.entries or list(entries) != list(self.entries)
        self.entries, self.ttl, self._templates = entries, ttl, None
        self.shown, self.outdated = True, False
        return differs

    def keep_ahead(self, until: int) -> None:
        """What just came was asked for before the client asked: its next list, if it comes by `until`, is this."""
        self._ahead = until

    def take_ahead(self, now: int) -> bool:
        """The client lists. Gives whether what stands here is what it would get by asking: once only."""
        until, self._ahead = self._ahead, 0
        return now < until and self.shown and not self.outdated


def read_entries(text: bytes, kind: Kind, slug: str, naming: Naming) -> Read | None:
    """The entries of one page, under the names that the client knows; None where it is no list.

    An element without a key, or with one that could be read in two ways, is left out; so is, of several servers, one
    over which a client could refuse the whole list (see `shapes`).
    """
    try:
        elements = _decode_elements(in_utf8(text) if naming.several else text)
    except BROKEN:
        return None
    prefix = naming.prefix(slug) if kind.named else ""
    read = Read([], [])
    for element in elements[:MAX_ENTRIES]:
        entry = _entry(element, kind.key, prefix)
        if entry is not None and naming.several and not fits(kind.member, element):
            read.misshapen.append(entry.key)
        elif entry is not None:
            read.entries.append(entry)
    return read


def _entry(element: msgspec.Raw, key: str, prefix: str) -> Entry | None:
    try:
        found = _decode_members(element)
        name = _decode_text(found[key])
        outward = encode(prefix + name)
    except (*BROKEN, KeyError, UnreadableError):
        return None
    if any(_may_be(member, key) for member in found):
        return None
    if prefix:
        found[key] = msgspec.Raw(outward)
    text = seal(msgspec.json.encode(found))
    return Entry(name, bytes(memoryview(text)))  # it is kept: without the room that an encoder leaves behind a text


def _may_be(member: str, key: str) -> bool:
    """Whether some reader takes another member for the one that an element is known by."""
    like = len(member) == len(key) or "\0" in member
    return like and member != key and folded(member) == folded(key)

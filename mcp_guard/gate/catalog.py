"""The upstream's tools, as it listed them: which names exist, what each declares, and what changed since.

A tool is known by the bytes of its definition. Names that an upstream never listed are not in here, and a call of one
is not forwarded. What an upstream says of itself is hostile: a definition that cannot be read is left out.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256

import msgspec

from mcp_guard.gate.pages import UnlistableError, reads_otherwise
from mcp_guard.gate.wire import UNREADABLE, decode_members, decode_text
from mcp_guard.redaction import safe_text

_LONGEST_NAME = 256
MAX_BYTES = 64 * 1024 * 1024  # of all definitions that are known: an upstream may list page after page
MAX_TOOLS = 10_000  # of one upstream: each takes its time


class Tool(msgspec.Struct, frozen=True, gc=False):
    """One tool as listed: its name (`label`: as the log shows it, bounded and without control characters), its
    definition's JSON text, and the names of the arguments that it declares.
    """

    name: str
    label: str
    definition: bytes
    declared: frozenset[str]

    @property
    def hash(self) -> str:
        """SHA-256 of the definition's JSON text, in hex."""
        return sha256(self.definition).hexdigest()


class ChangedTool(msgspec.Struct, frozen=True):
    """A tool that came back with another definition than before: the rug pull that a reviewer wants to see."""

    before: Tool
    after: Tool

    @property
    def members(self) -> list[str]:
        """The members of the definition that differ, sorted: `["description", "inputSchema"]`."""
        before, after = _members(self.before.definition), _members(self.after.definition)
        return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


class _Schema(msgspec.Struct):
    properties: dict[str, msgspec.Raw] = {}


_decode_schema = msgspec.json.Decoder(_Schema).decode


class Catalog:
    """The tools listed so far on one connection, by name, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {}
        self.version = 0  # counts the changes of what was in here: that another tool comes is none
        self._size = 0  # bytes of all definitions

    def __contains__(self, name: str) -> bool:
        return name in self.tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools.values())

    def learn(self, definition: msgspec.Raw) -> tuple[str | None, ChangedTool | None]:
        """Take in one element of a `tools/list` result.

        Gives the tool's name (None where the element cannot be read, or can be read with another name as well, so that
        nobody may call it) and, where a tool of that name was known with another definition, what changed. Raises
        UnlistableError where that would be more than is kept.
        """
        text = bytes(definition)
        try:
            members = decode_members(text)
            name = decode_text(members["name"])
        except (*UNREADABLE, KeyError):
            return None, None
        known = self.tools.get(name)
        if known is not None and known.definition == text:
            return name, None
        if reads_otherwise(text, members, "name"):
            return None, None
        size = self._size + len(text) - (len(known.definition) if known else 0)
        if size > MAX_BYTES or (known is None and len(self.tools) >= MAX_TOOLS):
            raise UnlistableError(f"the upstream's tools are more than {MAX_TOOLS}, or more than {MAX_BYTES} bytes")
        self._size = size
        self.version += 0 if known is None else 1
        tool = self.tools[name] = Tool(name, label(name), text, _declared(members))
        return name, None if known is None else ChangedTool(known, tool)

    def keep(self, names: set[str]) -> None:
        """Forget every tool that is not in `names`: a complete listing just ended without it."""
        if not self.tools.keys() <= names:
            self.version += 1
        self.tools = {name: tool for name, tool in self.tools.items() if name in names}
        self._size = sum(len(tool.definition) for tool in self.tools.values())


def label(name: str) -> str:
    """A tool's name as the log shows it."""
    return safe_text(name, _LONGEST_NAME)


def _declared(members: Mapping[str, msgspec.Raw]) -> frozenset[str]:
    """The argument names of a tool's input schema; empty where the schema has no plain `properties`."""
    try:
        return frozenset(_decode_schema(members["inputSchema"]).properties)
    except (*UNREADABLE, KeyError):
        return frozenset()


def _members(text: bytes) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in decode_members(text).items()}

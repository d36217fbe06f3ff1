"""What upstreams offer, as a plain value: the tools of each server with what they say of themselves.

A policy speaks of tools by name and of arguments by name; a catalog says which of them there are. Lint, completion,
impact and access ask it. It is filled from the store (`store.catalog`) or from a file (`decode`). Everything in it but
the slugs was said by an upstream, and nothing is granted by it.
"""

from collections.abc import Mapping
from functools import reduce
from typing import cast

import msgspec

from mcp_guard.errors import GuardError
from mcp_guard.policy.values import Json

SHAPE = '{"servers": {SLUG: {"tools": [{"name": …, "inputSchema": …}]}}}'


class ToolDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One tool as its server listed it. `input_schema` is the JSON Schema of its arguments, `{}` where there is none
    that can be read; `hash` is the SHA-256 of the definition's JSON text, in hex.

    `first_seen` and `last_seen` are UTC times as the log writes them, or empty where nobody knows. `listed` is False
    for a tool that the server's last listing left out.
    """

    name: str
    title: str = ""
    description: str = ""
    input_schema: Mapping[str, Json] = {}
    hash: str = ""
    first_seen: str = ""
    last_seen: str = ""
    listed: bool = True


class Catalog(msgspec.Struct, frozen=True):
    """The tools of each server, by the server's slug and the tool's name."""

    servers: Mapping[str, Mapping[str, ToolDefinition]] = {}

    def tools(self, server: str) -> Mapping[str, ToolDefinition]:
        """The tools of one server; none where the catalog does not know it."""
        return self.servers.get(server, {})

    def tool(self, server: str, name: str) -> ToolDefinition | None:
        """One tool of one server."""
        return self.tools(server).get(name)

    def only(self, *servers: str) -> "Catalog":
        """The same for these servers alone."""
        return Catalog({slug: tools for slug, tools in self.servers.items() if slug in servers})


class CatalogError(GuardError):
    """A catalog file that cannot be read as one."""


class _Tool(msgspec.Struct):
    """A tool in a file: MCP's own members, and those that the store adds. Whatever else is there is passed over."""

    name: str
    title: msgspec.Raw = msgspec.Raw(b"null")
    description: msgspec.Raw = msgspec.Raw(b"null")
    inputSchema: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815  (MCP's own name)
    hash: str = ""
    first_seen: str = ""
    last_seen: str = ""
    listed: bool = True


class _Tools(msgspec.Struct):
    tools: list[msgspec.Raw]


class _File(msgspec.Struct):
    servers: dict[str, _Tools]


_decode_file = msgspec.json.Decoder(_File).decode
_decode_list = msgspec.json.Decoder(_Tools).decode
_decode_tool = msgspec.json.Decoder(_Tool).decode
_decode_any = msgspec.json.Decoder().decode
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def decode(text: bytes, *, path: str, server: str) -> Catalog:
    """The catalog in a file: one as `mcp-guard tools list --json` prints it, or a bare `tools/list` result, which is
    taken for that of `server`. Raises CatalogError.
    """
    try:
        listed = {slug: entry.tools for slug, entry in _decode_file(text).servers.items()}
    except _UNREADABLE:
        try:
            listed = {server: _decode_list(text).tools}
        except _UNREADABLE as error:
            raise CatalogError(f"{path}: no catalog of tools: {error}", f"expected: {SHAPE}") from None
    return Catalog({slug: {tool.name: tool for tool in _readable(tools)} for slug, tools in listed.items()})


def definition(text: bytes) -> ToolDefinition | None:
    """One element of a `tools/list` result; None where it is no tool. What else in it is no good is left empty."""
    try:
        tool = _decode_tool(text)
        given = [_decode_any(part) for part in (tool.title, tool.description, tool.inputSchema)]
    except _UNREADABLE:
        return None
    title, description, schema = cast("list[Json]", given)
    return ToolDefinition(
        name=tool.name,
        title=title if isinstance(title, str) else "",
        description=description if isinstance(description, str) else "",
        input_schema=schema if isinstance(schema, dict) else {},
        hash=tool.hash,
        first_seen=tool.first_seen,
        last_seen=tool.last_seen,
        listed=tool.listed,
    )


def merged(*catalogs: Catalog) -> Catalog:
    """Several catalogs as one; of two definitions of one tool the later stands."""
    return reduce(_joined, catalogs, Catalog())


def as_json(catalog: Catalog) -> dict[str, object]:
    """The catalog in the shape that `decode` reads."""
    return {
        "servers": {
            slug: {"tools": [tool_as_json(tool) for tool in tools.values()]} for slug, tools in catalog.servers.items()
        }
    }


def _readable(tools: list[msgspec.Raw]) -> list[ToolDefinition]:
    found = (definition(bytes(text)) for text in tools)
    return [tool for tool in found if tool is not None]


def _joined(first: Catalog, second: Catalog) -> Catalog:
    slugs = (*first.servers, *(slug for slug in second.servers if slug not in first.servers))
    return Catalog({slug: {**first.tools(slug), **second.tools(slug)} for slug in slugs})


def tool_as_json(tool: ToolDefinition) -> dict[str, object]:
    """One tool with MCP's names for its members, and the store's for what it knows of it."""
    members = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "hash": tool.hash,
        "first_seen": tool.first_seen,
        "last_seen": tool.last_seen,
    }
    shown: dict[str, object] = {name: value for name, value in members.items() if value or name == "inputSchema"}
    return shown if tool.listed else {**shown, "listed": False}

"""Which parameters of an upstream's tools have to be repeated in header fields, as far as its lists have said.

The guard learns it from the lists that its clients ask for, and asks for one itself before the first call of a client
that has not (see `stateless`).
"""

import msgspec

from mcp_guard.transports.http_server.mirrored import Mirrored, mirrored_params


class _Tool(msgspec.Struct):
    name: object = None
    inputSchema: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815  (MCP's own name)


class _Page(msgspec.Struct):
    tools: list[_Tool] = []
    nextCursor: object = None  # noqa: N815


class _Answer(msgspec.Struct):
    result: _Page | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Answer).decode
_decode_schema = msgspec.json.Decoder().decode


class ListedTools:
    """What has been learned. `complete`: the last page of a list has been seen, so a tool that is not here has none."""

    def __init__(self) -> None:
        self.complete = False
        self._params: dict[str, tuple[Mirrored, ...]] = {}

    def params(self, tool: object) -> tuple[Mirrored, ...]:
        """The parameters of a tool that are repeated in fields."""
        return self._params.get(tool, ()) if isinstance(tool, str) else ()

    def learn(self, answer: bytes) -> str | None:
        """Take in the answer to a `tools/list`; gives the cursor of the next page, if there is one."""
        try:
            page = _decode(answer).result
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            return None
        if not isinstance(page, _Page):
            return None
        for tool in page.tools:
            self._learn_tool(tool)
        self.complete = self.complete or not page.nextCursor
        return page.nextCursor if isinstance(page.nextCursor, str) else None

    def _learn_tool(self, tool: _Tool) -> None:
        if not isinstance(tool.name, str):
            return
        self._params.pop(tool.name, None)
        schema = bytes(tool.inputSchema)
        found = mirrored_params(_decode_schema(schema)) if b"x-mcp-header" in schema else ()
        if found:
            self._params[tool.name] = found

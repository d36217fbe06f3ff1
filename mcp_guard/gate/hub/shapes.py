"""Whether a thing that a server lists is what MCP says that it is (schema of 2025-11-25: Tool, Prompt, Resource, …).

A strict client refuses a whole list over one entry that is not. From a server by itself that is between the two of
them; of several servers as one, it would cost the client what all the others offer. So only here such an entry is left
out. What merely lacks something that clients can do without, or has null for it, is not.
"""

from typing import Literal

import msgspec

from mcp_guard.gate.wire import UNREADABLE

_Object = dict[str, msgspec.Raw]
_Text = str | None
_Flag = bool | None


class _Icon(msgspec.Struct):
    src: str


class _Schema(msgspec.Struct):
    type: Literal["object"] | None = None
    properties: dict[str, _Object | bool] | None = None
    required: list[str] | None = None


class _Hints(msgspec.Struct, rename="camel"):
    title: _Text = None
    read_only_hint: _Flag = None
    destructive_hint: _Flag = None
    idempotent_hint: _Flag = None
    open_world_hint: _Flag = None


class _Annotations(msgspec.Struct, rename="camel"):
    audience: list[Literal["user", "assistant"]] | None = None
    priority: float | None = None
    last_modified: _Text = None


class _Argument(msgspec.Struct):
    name: str
    title: _Text = None
    description: _Text = None
    required: _Flag = None


class _Described(msgspec.Struct, rename="camel"):
    name: str
    title: _Text = None
    description: _Text = None
    icons: list[_Icon] | None = None
    meta: _Object | None = msgspec.field(name="_meta", default=None)


class _Tool(_Described, kw_only=True, rename="camel"):
    input_schema: _Schema
    output_schema: _Object | None = None
    annotations: _Hints | None = None
    execution: _Object | None = None


class _Prompt(_Described, rename="camel"):
    arguments: list[_Argument] | None = None


class _Resource(_Described, rename="camel"):
    mime_type: _Text = None
    size: float | None = None
    annotations: _Annotations | None = None


_CHECKS = {
    "tools": msgspec.json.Decoder(_Tool).decode,
    "prompts": msgspec.json.Decoder(_Prompt).decode,
    "resources": msgspec.json.Decoder(_Resource).decode,
    "resourceTemplates": msgspec.json.Decoder(_Resource).decode,
}


def fits(member: str, element: bytes | msgspec.Raw) -> bool:
    """Whether an element of the list in `member` is what it should be."""
    check = _CHECKS.get(member)
    if check is None:
        return True
    try:
        check(element)
    except UNREADABLE:
        return False
    return True

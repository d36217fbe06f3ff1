"""Results of one era in the shape of the other (2026-07-28: "Result Responses", "Caching", "_meta").

A modern result says its type, who the server is, and for some methods how long it may be kept; a legacy one does not.
Nothing else of a result is touched, or even decoded, but for what the other era's schema does not have: towards a
legacy client, an output schema that is not of an object, and structured content that is no object; towards a modern
one, what a tool says of tasks.
"""

from collections.abc import Callable

import msgspec

from mcp_guard.gate.bridge.capabilities import SERVER_META
from mcp_guard.gate.bridge.members import Members, joined, plain, raw, read, read_elements

CACHEABLE = frozenset(
    (
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "server/discover",
        "tools/list",
    )
)
INTERACTIVE = frozenset(("prompts/get", "resources/read", "tools/call"))  # may be answered with `input_required`

_COMPLETE, _ZERO, _PRIVATE = raw("complete"), raw(0), raw("private")


def modern(method: str, result: msgspec.Raw, server: msgspec.Raw) -> msgspec.Raw:
    """A legacy upstream's result of `method` as a modern client reads it. `server` is the upstream's serverInfo.

    A cacheable one belongs to this client alone and is stale at once: a legacy upstream says nothing of either.
    """
    members = read(result)
    if members is None:
        return result  # not an object: the client will see that for itself
    members["resultType"] = _COMPLETE
    meta = read(members.get("_meta")) or {}
    meta[SERVER_META] = server
    members["_meta"] = _slice(meta)
    if method in CACHEABLE:
        members["ttlMs"], members["cacheScope"] = _ZERO, _PRIVATE
    if method == "tools/list":
        _each_tool(members, b'"execution"', _without_execution)
    return _slice(members)


def legacy(method: str, members: Members) -> msgspec.Raw:
    """The members of a modern upstream's complete result of `method` as a legacy client reads them."""
    kept = {name: value for name, value in members.items() if name != "resultType"}
    if method in CACHEABLE:
        kept.pop("ttlMs", None)
        kept.pop("cacheScope", None)
    _strip_meta(kept)
    narrow = _NARROWED.get(method)
    if narrow is not None:
        narrow(kept)
    return _slice(kept)


def _strip_meta(members: Members) -> None:
    meta = read(members.get("_meta"))
    if meta is not None and meta.pop(SERVER_META, None) is not None:
        if meta:
            members["_meta"] = _slice(meta)
        else:
            del members["_meta"]


def _narrow_list(members: Members) -> None:
    """Legacy output schemas are of objects; a strict legacy client refuses the whole list over one that is not."""
    _each_tool(members, b'"outputSchema"', _narrow_tool)


def _each_tool(members: Members, sign: bytes, change: Callable[[msgspec.Raw], msgspec.Raw]) -> None:
    """Change the tools of a list, in place, if `sign` occurs among them at all."""
    tools = members.get("tools")
    if tools is None or sign not in bytes(tools):
        return
    elements = read_elements(tools)
    if elements is not None:
        members["tools"] = _slice([change(element) for element in elements])


def _without_execution(element: msgspec.Raw) -> msgspec.Raw:
    tool = read(element)
    return element if tool is None or tool.pop("execution", None) is None else _slice(tool)


def _narrow_tool(element: msgspec.Raw) -> msgspec.Raw:
    tool = read(element)
    if tool is None or "outputSchema" not in tool:
        return element
    schema = read(tool["outputSchema"])
    if schema is not None and plain(schema.get("type")) == "object":
        return element
    del tool["outputSchema"]
    return _slice(tool)


def _narrow_call(members: Members) -> None:
    content = members.get("structuredContent")
    if content is not None and read(content) is None:
        del members["structuredContent"]


def _slice(parts: Members | list[msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(joined(parts))


_NARROWED = {"tools/call": _narrow_call, "tools/list": _narrow_list}

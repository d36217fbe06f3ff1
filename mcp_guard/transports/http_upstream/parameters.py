"""Which arguments of which tool are mirrored into headers: learnt from the server's own `tools/list` answers. No I/O.

2026-07-28, "Custom Headers from Tool Parameters". A tool whose annotations break the rules is taken out of the list, as
the specification demands of a client on HTTP: what cannot be said in headers cannot be called.
"""

import re
from collections.abc import Iterator

import msgspec

from mcp_guard.gate.wire import UnreadableError, decode
from mcp_guard.policy.values import Json
from mcp_guard.transports.http_upstream.headers import Parameters, Path

ANNOTATION = "x-mcp-header"
MAX_TOOLS = 10_000  # tools whose mirrored arguments are remembered

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_PRIMITIVES = ("string", "integer", "boolean")
_encode = msgspec.json.Encoder().encode


class UnsoundError(Exception):
    """A tool's annotations break the rules. The text says which."""


class MirroredParameters:
    """What is known of a server's tools. `rejected` are names of tools that were taken out of the last list read."""

    def __init__(self) -> None:
        self._by_tool: dict[str, Parameters] = {}
        self.rejected: list[tuple[str, str]] = []

    def of(self, tool: object) -> Parameters:
        """The headers of a tool's calls."""
        return self._by_tool.get(tool, {}) if isinstance(tool, str) else {}

    def learn(self, line: bytes) -> bytes:
        """Read the answer to a `tools/list`; gives it back, without the tools that are unsound."""
        self.rejected = []
        if ANNOTATION.encode() not in line and b"\\u" not in line:
            self._forget(line)
            return line
        try:
            message = decode(line)
        except UnreadableError:
            return line  # the gate says so
        tools = _tools(message)
        if tools is None:
            return line
        sound = [tool for tool in tools if self._take(tool)]
        if len(sound) == len(tools):
            return line
        tools[:] = sound
        return _encode(message)

    def _forget(self, line: bytes) -> None:
        """A list without annotations: nothing of its tools is mirrored (any more)."""
        if not self._by_tool:
            return
        try:
            tools = _tools(decode(line)) or []
        except UnreadableError:
            return
        for tool in tools:
            if isinstance(tool, dict) and isinstance(name := tool.get("name"), str):
                self._by_tool.pop(name, None)

    def _take(self, tool: Json) -> bool:
        """Learn one tool; False where it is unsound."""
        if not isinstance(tool, dict) or not isinstance(name := tool.get("name"), str):
            return True
        self._by_tool.pop(name, None)
        try:
            parameters = read_schema(tool.get("inputSchema"))
        except UnsoundError as error:
            self.rejected.append((name, str(error)))
            return False
        except RecursionError:
            self.rejected.append((name, "its input schema is nested too deeply"))
            return False
        if parameters and len(self._by_tool) < MAX_TOOLS:
            self._by_tool[name] = parameters
        return True


def read_schema(schema: Json) -> Parameters:
    """The headers that an input schema asks for. Raises UnsoundError where an annotation breaks the rules."""
    found: dict[str, Path] = {}
    count = 0
    for path, node in _reachable(schema, ()):
        if ANNOTATION not in node:
            continue
        count += 1
        header = _header(node)
        if header.lower() in {name.lower() for name in found}:
            raise UnsoundError(f"two arguments have the same {ANNOTATION}")
        found[header] = path
    if count != _annotations(schema):
        raise UnsoundError(f"an {ANNOTATION} stands where no argument can be reached through properties alone")
    return found


def _header(node: dict[str, Json]) -> str:
    name = node[ANNOTATION]
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise UnsoundError(f"an {ANNOTATION} is not a header name")
    if node.get("type") not in _PRIMITIVES:
        raise UnsoundError(f"an {ANNOTATION} stands at an argument that is not a string, integer or boolean")
    return f"Mcp-Param-{name}"


def _reachable(schema: Json, path: Path) -> Iterator[tuple[Path, dict[str, Json]]]:
    """Each property's schema that a chain of `properties` leads to."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if isinstance(properties, dict):
        for name, node in properties.items():
            if isinstance(node, dict):
                yield (*path, name), node
                yield from _reachable(node, (*path, name))


# Members of a schema whose values are data, not schemas: an annotation's name in them annotates nothing.
_DATA = ("const", "default", "enum", "examples")


def _annotations(schema: Json, *, names: bool = False) -> int:
    """How many annotations there are anywhere in a schema; `names`: its keys are names of properties."""
    if isinstance(schema, list):
        return sum(_annotations(item) for item in schema)
    if not isinstance(schema, dict):
        return 0
    here = 0 if names or ANNOTATION not in schema else 1
    return here + sum(
        _annotations(value, names=not names and name in ("properties", "$defs", "definitions", "patternProperties"))
        for name, value in schema.items()
        if names or name not in (*_DATA, ANNOTATION)
    )


def _tools(message: Json) -> list[Json] | None:
    result = message.get("result") if isinstance(message, dict) else None
    tools = result.get("tools") if isinstance(result, dict) else None
    return tools if isinstance(tools, list) else None

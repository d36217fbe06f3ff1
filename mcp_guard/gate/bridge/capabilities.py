"""What each side says it can do, told to the other in the words of its own era.

Legacy: `initialize` and its result, once. Modern: a request's `_meta`, and the DiscoverResult. What a capability
offers that a bridge does not carry is left out, so that nobody relies on it.
"""

from mcp_guard.gate.bridge.eras import LEGACY_VERSIONS, MODERN_VERSION, NEWEST_LEGACY
from mcp_guard.gate.connection import CAPABILITIES_META, CLIENT_META, PROTOCOL_META
from mcp_guard.policy.values import Json

SERVER_META = "io.modelcontextprotocol/serverInfo"
TASKS = "io.modelcontextprotocol/tasks"

_NOBODY: dict[str, Json] = {"name": "unknown", "version": "0"}


def initialize_params(meta: dict[str, Json]) -> dict[str, Json]:
    """The params of the guard's own `initialize`, for a modern client with this envelope (2025-11-25, "Lifecycle")."""
    return {
        "protocolVersion": NEWEST_LEGACY,
        "capabilities": _bridged(client_capabilities(meta)),
        "clientInfo": _implementation(meta.get(CLIENT_META)),
    }


def discover_result(initialized: dict[str, Json]) -> dict[str, Json]:
    """The DiscoverResult of a legacy upstream, from its InitializeResult (2026-07-28, "Discovery")."""
    result: dict[str, Json] = {
        "resultType": "complete",
        "supportedVersions": [MODERN_VERSION],
        "capabilities": _without_tasks(_object(initialized.get("capabilities"))),
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {SERVER_META: _implementation(initialized.get("serverInfo"))},
    }
    if isinstance(initialized.get("instructions"), str):
        result["instructions"] = initialized["instructions"]
    return result


def offered(result: dict[str, Json]) -> dict[str, Json]:
    """The server's capabilities in an InitializeResult or DiscoverResult."""
    return _object(result.get("capabilities"))


def client_capabilities(meta: dict[str, Json]) -> dict[str, Json]:
    """The client's capabilities in a modern envelope."""
    return _object(meta.get(CAPABILITIES_META))


def server_of(discovered: dict[str, Json]) -> Json:
    """The serverInfo in a DiscoverResult."""
    return _implementation(_object(discovered.get("_meta")).get(SERVER_META))


def envelope(params: dict[str, Json]) -> dict[str, Json]:
    """The modern `_meta` of a legacy client that introduced itself with these `initialize` params."""
    return {
        PROTOCOL_META: MODERN_VERSION,
        CLIENT_META: _implementation(params.get("clientInfo")),
        CAPABILITIES_META: _bridged(_object(params.get("capabilities"))),
    }


def initialize_result(discovered: dict[str, Json], requested: Json) -> dict[str, Json]:
    """The InitializeResult of a modern upstream, from its DiscoverResult, for a client that asked for a revision."""
    result: dict[str, Json] = {
        "protocolVersion": requested if requested in LEGACY_VERSIONS else NEWEST_LEGACY,
        "capabilities": _without_tasks(_object(discovered.get("capabilities"))),
        "serverInfo": server_of(discovered),
    }
    if isinstance(discovered.get("instructions"), str):
        result["instructions"] = discovered["instructions"]
    return result


def _bridged(capabilities: dict[str, Json]) -> dict[str, Json]:
    """A client's capabilities towards a server of the other era: nobody is told that its roots changed."""
    kept = _without_tasks(capabilities)
    if "roots" in kept:
        kept["roots"] = {}
    return kept


def _without_tasks(capabilities: dict[str, Json]) -> dict[str, Json]:
    """Neither era's tasks are the other's, so neither is offered."""
    kept = {name: value for name, value in capabilities.items() if name != "tasks"}
    extensions = kept.get("extensions")
    if isinstance(extensions, dict) and TASKS in extensions:
        others = {name: value for name, value in extensions.items() if name != TASKS}
        kept["extensions"] = others
        if not others:
            del kept["extensions"]
    return kept


def _object(value: Json) -> dict[str, Json]:
    return dict(value) if isinstance(value, dict) else {}


def _implementation(value: Json) -> dict[str, Json]:
    """An Implementation, which needs a name and a version in the legacy era."""
    return {**_NOBODY, **_object(value)}

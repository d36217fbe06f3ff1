"""What an agent gets from the guard itself: errors, denials, and the results that the guard changes.

Shapes follow the revision that the request was made in: a modern result (2026-07-28) carries `resultType`, a legacy one
does not. Texts are written for a model to act on and hold no argument values.
"""

from collections.abc import Mapping

from mcp_guard.gate.messages import INVALID_PARAMS, RequestId
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Decision, Json

DECISION_META = "dev.mcp-guard/decision"
MAX_TTL_MS = 30_000  # how long a client may show a list that a new policy has narrowed (2026-07-28, "Caching")
_LONGEST_NAME = 200


def error(request_id: RequestId | None, code: int, message: str) -> bytes:
    """A JSON-RPC error response (section 5.1); `request_id` None where the request's id could not be read."""
    return encode({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})


def unknown_tool(request_id: RequestId, name: str) -> bytes:
    """The error for a tool that is not there, which is also what a hidden one looks like (MCP, "Tools": errors)."""
    shown = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"
    return error(request_id, INVALID_PARAMS, f"Unknown tool: {shown}")


def denial(request_id: RequestId, text: str, decision_id: str, *, modern: bool) -> bytes:
    """A denied call: a tool result that says so, with the decision's id in the audit log under `_meta`."""
    result: dict[str, object] = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {DECISION_META: decision_id},
    }
    if modern:
        result["resultType"] = "complete"
    return encode({"jsonrpc": "2.0", "id": request_id, "result": result})


def denial_text(tool: str, decision: Decision) -> str:
    """What a model reads: that the call was denied, by which rule, the rule's message, and what would pass."""
    if decision.outcome == "require_approval":
        head = f"This call of {tool} needs a person's approval, and none was given."
    else:
        head = f"This call of {tool} was denied by policy."
    parts = [head, decision.reason, decision.message or ""]
    return " ".join(part.strip() for part in parts if part.strip())


def guard_failure_text(tool: str, reason: str) -> str:
    """What a model reads when the guard itself could not do its work: no call passes in such a state."""
    return f"This call of {tool} was denied because the guard could not do its work: {reason}"


def announce_list_changes(result: dict[str, Json]) -> bool:
    """Add `tools.listChanged` to the capabilities of an InitializeResult or DiscoverResult, in place.

    The guard sends that notification itself when the policy changes, so it has to be declared. Gives whether the
    upstream has tools at all.
    """
    if not has_tools(result):
        return False
    result["capabilities"]["tools"]["listChanged"] = True  # pyright: ignore  (has_tools looked)
    return True


def has_tools(result: dict[str, Json]) -> bool:
    """Whether an InitializeResult or DiscoverResult says that the upstream has tools."""
    capabilities = result.get("capabilities")
    return isinstance(capabilities, dict) and isinstance(capabilities.get("tools"), dict)


def keep_private(result: dict[str, object]) -> None:
    """Mark a filtered modern list, in place: one agent's own, and stale soon (2026-07-28, "Caching")."""
    ttl = result.get("ttlMs")
    fresh = isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl > 0
    result["ttlMs"] = min(ttl, MAX_TTL_MS) if fresh else 0  # pyright: ignore[reportArgumentType]  (fresh: a number)
    result["cacheScope"] = "private"


def tools_changed(subscription: RequestId | None = None) -> bytes:
    """`notifications/tools/list_changed`; tagged with the subscription it belongs to in the modern era."""
    message: dict[str, object] = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    if subscription is not None:
        message["params"] = {"_meta": {"io.modelcontextprotocol/subscriptionId": subscription}}
    return encode(message)


def list_request(request_id: str, cursor: str | None, meta: Mapping[str, Json] | None) -> bytes:
    """The guard's own `tools/list` request, with the client's envelope in the modern era."""
    params: dict[str, object] = {}
    if cursor is not None:
        params["cursor"] = cursor
    if meta is not None:
        params["_meta"] = meta
    message: dict[str, object] = {"jsonrpc": "2.0", "id": request_id, "method": "tools/list"}
    if params:
        message["params"] = params
    return encode(message)

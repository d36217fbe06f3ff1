"""What an agent gets from the guard itself: errors, denials, and the results that the guard changes.

Shapes follow the revision that the request was made in: a modern result (2026-07-28) carries `resultType`, a legacy one
does not. Texts are written for a model to act on and hold no argument values.
"""

from collections.abc import Iterable, Mapping

from mcp_guard.gate.connection import SUBSCRIPTION_META
from mcp_guard.gate.messages import INVALID_PARAMS, RequestId, within
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Decision, Json, OfferKind

DECISION_META = "dev.mcp-guard/decision"
MAX_TTL_MS = 30_000  # how long a client may show a list that a new policy has narrowed (2026-07-28, "Caching")
_LONGEST_NAME = 200

DENIED = -31403  # of the guard's own; the protocol leaves codes outside -32768 … -32000 to applications
LEGACY_NOT_FOUND = -32002  # a resource, until 2025-11-25; -32602 since then
OF_POLICY = ("policy", "default")  # whose denials may be of what the agent is not shown at all
LISTS: Mapping[OfferKind, str] = {"tool": "tools", "prompt": "prompts", "resource": "resources"}
_DOING = {
    "prompts/get": "Getting the prompt",
    "resources/read": "Reading",
    "resources/subscribe": "Subscribing to",
}


def error(request_id: RequestId | None, code: int, message: str, data: Mapping[str, Json] | None = None) -> bytes:
    """A JSON-RPC error response (section 5.1); `request_id` None where the request's id could not be read."""
    members: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        members["data"] = data
    return encode({"jsonrpc": "2.0", "id": request_id, "error": members})


def unknown_tool(request_id: RequestId, name: str) -> bytes:
    """The error for a tool that is not there, which is also what a hidden one looks like (MCP, "Tools": errors)."""
    return error(request_id, INVALID_PARAMS, f"Unknown tool: {_short(name)}")


def not_there(request_id: RequestId, kind: OfferKind, name: str, *, modern: bool) -> bytes:
    """The error for a prompt or resource that is not there, which is also what a hidden one looks like (MCP, "Prompts"
    and "Resources": error handling).
    """
    if kind == "prompt":
        return error(request_id, INVALID_PARAMS, f"Unknown prompt: {_short(name)}")
    code = INVALID_PARAMS if modern else LEGACY_NOT_FOUND
    return error(request_id, code, "Resource not found", {"uri": name})


def denied_offer(request_id: RequestId, method: str, name: str, decision: Decision, decision_id: str) -> bytes:
    """A denied prompt or resource: an error with what a model can act on, and the decision's id in the audit log."""
    doing = f"{_DOING[method]} {_short(name)}"
    if decision.outcome == "require_approval" or decision.decided_by == "approval":
        head = f"{doing} needs a person's approval, and none was given."
    else:
        head = f"{doing} was denied{' by policy' if decision.decided_by in OF_POLICY else ''}."
    return error(request_id, DENIED, _sentences(head, decision), {DECISION_META: decision_id})


def denied_request(request_id: RequestId, why: str) -> bytes:
    """The error for whatever else is asked for by a client of which nothing goes on."""
    return error(request_id, DENIED, f"This request was denied. {why}")


def guard_failure(request_id: RequestId, reason: str, decision_id: str) -> bytes:
    """The error for a prompt or resource where the guard itself could not do its work."""
    text = f"This request was denied because the guard could not do its work: {reason}"
    return error(request_id, DENIED, text, {DECISION_META: decision_id})


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


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
    if decision.outcome == "require_approval" or decision.decided_by == "approval":
        head = f"This call of {tool} was denied: a person's approval is needed, and none was given."
    elif decision.decided_by in OF_POLICY:
        head = f"This call of {tool} was denied by policy."
    else:
        head = f"This call of {tool} was denied."
    return _sentences(head, decision)


def progress(token: RequestId, progress: float, message: str) -> bytes:
    """A notice that a request is still worked on (MCP, "Progress")."""
    params = {"progressToken": token, "progress": progress, "message": message}
    return encode({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


def withdrawn(request_id: RequestId) -> bytes:
    """The guard's own request to the client need not be answered any more (MCP, "Cancellation")."""
    return encode({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}})


def _sentences(head: str, decision: Decision) -> str:
    parts = [head, decision.reason, decision.message or ""]
    return " ".join(part.strip() for part in parts if part.strip())


def guard_failure_text(tool: str, reason: str) -> str:
    """What a model reads when the guard itself could not do its work: no call passes in such a state."""
    return f"This call of {tool} was denied because the guard could not do its work: {reason}"


def announce_list_changes(result: dict[str, Json], kinds: Iterable[OfferKind]) -> None:
    """Add `listChanged` for these kinds to the capabilities of an InitializeResult or DiscoverResult, in place, as far
    as the upstream has such a list. The guard sends that notification itself when the policy changes, so it has to be
    declared.
    """
    for kind in kinds:
        capability = _capability(result, kind)
        if capability is not None:
            capability["listChanged"] = True


def announced(result: dict[str, Json]) -> frozenset[OfferKind]:
    """The kinds of offers of which an InitializeResult or DiscoverResult says that their list may change."""
    kinds: list[OfferKind] = [kind for kind in LISTS if (_capability(result, kind) or {}).get("listChanged") is True]
    return frozenset(kinds)


def has_tools(result: dict[str, Json]) -> bool:
    """Whether an InitializeResult or DiscoverResult says that the upstream has tools."""
    return _capability(result, "tool") is not None


def _capability(result: dict[str, Json], kind: OfferKind) -> dict[str, Json] | None:
    declared = within(result, "capabilities", LISTS[kind])
    return declared if isinstance(declared, dict) else None


def keep_private(result: dict[str, object]) -> None:
    """Mark a filtered modern list, in place: one agent's own, and stale soon (2026-07-28, "Caching")."""
    ttl = result.get("ttlMs")
    fresh = isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl > 0
    result["ttlMs"] = min(ttl, MAX_TTL_MS) if fresh else 0  # pyright: ignore[reportArgumentType]  (fresh: a number)
    result["cacheScope"] = "private"


def list_changed(kind: OfferKind, subscription: RequestId | None = None) -> bytes:
    """`notifications/tools/list_changed`, say; tagged with the subscription it belongs to in the modern era."""
    message: dict[str, object] = {"jsonrpc": "2.0", "method": f"notifications/{LISTS[kind]}/list_changed"}
    if subscription is not None:
        message["params"] = {"_meta": {SUBSCRIPTION_META: subscription}}
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

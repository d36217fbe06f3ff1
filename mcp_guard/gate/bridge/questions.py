"""What a server may ask of a client: elicitation, sampling, roots. The same three in both eras, in different wrapping.

Legacy: requests from the server. Modern: entries of `inputRequests`, answered with the retry (2026-07-28, "Multi
Round-Trip Requests"). A question that the client did not declare support for is not put to it.
"""

from mcp_guard.policy.values import Json

CAPABILITY = {"elicitation/create": "elicitation", "roots/list": "roots", "sampling/createMessage": "sampling"}

_ACTIONS = ("accept", "cancel", "decline")


def supported(method: str, params: Json, capabilities: dict[str, Json]) -> bool:
    """Whether a client with these capabilities can be asked this."""
    capability = capabilities.get(CAPABILITY.get(method, ""))
    if not isinstance(capability, dict):
        return False
    params = params if isinstance(params, dict) else {}
    if method == "elicitation/create":
        mode = params.get("mode", "form")
        return isinstance(mode, str) and (mode in capability or (mode == "form" and not capability))
    if method == "sampling/createMessage":
        return "tools" in capability or not ("tools" in params or "toolChoice" in params)
    return True


def is_answer(method: str, value: Json) -> bool:
    """Whether a value has the outer shape of the result that answers a question."""
    if not isinstance(value, dict):
        return False
    if method == "elicitation/create":
        return value.get("action") in _ACTIONS and isinstance(value.get("content", {}), dict)
    if method == "roots/list":
        return isinstance(value.get("roots"), list)
    return isinstance(value.get("content"), dict | list)

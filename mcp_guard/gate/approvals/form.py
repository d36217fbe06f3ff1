"""What a person is asked through the client (MCP, "Elicitation", form mode), and what the answer says.

A person sees what would run: the tool, its server, who asks, the arguments with secrets left out and all that would not
show made visible. What is too long to be shown whole is not asked about here. An answer that is not plainly a yes is a
no.
"""

from collections.abc import Mapping
from typing import cast

import msgspec

from mcp_guard.gate.approvals.waiting import Waiting
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.requests import ReadCall
from mcp_guard.gate.wire import decode, encode
from mcp_guard.governance import ApprovalScope
from mcp_guard.policy.values import Json
from mcp_guard.redaction import recorded_arguments

METHOD = "elicitation/create"
KEY = "mcp-guard-approval"  # of the question among a result's `inputRequests`, and of the answer to it
LONGEST = 8_000  # characters of arguments that a person can be expected to read in a form

_FIELD = "decision"
_CHOICES: Mapping[str, ApprovalScope] = {"allow once": "once", "allow for this session": "session"}
_DENY = "deny"
_SCHEMA = {
    "type": "object",
    "properties": {
        _FIELD: {
            "type": "string",
            "title": "Decision",
            "description": "For this session: every further call of this tool until the client disconnects.",
            "enum": [*_CHOICES, _DENY],
        }
    },
    "required": [_FIELD],
}


def is_offered(capabilities: Json) -> bool:
    """Whether a client with these capabilities shows forms: none named means forms (2025-11-25, "Elicitation")."""
    offered = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
    return isinstance(offered, dict) and ("form" in offered or not offered)


def arguments_text(call: ReadCall, key: bytes) -> str | None:
    """The arguments as a person is shown them; None where they are too long to be shown whole."""
    kept = recorded_arguments(call.arguments, call.encoded, "redacted", key)
    encoded = kept["arguments"]
    if not isinstance(encoded, msgspec.Raw):
        return None
    text = visible(_readable(encoded))
    hidden = cast("list[dict[str, str]]", kept.get("redacted", []))
    if len(text) > LONGEST or any(one["why"] == "size" for one in hidden):
        return None
    return "\n".join((text, *(f"Not shown, as it looks like a secret: {visible(one['path'])}" for one in hidden)))


def _readable(encoded: msgspec.Raw) -> str:
    """JSON text over several lines, with characters beyond ASCII as themselves."""
    return msgspec.json.format(msgspec.json.encode(decode(bytes(encoded))), indent=2).decode()


def visible(text: str) -> str:
    """A text in which everything shows: what would not, or would turn the reading direction, becomes an escape."""
    return "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in text)


def message(waiting: Waiting, server: str, user: str, label: str, arguments: str) -> str:
    """What a person reads."""
    decision = waiting.decision
    asks = f"The agent {visible(waiting.agent)} of {visible(user)} wants to call {label} on the server {server}."
    because = " ".join(part for part in (decision.reason, decision.message or "") if part)
    return f"mcp-guard: a person's approval is needed.\n{asks}\n{because}\nArguments:\n{arguments}"


def request(question: RequestId, text: str) -> bytes:
    """The question, as a request of the guard's own."""
    return encode({"jsonrpc": "2.0", "id": question, "method": METHOD, "params": _params(text)})


def result(request_id: RequestId, text: str, state: str) -> bytes:
    """The question, as the result that asks for input (2026-07-28, "Multi Round-Trip Requests")."""
    asked = {KEY: {"method": METHOD, "params": {"mode": "form", **_params(text)}}}
    value = {"resultType": "input_required", "inputRequests": asked, "requestState": state}
    return encode({"jsonrpc": "2.0", "id": request_id, "result": value})


def _params(text: str) -> dict[str, object]:
    return {"message": text, "requestedSchema": _SCHEMA}


def scope_of(answer: Json) -> ApprovalScope | None:
    """For how long the person said yes; None for everything else that they, or the client, may have said."""
    if not isinstance(answer, dict) or answer.get("action") != "accept":
        return None
    content = answer.get("content")
    choice = content.get(_FIELD) if isinstance(content, dict) else None
    return _CHOICES.get(choice) if isinstance(choice, str) else None

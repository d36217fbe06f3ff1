"""What ties an approval to exactly one call, and to the connection that waits: keyed hashes that nobody can guess.

The key is the guard's own secret. A call's hash covers all that it does upstream: its server, its method, its tool
(prompt, resource), the arguments as they are encoded to be sent, every other parameter, `_meta` with the rest, but
those that belong to one attempt, and what stands beside the parameters. What is bound is what a person is shown: see
`others`; nobody is asked about a call that has anything `beside` them.
"""

from collections.abc import Mapping

from mcp_guard.gate.connection import CAPABILITIES_META, CLIENT_META, PROTOCOL_META
from mcp_guard.gate.requests import ReadCall, Request
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Json, OfferKind

_OWN: Mapping[OfferKind, tuple[str, ...]] = {  # parameters that are bound, and shown, as what they are
    "tool": ("name", "arguments"),
    "prompt": ("name", "arguments"),
    "resource": ("uri",),
}
_OF_THE_RETRY = ("inputResponses", "requestState")
_OF_A_REQUEST = frozenset({"jsonrpc", "id", "method", "params"})
_PROGRESS = "progressToken"
_LONGEST_TOKEN = 100  # characters; of what is longer, or no token, a person wants to know
_ENVELOPE = (PROTOCOL_META, CLIENT_META, CAPABILITIES_META, "io.modelcontextprotocol/logLevel")  # with each request
_TRACE = "traceparent"  # of a span, so of one attempt (W3C Trace Context)
_OF_A_TRACE = frozenset("0123456789abcdef-")
_LONGEST_TRACE = 55
_STATE = "mcp-guard-approval"  # how the `requestState` of a question begins


def call_hash(key: bytes, server: str, call: ReadCall) -> str:
    """What exactly would run, as a keyed hash."""
    rest = {name: value for name, value in others(call).items() if name not in _OF_THE_RETRY}
    return _mac(key, "call", server, call.request.method, call.tool, call.encoded, encode(rest), encode(beside(call)))


def others(call: ReadCall) -> dict[str, Json]:
    """Every parameter of a call beside its name (URI) and arguments, but for what of `_meta` belongs to one attempt."""
    own = _OWN[call.kind]
    rest = {name: value for name, value in call.request.params.items() if name not in own}
    meta = rest.get("_meta")
    if isinstance(meta, dict):
        kept = {name: value for name, value in meta.items() if not _is_of_one_attempt(call.request, name, value)}
        rest |= {"_meta": kept}
        if not kept:
            del rest["_meta"]
    return rest


def beside(call: ReadCall) -> dict[str, Json]:
    """What a request has that JSON-RPC does not know, beside its parameters."""
    return {name: value for name, value in call.request.message.items() if name not in _OF_A_REQUEST}


def _is_of_one_attempt(request: Request, name: str, value: Json) -> bool:
    """Whether a member of `_meta` may be another in the retry of the same call (MCP, "_meta")."""
    if name == _TRACE:
        return isinstance(value, str) and len(value) <= _LONGEST_TRACE and _OF_A_TRACE.issuperset(value)
    if name == _PROGRESS:
        return isinstance(value, int | str) and len(str(value)) <= _LONGEST_TOKEN
    return request.modern and name in _ENVELOPE


def question_id(key: bytes, approval: str) -> str:
    """The id of the guard's own question to the client: one that no server can foresee, so none can ask under it."""
    return f"mcp-guard/{_mac(key, 'question', approval)[:32]}"


def state(key: bytes, approval: str, bound: str) -> str:
    """The `requestState` that goes with a question about the call of that hash (2026-07-28, "Multi Round-Trip
    Requests").
    """
    return f"{_STATE}.{approval}.{_mac(key, 'state', approval, bound)}"


def approval_of(text: object) -> str | None:
    """The approval that a `requestState` of the guard's own names; None where it is somebody else's. Not proven yet."""
    head, _, rest = text.partition(".") if isinstance(text, str) else ("", "", "")
    return rest.rpartition(".")[0] if head == _STATE else None


def proves(key: bytes, text: str, approval: str, bound: str) -> bool:
    """Whether the guard gave out this `requestState` for this approval of this call."""
    from hmac import compare_digest

    return compare_digest(text.encode(errors="replace"), state(key, approval, bound).encode())


def _mac(key: bytes, purpose: str, *parts: str | bytes) -> str:
    """Of all parts, each with its length before it, so that no two lists of them are the same text."""
    from hmac import digest  # where nobody is ever asked, it is not paid for

    texts = [part.encode(errors="surrogatepass") if isinstance(part, str) else part for part in (purpose, *parts)]
    return digest(key, b"".join(b"%d:" % len(text) + text for text in texts), "sha256").hex()

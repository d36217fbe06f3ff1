"""What ties an approval to exactly one call, and to the connection that waits: keyed hashes that nobody can guess.

The key is the guard's own secret. A call's hash covers all that it does upstream: its server, its method, its tool
(prompt, resource), the arguments as they are encoded to be sent, and every other parameter but those that belong to one
attempt.
"""

from mcp_guard.gate.requests import ReadCall
from mcp_guard.gate.wire import encode

_OF_ONE_ATTEMPT = ("name", "arguments", "_meta", "inputResponses", "requestState")
_STATE = "mcp-guard-approval"  # how the `requestState` of a question begins


def call_hash(key: bytes, server: str, call: ReadCall) -> str:
    """What exactly would run, as a keyed hash."""
    rest = {name: value for name, value in call.request.params.items() if name not in _OF_ONE_ATTEMPT}
    return _mac(key, "call", server, call.request.method, call.tool, call.encoded, encode(rest))


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

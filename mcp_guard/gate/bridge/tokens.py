"""The `requestState` that a modern client gets while a legacy upstream's question is open (2026-07-28, "Multi
Round-Trip Requests": server requirements 4 and 5).

A token names an open question by a number, and proves with a MAC under the connection's own key that it was given out
for this question of this very request: it can neither be guessed, nor be used on another connection, nor for another
method, name or arguments. How long it is good for, and that it is good once, is the business of whoever keeps the
question.
"""

import hmac
from hashlib import sha256

import msgspec

from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.wire import decode, encode

_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_ROUND = ("_meta", "inputResponses", "requestState")  # what a retry may say otherwise than the first attempt


def digest(method: str, params: Members) -> bytes:
    """What a request is known by on its retry: the method and all its params but those that belong to one attempt."""
    kept = {name: value for name, value in params.items() if name not in _ROUND}
    return sha256(method.encode() + b"\0" + _encode_sorted(decode(encode(kept)))).digest()


class Tokens:
    """Makes tokens and knows them again. `key` is random and the connection's own."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, number: int, request: bytes) -> str:
        """The token of question `number` about the request with that digest."""
        return f"{number}.{self._mac(number, request)}"

    def number(self, token: str) -> int | None:
        """The number that a token names; None where it names none. It is not proven yet."""
        digits, _, _ = token.partition(".")
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else None

    def proves(self, token: str, number: int, request: bytes) -> bool:
        """Whether the token was issued for this question of this request."""
        return hmac.compare_digest(token.encode(errors="replace"), self.issue(number, request).encode())

    def _mac(self, number: int, request: bytes) -> str:
        return hmac.new(self._key, b"%d:" % number + request, sha256).hexdigest()

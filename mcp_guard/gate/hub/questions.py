"""What servers have asked the client and it has not answered yet: each under a number that no other server's has.

Both sides count their own requests, and two servers may use the same id, and the same progress token, at once.
"""

import msgspec

from mcp_guard.gate.messages import RequestId
from mcp_guard.policy.values import Json


class Asked(msgspec.Struct, frozen=True):
    """One question: whose it is, the server's own id for it, and the server's own progress token where it has one."""

    slug: str
    id: RequestId
    token: Json = None


class Questions:
    """The open questions of all servers. A question's number is also the progress token that the client has for it."""

    def __init__(self) -> None:
        self._asked: dict[RequestId, Asked] = {}
        self._numbers: dict[tuple[str, type, RequestId], int] = {}

    def has(self, slug: str, request_id: RequestId) -> bool:
        """Whether a question of this server's is open under that id of its own."""
        return (slug, type(request_id), request_id) in self._numbers

    def ask(self, number: int, asked: Asked) -> None:
        """A server asks, under an id of which it has no question open; the client will know it as `number`."""
        self._asked[number] = asked
        self._numbers[_key(asked)] = number

    def get(self, number: Json) -> Asked | None:
        """The open question of this number."""
        return self._asked.get(number) if isinstance(number, int) else None

    def close(self, number: RequestId) -> Asked | None:
        """The question is answered, or taken back."""
        asked = self._asked.pop(number, None)
        if asked is not None:
            del self._numbers[_key(asked)]
        return asked

    def withdraw(self, slug: str, request_id: Json) -> int | None:
        """A server takes back what it asked under its own id; gives the client's number for it."""
        if not isinstance(request_id, int | str):
            return None
        number = self._numbers.get((slug, type(request_id), request_id))
        if number is not None:
            self.close(number)
        return number

    def gone(self, slug: str) -> list[RequestId]:
        """A server is gone: its questions are closed; gives their numbers."""
        numbers = [number for number, asked in self._asked.items() if asked.slug == slug]
        for number in numbers:
            self.close(number)
        return numbers


def _key(asked: Asked) -> tuple[str, type, RequestId]:
    return asked.slug, type(asked.id), asked.id

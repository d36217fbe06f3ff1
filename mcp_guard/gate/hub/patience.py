"""How long the hub waits for whom, in microseconds; and for whom it has waited in vain."""

import msgspec

DEFAULT_WAIT = 5.0  # seconds: what a person accepts before anything is there, and most servers start in


class Patience(msgspec.Struct, frozen=True):
    """`wait`: the client's handshake and its lists, for the servers' (see `waiting`). `call`: a request, for its server
    to get ready. `down`: a request, for a server that ended to be started again.
    """

    wait: int = int(DEFAULT_WAIT * 1_000_000)
    call: int = 30_000_000
    down: int = 5_000_000

    @classmethod
    def of(cls, wait: float) -> "Patience":
        """The usual patience, but for `wait` (seconds)."""
        return cls(wait=int(wait * 1_000_000))


class Tardy:
    """What clients have waited for in vain, of which server, and what has not come anywhere since."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def add(self, slug: str, owed: str) -> None:
        """A client has waited for this in vain."""
        self._known.add((slug, owed))

    def discard(self, slug: str, owed: str) -> None:
        """It has come: the next one may wait for it again."""
        self._known.discard((slug, owed))

    def knows(self, slug: str, owed: str) -> bool:
        """Whether to wait for this is likely to be in vain."""
        return (slug, owed) in self._known

"""How long the hub waits for whom, in microseconds."""

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

"""Ids of the bridge's own requests: none that a client chose can meet one, because nobody can guess them."""


class Names:
    """Counts up, and makes ids under a prefix that is made of `secret` (16 random bytes). One for a connection."""

    def __init__(self, secret: bytes) -> None:
        self._prefix = f"mcp-guard/{secret.hex()}/"
        self._count = 0

    def number(self) -> int:
        """A number that was never used on this connection."""
        self._count += 1
        return self._count

    def next(self) -> str:
        """An id that was never used on this connection."""
        return f"{self._prefix}{self.number()}"

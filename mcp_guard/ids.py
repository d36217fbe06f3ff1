"""Ids that sort by time and that nobody can guess."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

RANDOM_BYTES = 10
"""The bytes of randomness in an id."""


def new_id(milliseconds: int, randomness: bytes) -> str:
    """A ULID (github.com/ulid/spec): 26 characters, the first ten of them the time since the epoch, the rest random."""
    number = (milliseconds << 80) | int.from_bytes(randomness, "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))

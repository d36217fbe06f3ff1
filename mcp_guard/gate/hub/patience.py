"""How long the hub waits for whom, in microseconds."""

import msgspec


class Patience(msgspec.Struct, frozen=True):
    """`hello`: the client's handshake, for the servers'. `listing`: a list, for the servers' lists. `call`: a request,
    for its server to get ready. `down`: a request, for a server that ended to be started again.
    """

    hello: int = 5_000_000
    listing: int = 5_000_000
    call: int = 30_000_000
    down: int = 5_000_000

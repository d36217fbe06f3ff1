"""What can go wrong over a connection that stands. Nothing that the server said is repeated."""


class HttpError(Exception):
    """The end of one exchange."""


class NotHttpError(HttpError):
    """What came is no HTTP/1.1 response, or one that two readers could take for two different ones."""


class EncodedError(HttpError):
    """The body is compressed, which was not asked for."""


class BrokenOffError(HttpError):
    """The connection ended before the response did. `untouched`: nothing of a response had come."""

    def __init__(self, *, untouched: bool = False) -> None:
        super().__init__("the connection was broken off")
        self.untouched = untouched


class ProxyError(HttpError):
    """The proxy on the way is not there, or lets nobody through. `status`: what it answered, 0 where it did not."""

    def __init__(self, status: int = 0) -> None:
        super().__init__("the proxy refused")
        self.status = status

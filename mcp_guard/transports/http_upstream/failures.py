"""What went wrong between the guard and a remote server, in words that a model or a tired person can act on.

Nothing that the server said is repeated, and of the URL only what holds no secret: scheme, host, port and path.
"""

import os
import socket
import ssl
from typing import NoReturn

from mcp_guard.errors import GuardError
from mcp_guard.transports.http_client.errors import BrokenOffError, EncodedError, NotHttpError, ProxyError
from mcp_guard.transports.http_client.url import Url

_STATUS = {
    400: "it refused the request as malformed (HTTP 400)",
    401: "it demands authorization (HTTP 401). Give it credentials: --auth oauth, or --header 'Authorization: …'",
    403: "it refuses access (HTTP 403). Check the credentials and their scopes",
    404: "there is nothing at this URL (HTTP 404). Check its path: most servers answer at /mcp or /sse",
    405: "nothing can be posted to this URL (HTTP 405). Check its path: most servers answer at /mcp or /sse",
    406: "it cannot answer in any form that MCP knows (HTTP 406)",
    407: "the HTTP proxy on the way demands authorization (HTTP 407). Check HTTPS_PROXY",
    413: "the message is too large for it (HTTP 413)",
    421: "it does not serve this host name (HTTP 421). Check the URL",
    429: "it was asked too often (HTTP 429). Wait before the next request",
}


class RemoteError(GuardError):
    """A remote server that did not answer as it should. `status`: that of HTTP where it was that, else 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether it may be otherwise a little later: the network, or a server in trouble."""
        return self.status == 0 or self.status == 429 or self.status >= 500


def of_status(url: Url, status: int, retry_after: str | None = None) -> RemoteError:
    """The error for an HTTP status that is no answer."""
    trouble = "is in trouble" if status >= 500 else "gives no answer that MCP knows"
    why = _STATUS.get(status, f"it {trouble} (HTTP {status})")
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 9:
        why += f"; it asks for a pause of {int(retry_after)} s"
    return RemoteError(f"the MCP server at {url.without_query()} does not answer: {why}", status)


def of_redirect(url: Url, location: str | None) -> RemoteError:
    """The error for a redirect that was not followed, because it leads elsewhere."""
    where = "nowhere"
    if location is not None:
        try:
            where = f"to {url.join(location).without_query()}"
        except ValueError:
            where = "to no valid URL"
    return RemoteError(
        f"the MCP server at {url.without_query()} redirects {where}, which is not followed: credentials never go to "
        "another origin, and a request is not changed on its way. If that is the server you mean, configure its URL"
    )


def of_exception(url: Url, error: BaseException) -> RemoteError:
    """The error for what the HTTP client, TLS or the network raised."""
    return RemoteError(f"the MCP server at {url.without_query()} cannot be reached: {_why(error)}")


def unanswered(url: Url) -> str:
    """What is said of a request that was open when the guard had to end."""
    return f"mcp-guard ended before the MCP server at {url.without_query()} had answered"


def raise_for(url: Url, error: Exception) -> NoReturn:
    """Raise the `RemoteError` for whatever the HTTP client raised: none of it is worth more than one request."""
    raise error if isinstance(error, RemoteError) else of_exception(url, error) from None


_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its host name is not known. Check the URL and the network"),
    (ssl.SSLError, "no TLS connection could be made. Is it https at all?"),
    (ProxyError, "the HTTP proxy on the way does not answer. Check HTTPS_PROXY and NO_PROXY"),
    (TimeoutError, "it did not answer in time"),
    (BrokenOffError, "it broke the connection off"),
    (NotHttpError, "what it says is not HTTP"),
    (EncodedError, "its answer is compressed, although it was asked for a plain one"),
)


def _why(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    if isinstance(error, ProxyError) and error.status == 407:
        return _STATUS[407]
    for kind, why in _WHY:
        if isinstance(error, kind):
            return why
    return _system(error) if isinstance(error, OSError) else f"the request failed ({type(error).__name__})"


def _system(error: OSError) -> str:
    if error.errno is None:
        return "the connection failed"
    refused = ". Is it running, and is the port right?" if isinstance(error, ConnectionRefusedError) else ""
    return f"{os.strerror(error.errno).lower()}{refused}"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    return (
        f"its TLS certificate is not to be trusted ({error.verify_message}). "
        "A company's own authority is named by SSL_CERT_FILE"
    )

"""HTTP requests to one remote server: kept connections, credentials, and no way to another origin.

The invariant: what is secret (headers of the configuration, tokens, cookies) goes to the origin of the configured URL
and to no other, whatever the server answers.
"""

import asyncio
import io
import re
import socket
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from mcp_guard.errors import GuardError
from mcp_guard.transports.framing import Oversized
from mcp_guard.transports.http_upstream import failures

_CONNECT = 20.0  # seconds for a connection to stand
_KEEP_ALIVE = 30.0  # seconds that an unused connection is kept
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}  # seconds, seconds, times
_MOST_REDIRECTS = 3
_AT_ONCE = 256 * 1024  # bytes of a body that are handed over in one piece
_MOST_REFUSED_BODY = 1024 * 1024  # bytes of an error's body that are read

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
RESERVED = frozenset(
    [
        *("accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect"),
        *("host", "last-event-id", "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    ]
)


class Credentials(Protocol):
    """Something that makes the `Authorization` header: a token that is refreshed, or a person that is asked."""

    async def authorization(self) -> str | None:
        """The header's value for the next request, or None for none. Raises GuardError."""
        ...

    async def refused(self, status: int, challenge: str, used: str | None) -> bool:
        """The server answered 401 or 403 with this `WWW-Authenticate`, to the header `used`: whether to try again.

        Raises GuardError where there was a way, and it failed.
        """
        ...


class Link:
    """The way to one server. `headers` go with every request."""

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, credentials: Credentials | None = None
    ) -> None:
        self.url = parse_url(url)
        self._headers = check_headers(headers or {})
        self._credentials = credentials
        self._proxy = _proxy(self.url)
        self._http: aiohttp.ClientSession | None = None
        self._closed = False

    async def open(
        self, method: str, headers: Mapping[str, str], body: bytes | None = None, *, url: URL | None = None
    ) -> aiohttp.ClientResponse:
        """Send a request; gives the response as soon as its head is here. The caller closes it.

        Follows redirects within the origin. A refusal that the credentials can mend is mended. Raises RemoteError.
        """
        target = self.url if url is None else url
        if self._credentials is None:
            return await self._request(method, target, headers, body, None)
        for last in (False, False, True):  # a token that has run out, then one that does not suffice
            used = await self._credentials.authorization()
            response = await self._request(method, target, headers, body, used)
            if response.status not in (401, 403) or last:
                break
            challenge = ", ".join(response.headers.getall("WWW-Authenticate", []))
            if not await self._mended(response, challenge, used):
                break
        return response

    async def _mended(self, response: aiohttp.ClientResponse, challenge: str, used: str | None) -> bool:
        """Whether the credentials are others now, after a refusal. Raises RemoteError."""
        assert self._credentials is not None
        try:
            mended = await self._credentials.refused(response.status, challenge, used)
        except GuardError as error:
            response.close()
            raise failures.RemoteError(f"{error.message}. {error.hint}".rstrip(), response.status) from None
        if mended:
            response.close()
        return mended

    async def _request(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, authorization: str | None
    ) -> aiohttp.ClientResponse:
        secret = {"Authorization": authorization} if authorization is not None else {}
        for _ in range(_MOST_REDIRECTS + 1):
            data = io.BytesIO(body) if body is not None and len(body) > _AT_ONCE else body
            try:
                response = await self._session().request(
                    method, url, headers={**headers, **secret}, data=data, allow_redirects=False, proxy=self._proxy
                )
            except Exception as error:
                failures.raise_for(url, error)
            if response.status not in (301, 302, 303, 307, 308):
                return response
            location = response.headers.get("Location")
            response.close()
            url = self._redirected(method, url, response.status, location)
        raise failures.of_redirect(url, None)

    def _redirected(self, method: str, url: URL, status: int, location: str | None) -> URL:
        """Where a redirect leads, if that is the same origin and the request stays what it is. Raises RemoteError."""
        try:
            target = url.join(URL(location or ""))
            within = target.user is None and target.origin() == self.url.origin()
        except ValueError:
            raise failures.of_redirect(url, location) from None
        if not location or not within or (method != "GET" and status < 307):
            raise failures.of_redirect(url, location)
        return target

    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ConnectionError("closed")
        if self._http is None:
            connector = aiohttp.TCPConnector(
                limit=0,  # a stream holds its connection for as long as it lasts: the callers bound their number
                keepalive_timeout=_KEEP_ALIVE,
                socket_factory=_socket,
            )
            self._http = aiohttp.ClientSession(
                connector=connector,
                headers={**self._headers, "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT),
                max_line_size=64 * 1024,
                max_field_size=64 * 1024,
            )
        return self._http

    async def close(self) -> None:
        """Close every connection, and make no other."""
        self._closed = True
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()


class Valve:
    """Lets bodies be read, or holds them up while nobody takes what they bring."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def shut(self) -> None:
        """Hold readers up."""
        self._open.clear()

    def open(self) -> None:
        """Let them go on."""
        self._open.set()

    async def passed(self) -> None:
        """Wait until it is open."""
        if not self._open.is_set():
            await self._open.wait()


async def read_body(response: aiohttp.ClientResponse, limit: int, valve: Valve) -> bytes | Oversized:
    """The whole body, or the size at which it was given up. Raises what the network raises."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            response.close()
            return Oversized(size)
        chunks.append(chunk)
        await valve.passed()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_refusal(response: aiohttp.ClientResponse, valve: Valve) -> bytes:
    """The body of an error, if it says that it is JSON and is not too long; else nothing."""
    if media_type(response) != "application/json":
        return b""
    body = await read_body(response, _MOST_REFUSED_BODY, valve)
    return b"" if isinstance(body, Oversized) else body


def media_type(response: aiohttp.ClientResponse) -> str:
    """The body's media type, in lower case and without parameters."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def parse_url(text: str) -> URL:
    """The URL of a server. Raises GuardError unless it is one of http or https with nothing secret before the host."""
    try:
        url = URL(text)
    except ValueError:
        raise GuardError("the server's URL is not valid", "For example: https://mcp.example.com/mcp") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise GuardError(
            "the server's URL must begin with https:// or http://", "For example: https://mcp.example.com/mcp"
        )
    if url.user is not None or url.password is not None:
        raise GuardError(
            "the server's URL holds a user name or password",
            "Give credentials in a header: --header 'Authorization: Basic ${CREDENTIALS}'",
        )
    return url.with_fragment(None)


def is_loopback(url: URL) -> bool:
    """Whether a URL is this machine's own."""
    host = url.host or ""
    return (
        host in ("localhost", "::1") or host.endswith(".localhost") or re.fullmatch(r"127(\.\d+){3}", host) is not None
    )


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of the configuration, if they can be sent. Raises GuardError, which names them and not their values."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise GuardError(f"{name!a} cannot be the name of a header", "For example: X-Api-Key")
        if name.lower() in RESERVED:
            raise GuardError(f"the header {name} is the guard's own to set", "Leave it out.")
        if value and not _VALUE.fullmatch(value):
            raise GuardError(
                f"the value of the header {name} cannot be sent: it holds a line end or another control character, or "
                "begins or ends with a space",
                "Look at the variable or file that it comes from.",
            )
    return dict(headers)


def _socket(address: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
    """A socket that notices when the other side is gone without a word: a stream may be silent for hours."""
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def _proxy(url: URL) -> str | None:
    """The HTTP proxy that the environment names for this URL (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)."""
    if is_loopback(url) or proxy_bypass(url.host or ""):
        return None
    return getproxies().get(url.scheme)

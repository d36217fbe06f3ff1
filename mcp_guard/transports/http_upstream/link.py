"""HTTP requests to one remote server: kept connections, credentials, and no way to another origin.

The invariant: what is secret (headers of the configuration, tokens, cookies) goes to the origin of the configured URL
and to no other, whatever the server answers.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Protocol

from mcp_guard.errors import GuardError
from mcp_guard.transports.framing import Oversized
from mcp_guard.transports.http_client import url as urls
from mcp_guard.transports.http_client.client import HttpClient
from mcp_guard.transports.http_client.errors import BrokenOffError
from mcp_guard.transports.http_client.heads import Method
from mcp_guard.transports.http_client.response import Response
from mcp_guard.transports.http_client.url import Url
from mcp_guard.transports.http_upstream import failures

_MOST_REDIRECTS = 3
_MOST_REFUSED_BODY = 1024 * 1024  # bytes of an error's body that are read

_HTTP = re.compile(r"https?://", re.I)
_USER = re.compile(r"[a-z]+://[^/?#]*@", re.I)
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
        self._http: HttpClient | None = None
        self._closed = False

    async def open(
        self, method: Method, headers: Mapping[str, str], body: bytes | None = None, *, url: Url | None = None
    ) -> Response:
        """Send a request; gives the response as soon as its head is here. The caller closes it.

        Follows redirects within the origin. A refusal that the credentials can mend is mended. Raises RemoteError.
        """
        target = self.url if url is None else url
        if self._credentials is None:
            return await self._request(method, target, headers, body)
        for last in (False, False, True):  # a token that has run out, then one that does not suffice
            used = await self._credentials.authorization()
            secret = {"Authorization": used} if used is not None else {}
            response = await self._request(method, target, {**headers, **secret}, body)
            if response.status not in (401, 403) or last:
                break
            if not await self._mended(response, response.headers.get("WWW-Authenticate") or "", used):
                break
        return response

    async def _mended(self, response: Response, challenge: str, used: str | None) -> bool:
        """Whether the credentials are others now, after a refusal. Raises RemoteError."""
        assert self._credentials is not None
        try:
            mended = await self._credentials.refused(response.status, challenge, used)
        except GuardError as error:
            response.close()
            raise failures.RemoteError(
                f"{error.message}; {error.hint}" if error.hint else error.message, response.status
            ) from None
        if mended:
            response.release()
        return mended

    async def _request(self, method: Method, url: Url, headers: Mapping[str, str], body: bytes | None) -> Response:
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                response = await self._client().open(method, url.target, headers, body)
            except Exception as error:
                failures.raise_for(url, error)
            if response.status not in (301, 302, 303, 307, 308):
                return response
            location = response.headers.get("Location")
            response.release()
            url = self._redirected(method, url, response.status, location)
        raise failures.of_redirect(url, None)

    def _redirected(self, method: Method, url: Url, status: int, location: str | None) -> Url:
        """Where a redirect leads, if that is the same origin and the request stays what it is. Raises RemoteError."""
        try:
            target = url.join(location or "")
        except ValueError:
            raise failures.of_redirect(url, location) from None
        if not location or target.origin != self.url.origin or (method != "GET" and status < 307):
            raise failures.of_redirect(url, location)
        return target

    def _client(self) -> HttpClient:
        if self._closed:
            raise BrokenOffError(untouched=True)
        if self._http is None:
            self._http = HttpClient(self.url, self._headers)
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


async def read_body(response: Response, limit: int, valve: Valve) -> bytes | Oversized:
    """The whole body, or the size at which it was given up. Raises HttpError."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.some():
        size += len(chunk)
        if size > limit:
            response.close()
            return Oversized(size)
        chunks.append(chunk)
        await valve.passed()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_refusal(response: Response, valve: Valve) -> bytes:
    """The body of an error, if it says that it is JSON and is not too long; else nothing."""
    if media_type(response) != "application/json" or response.encoded:
        return b""
    body = await read_body(response, _MOST_REFUSED_BODY, valve)
    return b"" if isinstance(body, Oversized) else body


def media_type(response: Response) -> str:
    """The body's media type, in lower case and without parameters."""
    return (response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def parse_url(text: str) -> Url:
    """The URL of a server. Raises GuardError unless it is one of http or https with nothing secret before the host."""
    if not _HTTP.match(text):
        raise GuardError(
            "the server's URL must begin with https:// or http://", "for example: https://mcp.example.com/mcp"
        )
    if _USER.match(text):
        raise GuardError(
            "the server's URL holds a user name or password",
            "give credentials in a header: --header 'Authorization: Basic ${CREDENTIALS}'",
        )
    try:
        return urls.parse(text)
    except ValueError:
        raise GuardError("the server's URL is not valid", "for example: https://mcp.example.com/mcp") from None


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of the configuration, if they can be sent. Raises GuardError, which names them and not their values."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise GuardError(f"{name!a} cannot be the name of a header", "for example: X-Api-Key")
        if name.lower() in RESERVED:
            raise GuardError(f"the header {name} is the guard's own to set", "leave it out")
        if value and not _VALUE.fullmatch(value):
            raise GuardError(
                f"the value of the header {name} cannot be sent: it holds a line end or another control character, or "
                "begins or ends with a space",
                "look at the variable or file that it comes from",
            )
    return dict(headers)

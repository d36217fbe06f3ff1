"""A listener on the loopback interface that a browser is sent back to (RFC 8252, section 7.3), for one answer.

It takes only the answer to the question that was asked: whatever does not carry that `state` is refused, and the wait
goes on, so no web page can end a login by knocking.
"""

import asyncio
import secrets
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

PORT = 33418  # tried first, so that a client registered by hand has a redirect URI to name
PATH = "/callback"
_PATIENCE = 10.0  # seconds for a browser to say what it wants
_LONGEST = 16 * 1024  # bytes of a request line

_PAGE = (
    "<!doctype html><meta charset=utf-8><title>mcp-guard</title>"
    "<body style='font:16px system-ui;margin:4em auto;max-width:30em'><h1>{}</h1><p>{}</p>"
)
_DONE = _PAGE.format("You are logged in.", "You can close this window and go back to what you were doing.")
_REFUSED = _PAGE.format("You are not logged in.", "The server did not allow it. You can close this window.")
_UNASKED = _PAGE.format("Nothing was asked here.", "This page only takes the answer to a login that is under way.")


class Answer(NamedTuple):
    """What the authorization server said by way of the browser: a `code`, or an `error`."""

    code: str
    state: str
    iss: str | None
    error: str


class Callback:
    """Listens from `open` to `close`; `uri` is the redirect URI then."""

    def __init__(self) -> None:
        self.uri = ""
        self._server: asyncio.Server | None = None
        self._state = ""
        self._answer: asyncio.Future[Answer] | None = None

    async def open(self, *, fixed: bool = False) -> None:
        """Listen. `fixed`: at no other port than `PORT`. Raises OSError where that is taken."""
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", PORT, limit=_LONGEST)
        except OSError:
            if fixed:
                raise
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LONGEST)
        self.uri = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{PATH}"

    def expect(self, state: str) -> None:
        """The answer that carries this `state` is the one that is waited for."""
        self._state = state

    async def answer(self, patience: float) -> Answer:
        """Wait for it. Raises TimeoutError."""
        assert self._answer is not None
        async with asyncio.timeout(patience):
            return await self._answer

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                method, _, rest = (await reader.readline()).decode("latin-1").partition(" ")
                while (await reader.readline()).strip():
                    pass
                status, page = self._take(method, rest.partition(" ")[0])
                head = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
                headers = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
                writer.write((head + headers + page).encode())
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # not a browser, or one that left
        finally:
            writer.close()

    def _take(self, method: str, target: str) -> tuple[str, str]:
        """The status and the page for a request; the answer, where it is that."""
        url = urlsplit(target)
        fields = {name: values[0] for name, values in parse_qs(url.query).items()}
        state = fields.get("state", "")
        asked = self._state and secrets.compare_digest(state.encode(), self._state.encode())
        if method != "GET" or url.path != PATH or not asked or self._answer is None or self._answer.done():
            return "404 Not Found", _UNASKED
        answer = Answer(fields.get("code", ""), state, fields.get("iss"), fields.get("error", ""))
        self._answer.set_result(answer)
        return "200 OK", _DONE if answer.code else _REFUSED

"""How a person is asked to log in: a page in the browser, and the answer that the browser brings back."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from mcp_guard.errors import GuardError
from mcp_guard.transports.oauth.browser import safe_to_open
from mcp_guard.transports.oauth.callback import Callback

if TYPE_CHECKING:
    from mcp.shared.auth import AuthorizationCodeResult

LOGIN = 300.0  # seconds for a person to log in

Say = Callable[[str], None]
Show = Callable[[str], Awaitable[bool]]


class LoginError(GuardError):
    """No token could be had. The text says why, without anything that the authorization server said."""


class Asking:
    """Asks once. `who` names the login in what the person reads; `show` opens a page."""

    def __init__(self, callback: Callback, who: str, say: Say, show: Show) -> None:
        self._callback, self._who, self._say, self._show = callback, who, say, show
        self.uri = callback.uri

    async def redirect(self, url: str) -> None:
        """Show the authorization server's page. Raises LoginError for one that is not to be opened."""
        if not (safe_to_open(url) and url.isascii() and url.isprintable()):
            raise LoginError(f"{self._who}: its page is at no address that may be opened")
        self._callback.expect(parse_qs(urlsplit(url).query).get("state", [""])[0])
        shown = await self._show(url)
        self._say(f"{self._who}: {'your browser shows the page; if not, open' if shown else 'open'} {url}")

    async def answer(self) -> "AuthorizationCodeResult":
        """Wait for the answer. Raises LoginError, TimeoutError."""
        from mcp.shared.auth import AuthorizationCodeResult

        answer = await self._callback.answer(LOGIN)
        if answer.error or not answer.code:
            raise LoginError(f"{self._who}: it was not allowed", "start again, and allow it at the page that is shown")
        return AuthorizationCodeResult(code=answer.code, state=answer.state, iss=answer.iss)

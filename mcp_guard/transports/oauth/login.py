"""A token for each request to one remote server: kept, refreshed in time, or got anew when the server asks for it.

The invariant: no token and no secret is logged or part of an error's text.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from mcp_guard.transports.oauth.asking import Asking, LoginError, Say, Show
from mcp_guard.transports.oauth.browser import open_page
from mcp_guard.transports.oauth.callback import Callback
from mcp_guard.transports.oauth.client import Client
from mcp_guard.transports.oauth.vault import NOTHING, Kept, Vault


class Login:
    """The credentials of a client (`http_upstream.link.Credentials`). `say` tells a person what to do; `show` opens a
    page.
    """

    def __init__(self, client: Client, vault: Vault, say: Say, show: Show = open_page) -> None:
        self._client, self._vault, self._say, self._show = client, vault, say, show
        self._kept: Kept | None = None
        self._running: asyncio.Task[None] | None = None

    async def authorization(self) -> str | None:
        """The header for the next request: of a token that is good for a while yet, as far as one knows."""
        if self._kept is None:
            self._kept = await self._read()
        if self._kept.stale is not None and time.time() > self._kept.stale and self._kept.refreshable:
            with suppress(LoginError):  # the server will say that the old one is good no more
                await self._once(self._refresh)
        return self._kept.authorization

    async def refused(self, status: int, challenge: str, used: str | None) -> bool:
        """The server wants another token than the one that was `used`: get it. Raises LoginError."""
        if status == 403 and "insufficient_scope" not in challenge:
            return False
        for kept in (self._kept or NOTHING, await self._read()):
            if kept.authorization not in (None, used):  # it was got meanwhile, perhaps by another guard of this user
                self._kept = kept
                return True
        await self._once(lambda: self._log_in(status, challenge))
        return True

    async def _read(self) -> Kept:
        kept = await asyncio.to_thread(self._vault.read, self._client.login)
        return kept if kept.login == self._client.login else NOTHING

    async def _once(self, what: Callable[[], Awaitable[None]]) -> None:
        """Do this, or wait for what is under way already. It goes on where whoever waits for it gives up."""
        if self._running is None:
            self._running = asyncio.ensure_future(self._run(what))
            self._running.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._running)

    async def _run(self, what: Callable[[], Awaitable[None]]) -> None:
        try:
            await what()
        finally:
            self._running = None

    async def _refresh(self) -> None:
        """A new token for the old one, from the authorization server that gave it."""
        from mcp_guard.transports.oauth.flows import Flow

        await self._keep(await Flow(self._client, self._kept or NOTHING).refresh())

    async def _log_in(self, status: int, challenge: str) -> None:
        """A new token by whatever it takes: a person is asked last."""
        from mcp_guard.transports.oauth.flows import Flow

        kept, who = self._kept or NOTHING, f"login to {self._client.shown}"
        if status == 401 and kept.refreshable:
            with suppress(LoginError):
                return await self._refresh()
        asking = None
        callback = Callback()
        try:
            if self._client.person:
                await callback.open(fixed=self._client.client_id is not None)
                asking = Asking(callback, who, self._say, self._show)
            return await self._keep(await Flow(self._client, kept, asking).log_in(status, challenge))
        except OSError as error:
            raise LoginError(f"{who}: cannot listen for the browser: {error.strerror}") from None
        finally:
            callback.close()

    async def _keep(self, kept: Kept) -> None:
        self._kept = kept
        try:
            await asyncio.to_thread(self._vault.write, self._client.login, kept)
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._say(f"login to {self._client.shown}: it cannot be kept for the next time: {why}")

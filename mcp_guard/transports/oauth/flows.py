"""The SDK's OAuth flows (`mcp.client.auth`), driven by hand for one server and one client. Imported when one is run.

They are written as requests and responses around a request to the MCP server. Here that one is answered with the
challenge that the guard itself was given, and only the requests to the authorization server are sent.
"""

import logging
import time
from typing import Any, cast

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthRegistrationError, OAuthTokenError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import (
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import AnyUrl

from mcp_guard.transports.oauth.asking import Asking, LoginError
from mcp_guard.transports.oauth.callback import PATH, PORT
from mcp_guard.transports.oauth.client import Client
from mcp_guard.transports.oauth.vault import Kept

_REQUEST = 30.0  # seconds for the authorization server to answer
_LONGEST = 1024 * 1024  # bytes of what it says
_EARLY = 60  # seconds before its end at which a token is refreshed, if it lasts much longer
_LONG_AGO = 1.0

# The SDK logs what authorization servers say, with all that is in it: that goes nowhere.
logging.getLogger("mcp.client.auth").setLevel(logging.CRITICAL + 1)


class Flow:
    """One flow for a client, beginning with what is kept. `asking`: how a person is asked, where one is."""

    def __init__(self, client: Client, kept: Kept, asking: Asking | None = None) -> None:
        self._client, self._kept = client, kept
        self._storage = _Storage(kept.tokens, kept.client)
        self._provider = self._for_person(asking) if client.person else self._for_client()
        context = self._provider.context
        if kept.metadata is not None:
            context.oauth_metadata = OAuthMetadata.model_validate(kept.metadata)
        if kept.resource is not None:
            context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(kept.resource)
        context.auth_server_url = kept.authorization_server

    async def refresh(self) -> Kept:
        """A new token for the one that is kept. Gives what is to be kept from now on. Raises LoginError."""
        self._provider.context.token_expiry_time = _LONG_AGO
        return await self._run(None)

    async def log_in(self, status: int, challenge: str) -> Kept:
        """A new token, as the refusal with this status and `WWW-Authenticate` asks for it. As `refresh` otherwise."""
        return await self._run((status, challenge))

    async def _run(self, challenge: tuple[int, str] | None) -> Kept:
        try:
            async with httpx2.AsyncClient(follow_redirects=False, timeout=_REQUEST) as http:
                if not await self._drive(http, challenge):
                    raise self._error("no token was given")
        except LoginError:
            raise
        except Exception as error:
            raise self._failure(error) from None
        return self._result()

    async def _drive(self, http: httpx2.AsyncClient, challenge: tuple[int, str] | None) -> bool:
        """Answer the flow's requests until it has a token for the MCP server, or has none."""
        request, answered = httpx2.Request("POST", self._client.url), False
        flow = self._provider.async_auth_flow(request)
        try:
            outgoing = await anext(flow)
            while True:
                if outgoing is not request:
                    response = await self._send(http, outgoing)
                else:
                    header = request.headers.get("Authorization")
                    if header is not None and (answered or header != self._kept.authorization):
                        return True
                    if challenge is None or answered:
                        return False
                    response, answered = _challenged(request, challenge), True
                outgoing = await flow.asend(response)
        finally:
            await flow.aclose()

    async def _send(self, http: httpx2.AsyncClient, request: httpx2.Request) -> httpx2.Response:
        """Send a request of the flow's. The answer is bounded; where the MCP server has TLS, this has, too."""
        if request.url.scheme != "https" and not self._client.url.startswith("http:"):
            raise self._error("it names an authorization server without TLS, which is refused")
        request.headers["Accept-Encoding"] = "identity"
        response = await http.send(request, stream=True)
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _LONGEST:
                    raise self._error("its authorization server says more than any should")
        finally:
            await response.aclose()
        return httpx2.Response(response.status_code, headers=response.headers, content=bytes(body), request=request)

    def _for_client(self) -> OAuthClientProvider:
        client = self._client
        return ClientCredentialsOAuthProvider(
            client.url,
            self._storage,
            client.client_id or "",
            client.client_secret or "",
            scope=" ".join(client.scopes) or None,
            issuer=client.trusted_issuer,
        )

    def _for_person(self, asking: Asking | None) -> OAuthClientProvider:
        client, storage = self._client, self._storage
        uri = asking.uri if asking is not None else storage.redirect_uri or f"http://127.0.0.1:{PORT}{PATH}"
        method = "client_secret_post" if client.client_secret else "none"
        if client.client_id is not None:
            storage.register(client, method, uri)
        elif storage.redirect_uri != uri:
            storage.client = None  # it was registered for another port, which somebody else has now
        metadata = OAuthClientMetadata(
            client_name="mcp-guard",
            redirect_uris=[AnyUrl(uri)],
            grant_types=["authorization_code", "refresh_token"],
            token_endpoint_auth_method=method,
            scope=" ".join(client.scopes) or None,
        )
        if asking is None:
            return OAuthClientProvider(client.url, metadata, storage)
        return OAuthClientProvider(client.url, metadata, storage, asking.redirect, asking.answer)

    def _result(self) -> Kept:
        context = self._provider.context
        tokens = context.current_tokens
        lasts = tokens.expires_in if tokens is not None else None
        return Kept(
            login=self._client.login,
            tokens=_plain(tokens),
            stale=time.time() + max(lasts - _EARLY, lasts / 2) if lasts is not None else None,
            client=_plain(context.client_info) if self._client.client_id is None else None,
            metadata=_plain(context.oauth_metadata),
            resource=_plain(context.protected_resource_metadata),
            authorization_server=context.auth_server_url,
        )

    def _error(self, why: str, hint: str = "") -> LoginError:
        return LoginError(f"login to {self._client.shown}: {why}", hint)

    def _failure(self, error: Exception) -> LoginError:
        """What a flow raised, without what the authorization server said."""
        if isinstance(error, TimeoutError):
            return self._error("nobody did so in time", "start again, and log in at the page that is shown")
        if isinstance(error, httpx2.HTTPError):
            return self._error("its authorization server cannot be reached", "check the network")
        if isinstance(error, OAuthRegistrationError):
            hint = (
                f"register one there (redirect URI http://127.0.0.1:{PORT}{PATH}), and give its id: --client-id. Or "
                "give a token: --header 'Authorization: Bearer ${TOKEN}'"
            )
            return self._error("its authorization server does not let clients register themselves", hint)
        if isinstance(error, OAuthTokenError):
            return self._error("its authorization server gave no token", "check the client's id, secret and scopes")
        if not self._client.person:
            hint = (
                f"it is sent to {self._client.trusted_issuer} alone; another authorization server is named by --issuer"
            )
            return self._error("no authorization server was found that the client's secret may be sent to", hint)
        why = f"it did not succeed ({type(error).__name__})"
        return self._error(why, "look at what the page in the browser said, and start again")


class _Storage:
    """What the SDK's flow finds when it begins (`mcp.client.auth.TokenStorage`). What it brings is in its context."""

    def __init__(self, tokens: dict[str, Any] | None, client: dict[str, Any] | None) -> None:
        self._tokens, self.client = tokens, client

    @property
    def redirect_uri(self) -> str | None:
        """Where the browser goes back to, by what the client was registered with."""
        uris: object = self.client.get("redirect_uris") if self.client is not None else None
        first = cast(object, uris[0]) if isinstance(uris, list) and uris else None
        return first if isinstance(first, str) else None

    def register(self, client: Client, method: str, uri: str) -> None:
        """A client that somebody has registered by hand; with a secret, it is bound to whom that may be sent to."""
        issuer = client.trusted_issuer if client.client_secret else client.issuer
        self.client = {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "token_endpoint_auth_method": method,
            "redirect_uris": [uri],
            "issuer": issuer,
        }

    async def get_tokens(self) -> OAuthToken | None:
        return OAuthToken.model_validate(self._tokens) if self._tokens is not None else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """The context has them."""

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return OAuthClientInformationFull.model_validate(self.client) if self.client is not None else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """The context has it."""


def _plain(model: Any) -> dict[str, Any] | None:
    return None if model is None else cast(dict[str, Any], model.model_dump(mode="json", exclude_none=True))


def _challenged(request: httpx2.Request, challenge: tuple[int, str]) -> httpx2.Response:
    status, text = challenge
    return httpx2.Response(status, headers={"WWW-Authenticate": text} if text else {}, content=b"", request=request)

"""A small OAuth authorization server and the MCP server that trusts it, on loopback; and the person with the browser.

Both are scripted by fields: a test sets what they do differently. Nothing here checks what the flows themselves check.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.transports.http_upstream.remote import Got, Remote, remote, result


@dataclass
class World:
    """What the two servers do, and what they saw."""

    url: str = ""  # of the MCP server
    origin: str = ""  # of the authorization server
    registers: bool = True
    issues_refresh: bool = True
    expires_in: int | None = 3600
    metadata: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)  # client id: secret
    good: set[str] = field(default_factory=set)  # tokens that the MCP server takes
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    issued: int = 0
    refreshes: set[str] = field(default_factory=set)
    grants: list[str] = field(default_factory=list)
    registered: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # pages that the person was shown
    allows: bool = True
    browsing: "list[asyncio.Task[str]]" = field(default_factory=list)

    # The MCP server

    async def mcp(self, got: Got) -> None:
        if got.path.startswith("/.well-known/oauth-protected-resource"):
            got.json({"resource": self.url, "authorization_servers": [self.origin], **self.resource})
        elif got.path.startswith("/.well-known/") or got.path in ("/register", "/token", "/authorize"):
            await self.authorization(got)
        elif got.headers.get("authorization", "").removeprefix("Bearer ") in self.good:
            got.json(result(got.message["id"], ok=True)) if "id" in got.message else got.accept()
        else:
            got.reply(status=401, WWW_Authenticate=f'Bearer resource_metadata="{self._known()}"')

    def _known(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"

    # The authorization server

    async def authorization(self, got: Got) -> None:
        path = urlsplit(got.path).path
        if path == "/.well-known/oauth-authorization-server":
            got.json(
                {
                    "issuer": self.origin,
                    "authorization_endpoint": f"{self.origin}/authorize",
                    "token_endpoint": f"{self.origin}/token",
                    "registration_endpoint": f"{self.origin}/register",
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    **self.metadata,
                }
            )
        elif path == "/register" and self.registers:
            client = json.loads(got.body)
            self.registered.append(client)
            got.json({**client, "client_id": f"client-{len(self.registered)}"}, status=201)
        elif path == "/token":
            self._token(got)
        else:
            got.reply(b"s3cret-of-the-server", 404)

    def _token(self, got: Got) -> None:
        form = {name: values[0] for name, values in parse_qs(got.body.decode()).items()}
        self.grants.append(form["grant_type"])
        if not self._proven(got, form) or not self._granted(form):
            got.json({"error": "invalid_grant", "error_description": "s3cret-of-the-server"}, status=400)
            return
        self.issued += 1
        token = {"access_token": f"token-{self.issued}", "token_type": "Bearer"}
        self.good = {token["access_token"]}
        if self.expires_in is not None:
            token["expires_in"] = self.expires_in  # type: ignore[assignment]
        if self.issues_refresh and form["grant_type"] != "client_credentials":
            token["refresh_token"] = f"refresh-{self.issued}"
            self.refreshes.add(token["refresh_token"])
        got.json(token)

    def _proven(self, got: Got, form: dict[str, str]) -> bool:
        if form["grant_type"] != "client_credentials":
            return True
        text = base64.b64decode(got.headers.get("authorization", "").removeprefix("Basic ")).decode()
        client, _, secret = text.partition(":")
        return self.secrets.get(client) == secret

    def _granted(self, form: dict[str, str]) -> bool:
        if form["grant_type"] == "refresh_token":
            good = form["refresh_token"] in self.refreshes
            self.refreshes.discard(form["refresh_token"])
            return good
        if form["grant_type"] == "authorization_code":
            asked = self.codes.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            return asked is not None and asked["code_challenge"] == challenge
        return True

    # The person

    async def show(self, url: str) -> bool:
        """Open the page, decide at once, and let the browser go where it is sent."""
        self.asked.append(url)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        answer = {"state": asked["state"]}
        if self.allows:
            code = f"code-{len(self.asked)}"
            self.codes[code] = asked
            answer |= {"code": code, "iss": self.origin}
        else:
            answer["error"] = "access_denied"
        visit_ = visit(f"{asked['redirect_uri']}?{urlencode(answer)}")
        self.browsing.append(asyncio.get_running_loop().create_task(visit_))
        return True


async def visit(url: str) -> str:
    """What a browser is shown at a URL of loopback: the status line."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    status = (await reader.readline()).decode().strip()
    await reader.read()
    writer.close()
    return status


@asynccontextmanager
async def world(*, apart: bool = False, **fields: Any) -> AsyncIterator[tuple[World, Remote]]:
    """The servers; `apart`: the authorization server is at an origin of its own."""
    made = World(**fields)
    async with remote(made.mcp) as server, remote(made.authorization) as authorization:
        made.url = server.url
        made.origin = (authorization.url if apart else server.url).removesuffix("/mcp")
        yield made, server
        await asyncio.gather(*made.browsing)

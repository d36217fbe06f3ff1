"""Configured servers as arms of a switch. What is secret in a configuration is read here, and kept nowhere else.

Nothing is imported for a transport that no server uses.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mcp_guard.config import Auth, HttpServer, ServerConfig, StdioServer
from mcp_guard.errors import GuardError
from mcp_guard.transports.arms import Arm
from mcp_guard.transports.references import resolve, resolve_remote

if TYPE_CHECKING:
    from mcp_guard.transports.ends import UpstreamEnd
    from mcp_guard.transports.http_upstream.link import Credentials, Link


def arm_of(slug: str, server: ServerConfig, *, limit: int, home: str = "", restart: bool = False) -> Arm:
    """The arm for one server. `limit`: bytes of one message; `home`: the directory of the file that names it.

    Raises GuardError where a reference leads nowhere, or a URL or header cannot be used: now, not when it is needed.
    """
    local = isinstance(server, StdioServer)
    make = _local(slug, server, limit, home) if local else _remote(slug, server, limit, restart)
    return Arm(slug, make, eager=server.start == "eager", restart=restart)


def _local(slug: str, server: StdioServer, limit: int, home: str) -> "Callable[[], UpstreamEnd]":
    from mcp_guard.transports.stdio_ends import StdioUpstream

    where = f"server {slug}"
    command = [resolve(text, where) for text in (server.command, *server.args)]
    added = {name: resolve(text, f"{where}, variable {name}") for name, text in server.env.items()}
    cwd = None if server.cwd is None else os.path.join(home, resolve(server.cwd, where))
    return lambda: StdioUpstream(command, limit, cwd=cwd, env={**os.environ, **added})


def _remote(slug: str, server: HttpServer, limit: int, restart: bool) -> "Callable[[], UpstreamEnd]":
    from mcp_guard.transports.http_upstream.link import Link, check_headers, is_loopback, parse_url
    from mcp_guard.transports.stdio import say

    where = f"server {slug}"
    url = resolve_remote(server.url, where)
    headers = check_headers(
        {name: resolve_remote(text, f"{where}, header {name}") for name, text in server.headers.items()}
    )
    parsed = parse_url(url)
    if parsed.scheme == "http" and not is_loopback(parsed):
        say(f"{where}: what is sent to it can be read and changed on its way: its URL is not https")
    credentials = _credentials(slug, str(parsed), server.auth, headers)
    return _transport(server, lambda: Link(url, headers, credentials), limit, restart)


def _transport(server: HttpServer, link: "Callable[[], Link]", limit: int, ends: bool) -> "Callable[[], UpstreamEnd]":
    if server.transport == "sse":
        from mcp_guard.transports.http_upstream.old_sse import SseUpstream

        return lambda: SseUpstream(link(), limit)
    if server.transport == "http":
        from mcp_guard.transports.http_upstream.streamable import StreamableUpstream

        return lambda: StreamableUpstream(link(), limit, ends=ends)
    from mcp_guard.transports.http_upstream.either import EitherUpstream

    return lambda: EitherUpstream(link, limit, ends=ends)


def _credentials(slug: str, url: str, auth: Auth, headers: Mapping[str, str]) -> "Credentials | None":
    """How to prove oneself to the server; None where a header does, or nothing is to."""
    proven = any(name.lower() == "authorization" for name in headers)
    if auth.kind == "none" or (auth.kind == "auto" and proven):
        return None
    from mcp_guard.transports.oauth.client import Client
    from mcp_guard.transports.oauth.login import Login
    from mcp_guard.transports.oauth.vault import LazyVault, open_vault
    from mcp_guard.transports.stdio import say

    where = f"server {slug}"
    if proven:
        raise GuardError(f"{where}: an Authorization header and OAuth exclude each other", "Leave one of them out.")
    if auth.kind == "client_credentials" and not (auth.client_id and auth.client_secret):
        raise GuardError(
            f"{where}: client credentials are an id and a secret", "Give --client-id and --client-secret '${VARIABLE}'."
        )
    client = Client(
        url=url,
        name=slug,
        person=auth.kind != "client_credentials",
        client_id=auth.client_id,
        client_secret=resolve_remote(auth.client_secret, f"{where}, client secret") if auth.client_secret else None,
        scopes=auth.scopes,
        issuer=auth.issuer,
    )
    return Login(client, LazyVault(open_vault), say)


_AFFIXES = ("www", "mcp", "api", "server")


def slug_of_url(url: str) -> str:
    """A slug for a remote server out of its host, where the launching config gives none.

    Without what only says that it is a server, and without the top-level domain: `https://mcp.linear.app/sse` gives
    `linear`; an address or a bare host name keeps its port: `localhost-8000`.
    """
    authority = re.sub(r"^[a-z]+://([^/@]*@)?", "", url.lower()).split("/")[0].split("?")[0]
    host, _, port = authority.rpartition(":") if re.search(r":\d+$", authority) else (authority, "", "")
    labels = host.split(".")
    if len(labels) < 2 or re.fullmatch(r"[\d.]+|\[.*\]", host):
        name = f"{host}-{port}" if port else host
    else:
        kept = [label for label in labels[:-1] if label not in _AFFIXES]
        name = "-".join(kept or labels[:-1])
    return re.sub(r"[^a-z0-9-]+-?", "-", name).strip("-")[:100] or "server"

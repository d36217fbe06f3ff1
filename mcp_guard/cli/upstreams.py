"""Configured servers as arms of a switch. What is secret in a configuration is read here, and kept nowhere else.

Nothing is imported for a transport that no server uses.
"""

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from mcp_guard.config import Auth, HttpServer, ServerConfig, StdioServer
from mcp_guard.errors import GuardError
from mcp_guard.transports.arms import Arm
from mcp_guard.transports.references import resolve, resolve_remote

if TYPE_CHECKING:
    from mcp_guard.transports.ends import UpstreamEnd
    from mcp_guard.transports.http_upstream.link import Credentials, Link
    from mcp_guard.transports.oauth.client import Client
    from mcp_guard.transports.oauth.login import Login


def arm_of(slug: str, server: ServerConfig, *, limit: int, home: str = "", restart: bool = False) -> Arm:
    """The arm for one server. `limit`: bytes of one message; `home`: the directory of the file that names it.

    One that is begun again (`restart`) is read anew at each start, so a secret that has changed reaches it; where a
    reference leads nowhere, or a URL or header cannot be used, it alone is not there. An only one raises GuardError for
    that: now, not when it is needed.
    """
    prepare = _preparing(slug, server, limit, home, restart)
    make = (lambda: prepare()()) if restart else prepare()
    return Arm(slug, make, eager=server.start == "eager", restart=restart)


def tell_unready(servers: Mapping[str, ServerConfig], home: str) -> None:
    """Say which of many servers could not be started as things are now. They are tried when they are needed."""
    from mcp_guard.transports.stdio import say

    for slug, server in servers.items():
        try:
            _preparing(slug, server, 0, home, True, quiet=True)()
        except GuardError as error:
            say(f"{error.message} ({error.hint})")


def _preparing(
    slug: str, server: ServerConfig, limit: int, home: str, restart: bool, *, quiet: bool = False
) -> "Callable[[], Callable[[], UpstreamEnd]]":
    """What reads a server's configuration; that gives what makes an end for it. `quiet`: it warns of nothing."""
    if isinstance(server, StdioServer):
        return partial(_local, slug, server, limit, home)
    return _Remote(slug, server, _transport(server, limit, restart), quiet=quiet)


def _local(slug: str, server: StdioServer, limit: int, home: str) -> "Callable[[], UpstreamEnd]":
    from mcp_guard.transports.stdio_ends import StdioUpstream

    where = f"server {slug}"
    command = [resolve(text, where) for text in (server.command, *server.args)]
    added = {name: resolve(text, f"{where}, variable {name}") for name, text in server.env.items()}
    cwd = None if server.cwd is None else os.path.join(home, resolve(server.cwd, where))
    return lambda: StdioUpstream(command, limit, cwd=cwd, env={**os.environ, **added})


class _Remote:
    """Reads the configuration of a remote server, whenever it is started. What is to be warned of is said once, and as
    long as nothing of it has changed, a login stays the same: nobody is asked twice.
    """

    def __init__(
        self, slug: str, server: HttpServer, transport: "Callable[[Callable[[], Link]], UpstreamEnd]", *, quiet: bool
    ) -> None:
        self._slug, self._server, self._transport, self._quiet = slug, server, transport, quiet
        self._login: tuple[Client, Login] | None = None

    def __call__(self) -> "Callable[[], UpstreamEnd]":
        from mcp_guard.transports.http_upstream.link import Link, check_headers, parse_url
        from mcp_guard.transports.stdio import say

        where, server = f"server {self._slug}", self._server
        url = resolve_remote(server.url, where)
        headers = check_headers(
            {name: resolve_remote(text, f"{where}, header {name}") for name, text in server.headers.items()}
        )
        parsed = parse_url(url)
        if not self._quiet and parsed.scheme == "http" and not parsed.is_loopback:
            self._quiet = True
            say(f"{where}: what is sent to it can be read and changed on its way: its URL is not https")
        credentials = self._credentials(_client(self._slug, str(parsed), server.auth, headers))
        return lambda: self._transport(lambda: Link(url, headers, credentials))

    def _credentials(self, client: "Client | None") -> "Credentials | None":
        if client is None:
            return None
        from mcp_guard.transports.oauth.login import Login
        from mcp_guard.transports.oauth.vault import LazyVault, open_vault
        from mcp_guard.transports.stdio import say

        if self._login is None or self._login[0] != client:
            self._login = client, Login(client, LazyVault(open_vault), say)
        return self._login[1]


def _transport(server: HttpServer, limit: int, ends: bool) -> "Callable[[Callable[[], Link]], UpstreamEnd]":
    """What makes an end out of what makes its link. Imports it now: not when a client waits for it."""
    if server.transport == "sse":
        from mcp_guard.transports.http_upstream.old_sse import SseUpstream

        return lambda link: SseUpstream(link(), limit)
    if server.transport == "http":
        from mcp_guard.transports.http_upstream.streamable import StreamableUpstream

        return lambda link: StreamableUpstream(link(), limit, ends=ends)
    from mcp_guard.transports.http_upstream.either import EitherUpstream

    return lambda link: EitherUpstream(link, limit, ends=ends)


def _client(slug: str, url: str, auth: Auth, headers: Mapping[str, str]) -> "Client | None":
    """Who the guard is to the server; None where a header proves that, or nothing is to."""
    proven = any(name.lower() == "authorization" for name in headers)
    if auth.kind == "none" or (auth.kind == "auto" and proven):
        return None
    from mcp_guard.transports.oauth.client import Client

    where = f"server {slug}"
    if proven:
        raise GuardError(f"{where}: an Authorization header and OAuth exclude each other", "leave one of them out")
    if auth.kind == "client_credentials" and not (auth.client_id and auth.client_secret):
        raise GuardError(
            f"{where}: client credentials are an id and a secret", "give --client-id and --client-secret '${VARIABLE}'"
        )
    return Client(
        url=url,
        name=slug,
        person=auth.kind != "client_credentials",
        client_id=auth.client_id,
        client_secret=resolve_remote(auth.client_secret, f"{where}, client secret") if auth.client_secret else None,
        scopes=auth.scopes,
        issuer=auth.issuer,
    )


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

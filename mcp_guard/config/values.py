"""What a configuration file says, as plain values: which servers stand behind the guard, and how it treats them.

Texts may hold references (`${NAME}`, `${file:PATH}`) that nothing here resolves: a secret is read at the edge, at the
moment it is needed, and never stands in one of these values.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from mcp_guard.gate.hub.naming import DEFAULT_PREFIX
from mcp_guard.gate.hub.patience import DEFAULT_WAIT
from mcp_guard.policy import Diagnostic

StartWhen = Literal["eager", "lazy"]
HttpTransport = Literal["auto", "http", "sse"]
AuthKind = Literal["auto", "browser", "client_credentials", "none"]


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """How to prove oneself to a remote server. `auto`: the browser flow, but only where the server asks for it.

    `client_secret` may hold references; it goes to the authorization server `issuer` alone (None: the server's own
    origin). `scopes` are asked for where the server names none itself.
    """

    kind: AuthKind = "auto"
    client_id: str | None = None
    client_secret: str | None = None
    scopes: tuple[str, ...] = ()
    issuer: str | None = None


class StdioServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that the guard starts itself. `env` is added to the guard's own environment; values and arguments may
    hold references. `cwd` None: the guard's own.
    """

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    cwd: str | None = None
    start: StartWhen = "eager"


class HttpServer(msgspec.Struct, frozen=True, kw_only=True):
    """A remote server. `transport` `auto`: streamable HTTP, and the old HTTP+SSE where that is all there is. The URL
    and the values of `headers` may hold references.
    """

    url: str
    transport: HttpTransport = "auto"
    headers: Mapping[str, str] = {}
    auth: Auth = Auth()
    start: StartWhen = "eager"


ServerConfig: TypeAlias = StdioServer | HttpServer


class GuardConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration file. `servers` by slug, in the order of the file, which is the order of precedence.

    `policy` paths, `db` and each `cwd` are as written: relative ones are the directory's of the file. `db`, `agent` and
    `user` None: the guard's defaults. `wait`: seconds that a client waits for servers that are slow to start.
    `warnings`: what is probably not meant.
    """

    servers: Mapping[str, ServerConfig]
    policy: tuple[str, ...] = ()
    db: str | None = None
    agent: str | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()
    prefix: str = DEFAULT_PREFIX
    wait: float = DEFAULT_WAIT
    warnings: tuple[Diagnostic, ...] = ()

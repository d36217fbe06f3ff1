"""Who may speak to the server at all: Host, Origin and bearer tokens, judged on a request's head.

A browser runs pages of strangers. One of them must neither reach a server on this machine under a name of its own (DNS
rebinding: the Host check), nor speak to it from another site (the Origin check; 2025-11-25, "Security Warning").
Tokens are kept and compared as digests, all of them each time, so that how long it takes says nothing.
"""

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest

import msgspec

from mcp_guard.transports.http_server.registry_access import INVALID, RegistryAccess
from mcp_guard.transports.http_server.requests import Answer, Caller, Head, Headers, Role, refusal

_INVALID_TOKEN = ' error="invalid_token"'
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names under which a server bound to loopback is reached, at whatever port (a tunnel may change it)."""


class Credential(msgspec.Struct, frozen=True):
    """A bearer token, by its SHA-256 digest, and what it proves. `name` is how the log may speak of it. One with a
    `role` is a person's or a tool's for the API, and no MCP client's.
    """

    name: str
    digest: bytes
    user: str | None = None
    agent: str | None = None
    groups: tuple[str, ...] = ()
    role: Role | None = None


def digest_of(token: str) -> bytes:
    """What a token is kept as."""
    return sha256(token.encode()).digest()


class Access:
    """What a request needs to be heard. `hosts` None: any Host will do (tokens stand in for it).

    `hosts` are names as a Host field has them, with a port or for every port; `origins` are whole (`https://a.example`).
    """

    def __init__(
        self,
        hosts: Iterable[str] | None,
        origins: Iterable[str] = (),
        credentials: Iterable[Credential] = (),
        registry: RegistryAccess | None = None,
    ) -> None:
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origin.lower() for origin in origins)
        self._credentials = tuple(credentials)
        self._registry = registry

    def check(self, head: Head) -> Caller | Answer:
        """Who makes this request, or why it is refused."""
        return self._misplaced(head) or self._authenticate(head)

    def describe(self, head: Head) -> Answer | None:
        """The answer to a request for what this server is as a protected resource (RFC 9728), which needs no token.
        None where a request is for something else.
        """
        found = None if self._registry is None else self._registry.describe(head)
        return found and (self._misplaced(head) or found)

    def refuse_another(self, caller: Caller) -> None:
        """Have it recorded that somebody came with a credential, and asked for what another one began."""
        if self._registry is not None and caller.credential:
            self._registry.tell("it came with the session of another client", caller.peer, caller.agent)

    def why_barred(self, caller: Caller) -> str | None:
        """Why somebody who was heard before is not heard any more; None where they are."""
        if self._registry is None:
            return None
        if caller.proven_by is not None:
            return self._registry.why_barred(caller.proven_by)
        return "a bearer token is needed by now" if not caller.credential and self._registry.needed else None

    def _misplaced(self, head: Head) -> Answer | None:
        """Why a request is refused for the Host that it names, or the Origin that it is from."""
        headers = head.headers
        host = headers.get("host")
        if host is None or "host" in headers.repeated:
            return refusal(400, "a request needs one Host field")
        if self._hosts is not None and host.lower() not in self._hosts and _name(host) not in self._hosts:
            return refusal(421, "this server does not answer to that Host: allow it with --allow-host")
        if not self._from_here(headers, host):
            return refusal(403, "requests from that Origin are refused: allow it with --allow-origin")
        return None

    def _from_here(self, headers: Headers, host: str) -> bool:
        """Whether a request comes from no page at all, from one of this server's own origin, or from an allowed one.

        A page that only wants a request to be made (an image of a session's address, say) need not name its origin;
        then the browser says that it is another site's (Fetch Metadata). A link that a person follows is no such page.
        """
        origin = headers.get("origin")
        if origin is None:
            followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
            return followed or headers.get("sec-fetch-site") in (None, "none", "same-origin")
        scheme, _, rest = origin.lower().partition("://")
        return origin.lower() in self._origins or (scheme in ("http", "https") and rest == host.lower())

    def allowed_origin(self, headers: Headers) -> str | None:
        """The Origin of a request if it is another site's that was allowed, which its browser has to be told."""
        origin = headers.get("origin")
        return origin if origin is not None and origin.lower() in self._origins else None

    def _authenticate(self, head: Head) -> Caller | Answer:
        """The caller by its bearer token (RFC 6750)."""
        registry, value = self._registry, head.headers.get("authorization")
        needed = bool(self._credentials) or (registry is not None and registry.needed)
        if value is None:
            return self._unauthorized(head, "", "a bearer token is needed") if needed else Caller("", head.peer)
        scheme, _, token = value.partition(" ")
        if not needed and (registry is None or scheme.lower() != "bearer"):
            return Caller("", head.peer)  # whoever it is for, it is not for us
        if scheme.lower() != "bearer" or "authorization" in head.headers.repeated:
            return self._unauthorized(head, _INVALID_TOKEN, INVALID)
        token = token.strip(" ")
        found = self._find(token)
        if found is not None:
            return Caller(found.name, head.peer, found.user, found.agent, found.groups, found.role)
        proven = INVALID if registry is None else registry.caller(token, head.peer)
        return self._unauthorized(head, _INVALID_TOKEN, proven) if isinstance(proven, str) else proven

    def _unauthorized(self, head: Head, error: str, reason: str) -> Answer:
        """The challenge says where tokens can be had, if anywhere (2025-11-25, "Authorization Server Location")."""
        where = "" if self._registry is None else self._registry.challenge(head)
        challenge = ",".join(part for part in (error, where) if part)
        return refusal(401, reason, (("www-authenticate", f"Bearer{challenge}"),))

    def _find(self, token: str) -> Credential | None:
        digest = digest_of(token)
        found = None
        for credential in self._credentials:
            if compare_digest(credential.digest, digest):
                found = credential
        return found


def _name(host: str) -> str:
    """A Host without its port. An IPv6 address stands in brackets."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()

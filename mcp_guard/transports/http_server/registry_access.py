"""Callers by what the registry knows: virtual keys and signed tokens as bearer tokens, and who issues them.

A credential is proven with the head of a request. A client that keeps its connection says the same again and again:
whether its credential still stands is asked of the registry each time all the same (`why_barred`), which costs next to
nothing while nothing has changed. The invariant: no request is heard on behalf of a credential that does not stand.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

import msgspec

from mcp_guard.errors import GuardError
from mcp_guard.governance import Credential
from mcp_guard.identity.errors import CredentialError, KeysPendingError
from mcp_guard.identity.key_sets import KeySets
from mcp_guard.store import LiveRegistry, Store
from mcp_guard.store.registry.credentials import Proof
from mcp_guard.transports.http_server.requests import NO_STORE, Answer, Caller, Head, refusal

METADATA_PATH = "/.well-known/oauth-protected-resource"  # RFC 9728, 3
_RESOURCE = "/mcp"
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_MOST_KNOWN = 1024
_MOST_TOLD = 60  # refusals that are recorded in a minute; beyond that they are counted
_MINUTE = 60.0

Refused = Callable[[str | None, str, str, int], None]  # whose it is, why, the client's address, how many went untold
INVALID = "the bearer token is not valid"


class _Standing(msgspec.Struct, frozen=True):
    changes: int
    why: str | None
    expires: int | None


class RegistryAccess:
    """What the registry says of bearer tokens. `needed`: none may come without one; where an issuer is trusted, that is
    so anyway. `url` is the server's own, as clients know it (None: as their requests name it). `refused` is told.
    """

    def __init__(
        self,
        store: Store,
        registry: LiveRegistry,
        key_sets: KeySets,
        refused: Refused,
        *,
        needed: bool = False,
        url: str | None = None,
        secure: bool = False,
    ) -> None:
        self._store, self._registry, self._key_sets, self._refused = store, registry, key_sets, refused
        self._needed, self._url, self._scheme = needed, url, "https" if secure else "http"
        self._issuers: tuple[int, list[str]] | None = None
        self._known: dict[Credential, _Standing] = {}
        self._told, self._untold, self._minute = 0, 0, 0.0

    @property
    def needed(self) -> bool:
        """Whether every client has to bring a credential."""
        return self._needed or bool(self.issuers())

    def issuers(self) -> list[str]:
        """The issuers whose tokens are believed. Where that cannot be told, one nobody can have a token of."""
        changes = self._look()
        if self._issuers is None or self._issuers[0] != changes:
            try:
                found = self._store.issuers()
            except GuardError:
                return [""]
            for issuer in found:
                with suppress(CredentialError, KeysPendingError):
                    self._key_sets.keys(issuer.keys, None)  # fetched now, so that they are there for the first token
            self._issuers = changes, [issuer.issuer for issuer in found]
        return self._issuers[1]

    def caller(self, token: str, peer: str) -> Caller | Answer | str:
        """Who makes a request with this bearer token, or why it is refused, as far as the client may know."""
        try:
            proof = self._store.prove(token, self._key_sets)
        except KeysPendingError as error:
            return refusal(503, error.message, (("retry-after", "1"),))
        except CredentialError as error:
            self.tell(error.message, peer)
            return INVALID
        except GuardError as error:
            return refusal(503, f"credentials cannot be checked: {error.message}")
        return Caller(_name(proof), peer, proof.user, proof.agent, proof.groups, proven_by=proof.credential)

    def why_barred(self, credential: Credential) -> str | None:
        """Why a credential that was proven before does not stand any more; None where it does."""
        changes, now = self._look(), _now()
        known = self._known.get(credential)
        if known is None or known.changes != changes:
            try:
                why, expires = self._store.standing(credential, now)
            except GuardError as error:
                return error.message
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[credential] = _Standing(changes, why, expires)
        if known.why is None and known.expires is not None and now >= known.expires:
            return "the credential has expired"
        return known.why

    def challenge(self, head: Head) -> str:
        """What a client is told that has to bring a token (RFC 6750, 3; RFC 9728, 5.1)."""
        address = self._address(head) if self.issuers() else None
        return "" if address is None else f' resource_metadata="{address}{METADATA_PATH}{_RESOURCE}"'

    def describe(self, head: Head) -> Answer | None:
        """The metadata of this server as a protected resource, if that is what a request is for."""
        if head.path not in (METADATA_PATH, METADATA_PATH + _RESOURCE) or head.method not in ("GET", "HEAD"):
            return None
        address, issuers = self._address(head), self.issuers()
        if address is None or not issuers or "" in issuers:
            return None
        document = {
            "resource": address + _RESOURCE,
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
            "resource_name": "mcp-guard",
        }
        return Answer(200, msgspec.json.encode(document), NO_STORE)

    def _address(self, head: Head) -> str | None:
        """This server as clients know it, without a path."""
        if self._url is not None:
            return self._url.rstrip("/")
        host = head.headers.get("host") or ""
        return f"{self._scheme}://{host}" if _HOST.fullmatch(host) else None

    def _look(self) -> int:
        return self._registry.refresh(_now())

    def tell(self, why: str, peer: str, agent: str | None = None) -> None:
        """Have a refusal recorded, as long as they are not so many that they would fill the disk."""
        now = time.monotonic()
        if now - self._minute > _MINUTE:
            self._minute, self._told = now, 0
        if self._told >= _MOST_TOLD:
            self._untold += 1
            return
        self._told += 1
        self._refused(agent, why, peer, self._untold)
        self._untold = 0


def _name(proof: Proof) -> str:
    """What a client is known by: a key; or whoever the tokens of one signer are about, so that a renewed token goes on
    with what the one before it began.
    """
    credential = proof.credential
    if credential.kind == "key":
        return f"key {credential.id}"
    about = msgspec.json.encode([credential.signer, proof.agent, proof.user, proof.groups])
    return f"{credential.kind} {sha256(about).hexdigest()}"


def _now() -> int:
    return time.time_ns() // 1000

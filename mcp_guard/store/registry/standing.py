"""Whether a credential that a client came with still stands. Asked with every change of the registry, so revoking,
retiring and removing bite on the next call of a connection that began long before.
"""

import sqlite3
from collections.abc import Callable, Mapping

from mcp_guard.governance.credential import Credential, CredentialKind
from mcp_guard.identity import OWN
from mcp_guard.store.registry.credentials import barred
from mcp_guard.store.rows import moment, timestamp

_CREDENTIAL = "SELECT expires_at, revoked_at FROM credentials WHERE id = ? AND kind = ?"
_SIGNING_KEY = "SELECT 1 FROM signing_keys WHERE id = ? AND retired_at IS NULL"
_ISSUER = "SELECT issuer FROM issuers WHERE id = ?"
_REVOKED = "SELECT 1 FROM revoked_tokens WHERE issuer = ? AND token = ?"

REVOKED = "the token that this client came with was revoked"
RETIRED = "the key that signed the token that this client came with is retired"
REMOVED = "the issuer of the token that this client came with is not trusted any more"
EXPIRED = "the token that this client came with has expired"


def standing(connection: sqlite3.Connection, credential: Credential, now: int) -> tuple[str | None, int | None]:
    """Why a credential proves nothing at `now`, or None; and when it expires (both microseconds since the epoch).

    Raises sqlite3.Error.
    """
    return _WAYS[credential.kind](connection, credential, now)


def _of_key(connection: sqlite3.Connection, credential: Credential, now: int) -> tuple[str | None, int | None]:
    found = connection.execute(_CREDENTIAL, (credential.id, "key")).fetchone()
    if found is None:
        return "the key that this client came with is gone from the registry", None
    expires_at, revoked_at = found
    why = barred("key", expires_at, revoked_at, timestamp(now))
    return why, None if expires_at is None else moment(expires_at)


def _of_signed(connection: sqlite3.Connection, credential: Credential, now: int) -> tuple[str | None, int | None]:
    known = connection.execute(_CREDENTIAL, (credential.id, "signed")).fetchone()
    if connection.execute(_SIGNING_KEY, (credential.signer,)).fetchone() is None:
        return RETIRED, credential.expires
    if (known is not None and known[1] is not None) or _is_revoked(connection, OWN, credential):
        return REVOKED, credential.expires
    return _unless_expired(credential, now)


def _of_issued(connection: sqlite3.Connection, credential: Credential, now: int) -> tuple[str | None, int | None]:
    issuer = connection.execute(_ISSUER, (credential.signer,)).fetchone()
    if issuer is None:
        return REMOVED, credential.expires
    if _is_revoked(connection, issuer[0], credential):
        return REVOKED, credential.expires
    return _unless_expired(credential, now)


def _is_revoked(connection: sqlite3.Connection, issuer: str, credential: Credential) -> bool:
    return bool(credential.id) and connection.execute(_REVOKED, (issuer, credential.id)).fetchone() is not None


def _unless_expired(credential: Credential, now: int) -> tuple[str | None, int | None]:
    over = credential.expires is not None and now >= credential.expires
    return (EXPIRED if over else None), credential.expires


_Way = Callable[[sqlite3.Connection, Credential, int], tuple[str | None, int | None]]
_WAYS: Mapping[CredentialKind, _Way] = {"key": _of_key, "signed": _of_signed, "issued": _of_issued}

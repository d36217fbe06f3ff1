"""Credentials in the registry: each proves to be one agent, until it expires or is revoked.

A virtual key is 256 random bits, so there is nothing to guess and no need of a slow hash; a signed token says itself
what it proves (`tokens` checks it). Either is shown once, when it is made; what is kept is its SHA-256.
"""

import hmac
import os
import re
import sqlite3
from base64 import urlsafe_b64encode
from hashlib import sha256

import msgspec

from mcp_guard.governance.credential import Credential
from mcp_guard.identity.errors import CredentialError
from mcp_guard.slugs import is_agent
from mcp_guard.store.registry.book import Book, Change, ConflictError, NotFoundError, Row
from mcp_guard.store.registry.checks import check_agent, expiry, kept_reason

PREFIX = "mcpg_"
"""What a key begins with: people and secret scanners know it by that."""

_KEY = re.compile(r"mcpg_([0-9A-HJKMNP-TV-Z]{26})_([A-Za-z0-9_-]{43})")
_COLUMNS = "id, agent, kind, user, signed_by, created_at, created_by, expires_at, revoked_at"
_FIND = "SELECT agent, hash, expires_at, revoked_at FROM credentials WHERE id = ? AND kind = 'key'"


class Proof(msgspec.Struct, frozen=True):
    """What a credential proves: to be this agent (a token may be about a user only), and this user of these groups,
    where it says so.
    """

    agent: str | None
    credential: Credential
    user: str | None = None
    groups: tuple[str, ...] = ()


def issue(book: Book, agent: str, *, expires: int | None = None) -> tuple[str, Row]:
    """A new key for an agent, which is kept nowhere, and what is kept of it. `expires` is microseconds since the epoch.

    Raises InvalidError.
    """
    check_agent(agent)
    credential = book.new_id()
    key = f"{PREFIX}{credential}_{urlsafe_b64encode(os.urandom(32)).decode().rstrip('=')}"
    with book.changing() as change:
        until = expiry(change, expires)
        change.insert(
            "credentials",
            id=credential,
            agent=agent,
            hash=digest(key),
            created_at=change.at,
            created_by=book.actor,
            expires_at=until,
        )
        change.tell("credential.issued", agent, {"expires_at": until}, rule=credential)
    return key, get(book, credential)


def enter(
    change: Change, book: Book, token: str, *, id: str, agent: str, user: str | None, signed_by: str, expires_at: str
) -> None:
    """Keep that a token was signed here, so that it is listed and can be revoked."""
    change.insert(
        "credentials",
        id=id,
        agent=agent,
        kind="signed",
        hash=digest(token),
        user=user,
        signed_by=signed_by,
        created_at=change.at,
        created_by=book.actor,
        expires_at=expires_at,
    )
    change.tell("credential.issued", agent, {"expires_at": expires_at, "key": signed_by, "user": user}, rule=id)


def listed(book: Book, *, agent: str | None = None) -> list[Row]:
    """The keys and signed tokens of an agent, or of all, latest first."""
    found = book.rows(f"SELECT {_COLUMNS} FROM credentials ORDER BY created_at DESC, id DESC")
    return [row for row in found if agent is None or row["agent"] == agent]


def get(book: Book, credential: str) -> Row:
    """One key or signed token. Raises NotFoundError."""
    found = book.one(f"SELECT {_COLUMNS} FROM credentials WHERE id = ?", (credential,))
    if found is None:
        raise NotFoundError(
            f"there is no key or token `{credential}`",
            "`mcp-guard agents tokens` shows those that were made here; of others, say who made it: --issuer",
        )
    return found


def revoke(book: Book, credential: str, reason: str = "") -> Row:
    """Make a key or token worth nothing, from the next call on. Raises NotFoundError, ConflictError."""
    reason = kept_reason(reason)
    known = get(book, credential)
    if known["revoked_at"] is not None:
        raise ConflictError(f"`{credential}` is revoked already")
    with book.changing() as change:
        change.execute("UPDATE credentials SET revoked_at = ? WHERE id = ?", (change.at, credential))
        change.tell("credential.revoked", known["agent"], {"reason": reason}, rule=credential)
    return get(book, credential)


def prove(connection: sqlite3.Connection, key: str, at: str) -> Proof:
    """What a key proves at this time (as the tables hold it). Raises CredentialError, sqlite3.Error."""
    parts = _KEY.fullmatch(key)
    found = None if parts is None else connection.execute(_FIND, (parts[1],)).fetchone()
    if parts is None or found is None or not hmac.compare_digest(found[1], digest(key)):
        raise CredentialError("the key is none that this registry knows", "make one: mcp-guard agents token SLUG")
    why = barred("key", found[2], found[3], at)
    if why is not None:
        raise CredentialError(why, f"make a new one: mcp-guard agents token {found[0]}")
    if not is_agent(found[0]):
        raise CredentialError("the key is for what cannot be an agent", "make a new one: mcp-guard agents token SLUG")
    return Proof(found[0], Credential("key", parts[1]))


def barred(what: str, expires_at: str | None, revoked_at: str | None, at: str) -> str | None:
    """Why a key or token with these times proves nothing at this one, or None."""
    if revoked_at is not None:
        return f"the {what} that this client came with was revoked"
    return f"the {what} that this client came with has expired" if expires_at is not None and expires_at <= at else None


def digest(text: str) -> str:
    """What a key or token is kept as."""
    return sha256(text.encode()).hexdigest()

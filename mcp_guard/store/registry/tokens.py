"""Signed tokens: made with a key of the registry, proven by its keys and issuers, revoked by their ids."""

import sqlite3

from mcp_guard.governance.credential import Credential
from mcp_guard.identity import OWN
from mcp_guard.identity.errors import CredentialError
from mcp_guard.identity.issuers import OWN_DEMANDS
from mcp_guard.identity.jws import Presented, read
from mcp_guard.identity.key_sets import KeySets
from mcp_guard.identity.keys import private_of_pem, public_of
from mcp_guard.identity.proving import prove as prove_token
from mcp_guard.store.registry import credentials, issuers, keys
from mcp_guard.store.registry.book import Book, ConflictError, InvalidError, Row
from mcp_guard.store.registry.checks import check_agent, check_label, kept_reason
from mcp_guard.store.registry.credentials import Proof
from mcp_guard.store.registry.standing import standing
from mcp_guard.store.rows import timestamp

USUAL = 30 * 86_400  # seconds for which a token is good if nobody says otherwise
_SECOND = 1_000_000


def issue(
    book: Book,
    agent: str,
    private_pem: str,
    *,
    expires: int | None = None,
    user: str | None = None,
    groups: tuple[str, ...] = (),
) -> tuple[str, Row]:
    """Sign a token for an agent, and a user, which is kept nowhere; and what is kept of it. `expires` is microseconds
    since the epoch. Raises InvalidError, BadKeyError, NotFoundError, ConflictError.
    """
    from mcp_guard.identity.signing import sign

    check_agent(agent)
    for label in (*groups, *((user,) if user is not None else ())):
        check_label(label)
    key = keys.by_public(book, public_of(private_of_pem(private_pem)))["id"]
    now, made = book.now // _SECOND, book.new_id()
    until = now + USUAL if expires is None else expires // _SECOND
    if not now < until <= now + OWN_DEMANDS.longest:
        raise InvalidError(f"a token is good for at most {OWN_DEMANDS.longest // 86_400} days", "such as --expires 30d")
    token = sign(private_pem, key, token=made, agent=agent, issued=now, expires=until, user=user, groups=groups)
    with book.changing() as change:
        at = timestamp(until * _SECOND)
        credentials.enter(change, book, token, id=made, agent=agent, user=user, signed_by=key, expires_at=at)
    return token, credentials.get(book, made)


def revoke(book: Book, token: str, issuer: str, reason: str = "") -> Row:
    """Make a token that was made elsewhere worth nothing, from the next call on: by its id (`jti`) and its issuer.

    Raises InvalidError, NotFoundError, ConflictError.
    """
    reason = kept_reason(reason)
    check_label(token)
    if issuer != OWN:
        issuers.get(book, issuer)
    if book.one("SELECT 1 FROM revoked_tokens WHERE issuer = ? AND token = ?", (issuer, token)) is not None:
        raise ConflictError(f"the token `{token}` of {issuer} is revoked already")
    with book.changing() as change:
        change.insert("revoked_tokens", issuer=issuer, token=token, revoked_at=change.at)
        change.tell("credential.revoked", None, {"issuer": issuer, "reason": reason}, rule=token)
    return {"id": token, "issuer": issuer, "revoked_at": change.at}


def prove(connection: sqlite3.Connection, text: str, now: int, key_sets: KeySets) -> Proof:
    """What a token proves at `now` (microseconds since the epoch).

    Raises CredentialError, KeysPendingError, BadKeyError, sqlite3.Error.
    """
    presented = read(text)
    if presented.issuer == OWN:
        proof = _own(connection, presented, now)
    else:
        proof = _foreign(connection, presented, now, key_sets)
    why, _ = standing(connection, proof.credential, now)
    if why is not None:
        raise CredentialError(why)
    return proof


def _own(connection: sqlite3.Connection, presented: Presented, now: int) -> Proof:
    identity, key = prove_token(presented, keys.in_use(connection), OWN_DEMANDS, now)
    if not identity.token:
        raise CredentialError("the token has no id (`jti`), by which it could be revoked")
    credential = Credential("signed", identity.token, key.id or "", identity.expires)
    return Proof(identity.agent, credential, identity.user, identity.groups)


def _foreign(connection: sqlite3.Connection, presented: Presented, now: int, key_sets: KeySets) -> Proof:
    issuer = issuers.find(connection, presented.issuer)
    if issuer is None:
        raise CredentialError("the token is of an issuer that is not trusted here")
    found = key_sets.keys(issuer.keys, presented.key_id)
    identity, _ = prove_token(presented, found, issuer.demands, now)
    credential = Credential("issued", identity.token, issuer.id, identity.expires)
    return Proof(identity.agent, credential, identity.user, identity.groups)

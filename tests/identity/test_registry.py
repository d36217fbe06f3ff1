"""What the registry makes of tokens over time: made, revoked, their keys retired, their issuer removed."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.identity.errors import CredentialError
from mcp_guard.identity.issuers import Issuer
from mcp_guard.identity.key_sets import KeySets
from mcp_guard.identity.keys import BadKeyError
from mcp_guard.store import Store
from mcp_guard.store.registry import credentials, issuers, keys, tokens
from mcp_guard.store.registry.book import Book, ConflictError, InvalidError, NotFoundError
from mcp_guard.store.registry.credentials import Proof
from tests.identity import forging

NOW = 1_790_000_000_000_000  # microseconds since the epoch
SECOND = 1_000_000
DAY = 86_400 * SECOND
ISSUER = "https://login.acme.example"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Book(str(tmp_path / "audit.db"), "kim", lambda: NOW) as opened:
        yield opened


@pytest.fixture
def store(book: Book) -> Iterator[Store]:
    opened = Store.open(book.path)
    yield opened
    opened.close()


def prove(book: Book, text: str) -> Proof:
    connection = sqlite3.connect(book.path)
    try:
        return tokens.prove(connection, text, NOW, KeySets())
    finally:
        connection.close()


def signed(book: Book, **more: Any) -> tuple[str, str, str]:
    """A token, its id, and the id of its key."""
    private, key = keys.add(book)
    text, kept = tokens.issue(book, "cursor", private, **more)
    return text, kept["id"], key["id"]


def issued(book: Book, home: Path, **more: Any) -> tuple[str, str]:
    """A token of an issuer that is trusted from now on, and its id."""
    key = forging.rsa()
    (home / "keys.json").write_bytes(forging.jwks(forging.jwk(key)))
    issuers.add(book, Issuer("", ISSUER, "guard", str(home / "keys.json"), agent_claim="/app/agent", **more))
    claims = {"iss": ISSUER, "aud": "guard", "sub": "ann", "app": {"agent": "cursor"}, "jti": "x1"}
    return forging.token(key, {"alg": "RS256"}, {**claims, "exp": NOW // SECOND + 60}), "x1"


def test_a_token_is_shown_once_and_kept_as_a_digest(book: Book) -> None:
    text, made, key = signed(book, user="ann", groups=("staff",))
    proof = prove(book, text)
    assert (proof.agent, proof.user, proof.groups, proof.credential.id) == ("cursor", "ann", ("staff",), made)
    (listed,) = credentials.listed(book)
    assert (listed["kind"], listed["user"], listed["signed_by"]) == ("signed", "ann", key)
    assert text.split(".")[2] not in Path(book.path).read_bytes().decode("latin-1")
    assert text.split(".")[2] not in Path(book.path + "-wal").read_bytes().decode("latin-1")


def test_only_the_public_half_of_a_key_is_kept(book: Book) -> None:
    private, _ = keys.add(book)
    secret = private.splitlines()[1].encode()
    assert all(secret not in path.read_bytes() for path in Path(book.path).parent.iterdir())


ENDINGS: dict[str, tuple[Callable[[Book, str, str], object], str]] = {
    "the token is revoked": (lambda book, token, key: credentials.revoke(book, token), "revoked"),
    "it is revoked as one made elsewhere": (
        lambda book, token, key: tokens.revoke(book, token, "mcp-guard"),
        "revoked",
    ),
    "its key is retired": (lambda book, token, key: keys.retire(book, key), "retired"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_ends_a_token_ends_it_for_connections_that_stand(book: Book, store: Store, name: str) -> None:
    text, made, key = signed(book)
    end, why = ENDINGS[name]
    proof = prove(book, text)
    before = store.registry_version()
    assert store.snapshot("cursor", proof.credential, NOW).barred is None
    end(book, made, key)
    assert store.registry_version() > before
    assert why in (store.snapshot("cursor", proof.credential, NOW).barred or "")
    with pytest.raises(CredentialError):
        prove(book, text)


def test_a_token_ends_by_itself_during_a_connection(book: Book, store: Store) -> None:
    text, _, _ = signed(book, expires=NOW + 60 * SECOND)
    proof = prove(book, text)
    end = NOW + 60 * SECOND
    standing = store.snapshot("cursor", proof.credential, NOW)
    assert (standing.barred, standing.changes_at) == (None, end)
    assert "expired" in (store.snapshot("cursor", proof.credential, end).barred or "")


def test_an_issuers_token_ends_with_its_id_or_its_issuer(book: Book, store: Store, tmp_path: Path) -> None:
    text, made = issued(book, tmp_path)
    proof = prove(book, text)
    assert (proof.agent, proof.user) == ("cursor", "ann")
    tokens.revoke(book, made, ISSUER)
    assert "revoked" in (store.snapshot("cursor", proof.credential, NOW).barred or "")
    issuers.remove(book, ISSUER)
    assert "not trusted any more" in (store.snapshot("cursor", proof.credential, NOW).barred or "")


def test_an_issuer_that_comes_back_is_another_one(book: Book, store: Store, tmp_path: Path) -> None:
    text, _ = issued(book, tmp_path)
    proof = prove(book, text)
    issuers.remove(book, ISSUER)
    issuers.add(book, Issuer("", ISSUER, "somebody-else", str(tmp_path / "keys.json")))
    assert store.snapshot("cursor", proof.credential, NOW).barred is not None


def test_a_token_may_be_about_a_user_only(book: Book, tmp_path: Path) -> None:
    key = forging.ed25519()
    (tmp_path / "keys.json").write_bytes(forging.jwks(forging.jwk(key, kid="a"), forging.jwk(forging.p256(), kid="b")))
    issuers.add(book, Issuer("", ISSUER, "guard", str(tmp_path / "keys.json")))
    claims = {"iss": ISSUER, "aud": "guard", "sub": "ann", "exp": NOW // SECOND + 60}
    proof = prove(book, forging.token(key, {"alg": "EdDSA", "kid": "a"}, claims))
    assert (proof.agent, proof.user) == (None, "ann")


def test_keys_are_rotated_by_adding_signing_and_retiring(book: Book) -> None:
    former, _, former_key = signed(book)
    latter, _, _ = signed(book)
    assert prove(book, former).credential.signer != prove(book, latter).credential.signer
    keys.retire(book, former_key)
    assert prove(book, latter).agent == "cursor"
    with pytest.raises(CredentialError):
        prove(book, former)


def _bad_issuer(**more: Any) -> Callable[[Book], object]:
    usual = {"id": "", "issuer": ISSUER, "audience": "guard", "keys": "keys.json"}
    return lambda book: issuers.add(book, Issuer(**{**usual, **more}))


def _sign(agent: str = "cursor", **more: Any) -> Callable[[Book], object]:
    return lambda book: tokens.issue(book, agent, keys.add(book)[0], **more)


def _sign_with_retired(book: Book) -> object:
    private, key = keys.add(book)
    keys.retire(book, key["id"])
    return tokens.issue(book, "cursor", private)


REFUSED: dict[str, tuple[Callable[[Book], object], type[Exception]]] = {
    "a token good for too long": (_sign(expires=NOW + 91 * DAY), InvalidError),
    "a token that is over": (_sign(expires=NOW), InvalidError),
    "a token of nobody": (_sign(""), InvalidError),
    "a user with a line end": (_sign(user="a\nb"), InvalidError),
    "signing with a key of somewhere else": (
        lambda book: tokens.issue(book, "cursor", keys.add(book)[0].replace("PRIVATE", "PUBLIC")),
        BadKeyError,
    ),
    "signing with a retired key": (_sign_with_retired, ConflictError),
    "retiring what is not there": (lambda book: keys.retire(book, "x"), NotFoundError),
    "an issuer without TLS": (_bad_issuer(issuer="http://login.acme.example"), InvalidError),
    "an issuer that would be us": (_bad_issuer(issuer="mcp-guard"), InvalidError),
    "keys without TLS": (_bad_issuer(keys="http://login.acme.example/keys"), InvalidError),
    "keys of another scheme": (_bad_issuer(keys="ftp://login.acme.example/keys"), InvalidError),
    "no audience": (_bad_issuer(audience=""), InvalidError),
    "tokens about nobody": (_bad_issuer(user_claim=None), InvalidError),
    "tokens that are good for ever": (_bad_issuer(longest=10**9), InvalidError),
    "an issuer that is not there": (lambda book: issuers.remove(book, ISSUER), NotFoundError),
    "a token of an issuer that is not there": (lambda book: tokens.revoke(book, "x", ISSUER), NotFoundError),
    "a key or token that is not there": (lambda book: credentials.revoke(book, "x"), NotFoundError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused(book: Book, name: str) -> None:
    change, error = REFUSED[name]
    with pytest.raises(error):
        change(book)


def test_every_change_is_an_event_with_who_made_it(book: Book, tmp_path: Path) -> None:
    _, made, key = signed(book)
    credentials.revoke(book, made)
    keys.retire(book, key)
    issued(book, tmp_path)
    issuers.remove(book, ISSUER)
    told = book.rows("SELECT type, json_extract(data, '$.by') AS by FROM events ORDER BY seq")
    kinds = ["key.added", "credential.issued", "credential.revoked", "key.retired", "issuer.added", "issuer.removed"]
    assert [(row["type"], row["by"]) for row in told] == [(kind, "kim") for kind in kinds]

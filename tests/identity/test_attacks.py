"""Every way to pass a token off as what it is not: refused, recorded, and the token in no text.

What is asked is the whole of it, `store.registry.tokens.prove`, over a registry with two signing keys (one more is
retired) and one issuer.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.identity.claims import Demands, check
from mcp_guard.identity.errors import CredentialError
from mcp_guard.identity.issuers import Issuer
from mcp_guard.identity.key_sets import KeySets
from mcp_guard.identity.keys import private_of_pem
from mcp_guard.store.registry import issuers, keys, tokens
from mcp_guard.store.registry.book import Book
from tests.identity import forging
from tests.identity.forging import Private, token

NOW = 1_790_000_000
SECOND = 1_000_000
ISSUER = "https://login.acme.example"


class World(NamedTuple):
    """A registry, and what is needed to make tokens for it."""

    connection: sqlite3.Connection
    book: Book
    own: Private
    own_id: str
    retired: Private
    retired_id: str
    theirs: Private
    rsa: Private
    key_sets: KeySets

    def own_header(self, **more: Any) -> dict[str, Any]:
        return {"alg": "EdDSA", "kid": self.own_id, "typ": "JWT", **more}

    def own_claims(self, **more: Any) -> dict[str, Any]:
        usual = {"iss": "mcp-guard", "aud": "mcp-guard", "sub": "cursor", "jti": "t1", "iat": NOW, "exp": NOW + 3600}
        return _without_none({**usual, **more})

    def their_header(self, **more: Any) -> dict[str, Any]:
        return {"alg": "ES256", "kid": "e1", **more}

    def their_claims(self, **more: Any) -> dict[str, Any]:
        usual = {"iss": ISSUER, "aud": "guard", "azp": "cursor", "email": "ann@acme.example", "sub": "17"}
        return _without_none({**usual, "iat": NOW, "exp": NOW + 3600, "groups": ["staff"], **more})

    def own_token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        return token(self.own, self.own_header(**header or {}), self.own_claims(**claims))

    def their_token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        return token(self.theirs, self.their_header(**header or {}), self.their_claims(**claims))

    def prove(self, text: str, now: int = NOW) -> tokens.Proof:
        return tokens.prove(self.connection, text, now * SECOND, self.key_sets)


def _without_none(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home: Path = tmp_path_factory.mktemp("world")
    theirs, theirs_too = forging.p256(), forging.rsa()
    (home / "jwks.json").write_bytes(
        forging.jwks(forging.jwk(theirs, kid="e1"), forging.jwk(theirs_too, kid="r1", alg="RS256", use="sig"))
    )
    with Book(str(home / "audit.db"), "kim", lambda: NOW * SECOND) as book:
        private, own = keys.add(book)
        keys.add(book)
        former, retired = keys.add(book)
        keys.retire(book, retired["id"])
        places = {"agent_claim": "azp", "user_claim": "email", "groups_claim": "groups"}
        issuers.add(book, Issuer("", ISSUER, "guard", str(home / "jwks.json"), **places))
        connection = sqlite3.connect(book.path)
        pems = private_of_pem(private), private_of_pem(former)
        yield World(
            connection, book, pems[0], own["id"], pems[1], retired["id"], theirs, theirs_too, KeySets(clock=lambda: 0.0)
        )
        connection.close()


def test_our_own_token_proves_an_agent_and_a_user(world: World) -> None:
    proof = world.prove(world.own_token(user="ann@acme.example", groups=["staff"]))
    assert (proof.agent, proof.user, proof.groups) == ("cursor", "ann@acme.example", ("staff",))
    assert (proof.credential.kind, proof.credential.id, proof.credential.signer) == ("signed", "t1", world.own_id)


def test_an_issuers_token_proves_what_its_claims_are_said_to_mean(world: World) -> None:
    proof = world.prove(world.their_token())
    assert (proof.agent, proof.user, proof.groups) == ("cursor", "ann@acme.example", ("staff",))
    by_rsa = token(world.rsa, {"alg": "RS256", "kid": "r1", "typ": "at+jwt"}, world.their_claims(aud=["x", "guard"]))
    assert world.prove(by_rsa).agent == "cursor"


def _two_signatures(world: World) -> str:
    protected, payload, signature = world.own_token().split(".")
    return json.dumps({"payload": payload, "signatures": 2 * [{"protected": protected, "signature": signature}]})


def _tampered(world: World) -> str:
    header, _, signature = world.own_token().split(".")
    return f"{header}.{forging.part(world.own_claims(sub='admin'))}.{signature}"


def _detached(world: World) -> str:
    header, _, signature = world.own_token().split(".")
    return f"{header}..{signature}"


def _repeated_name(world: World) -> str:
    claims = json.dumps(world.own_claims())
    return token(world.own, world.own_header(), f'{claims[:-1]}, "sub": "admin"}}'.encode())


def _looser_text(world: World) -> str:
    """The same bytes of a signature, with other spare bits in its last character."""
    text = world.own_token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def _unsigned(world: World, alg: str) -> str:
    return f"{forging.part(world.own_header(alg=alg))}.{forging.part(world.own_claims())}."


def _foreign_key(world: World, **header: Any) -> str:
    """Signed with a key of the attacker's own, which the header brings along."""
    attacker = forging.ed25519()
    brought = {"jwk": forging.jwk(attacker), "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert"}
    return token(attacker, world.own_header(**brought, **header), world.own_claims())


def _secret(world: World, header: dict[str, Any], secret: bytes) -> str:
    return forging.with_secret(secret, header, world.own_claims())


Attack = Callable[[World], str]
ATTACKS: dict[str, tuple[Attack, str]] = {
    "algorithm none": (lambda w: _unsigned(w, "none"), "not signed"),
    "algorithm None": (lambda w: _unsigned(w, "None"), "not signed"),
    "none with a signature": (lambda w: w.own_token({"alg": "none"}), "not signed with EdDSA"),
    "HS256 with the public key as PEM": (
        lambda w: _secret(w, w.own_header(alg="HS256"), forging.public_pem(w.own)),
        "not signed with EdDSA",
    ),
    "HS256 with the public key as it is": (
        lambda w: _secret(w, w.own_header(alg="HS256"), w.own.public_key().public_bytes_raw()),  # type: ignore[union-attr]
        "not signed with EdDSA",
    ),
    "HS256 with an issuer's public key": (
        lambda w: forging.with_secret(forging.public_pem(w.rsa), {"alg": "HS256", "kid": "r1"}, w.their_claims()),
        "not signed with RS256",
    ),
    "an algorithm that is not the key's": (lambda w: w.own_token({"alg": "ES256"}), "not signed with EdDSA"),
    "no algorithm": (lambda w: token(w.own, {"kid": w.own_id}, w.own_claims()), "not signed with EdDSA"),
    "an algorithm that is a list": (lambda w: w.own_token({"alg": ["EdDSA"]}), "not signed with EdDSA"),
    "a wrong key under a known name": (
        lambda w: token(forging.ed25519(), w.own_header(), w.own_claims()),
        "signature is not that of its key",
    ),
    "an issuer's key for our own": (lambda w: token(w.theirs, w.own_header(), w.own_claims()), "signature is not"),
    "our own key for an issuer's": (
        lambda w: token(w.own, {"alg": "EdDSA", "kid": w.own_id}, w.their_claims()),
        "a key that is not known",
    ),
    "an unknown key": (lambda w: w.own_token({"kid": "unknown"}), "a key that is not known"),
    "a key id that is a path": (lambda w: w.own_token({"kid": "../../dev/null"}), "a key that is not known"),
    "a key id that is SQL": (lambda w: w.own_token({"kid": "' OR 1=1 --"}), "a key that is not known"),
    "a key id that is no text": (lambda w: w.own_token({"kid": 1}), "`kid` is no text"),
    "no key id where there are several": (
        lambda w: token(w.own, {"alg": "EdDSA"}, w.own_claims()),
        "does not name its key",
    ),
    "a retired key": (
        lambda w: token(w.retired, w.own_header(kid=w.retired_id), w.own_claims()),
        "a key that is not known",
    ),
    "keys of the attacker's in the header": (_foreign_key, "signature is not that of its key"),
    "another audience": (lambda w: w.own_token(aud="somebody-else"), "another audience"),
    "another audience of an issuer": (lambda w: w.their_token(aud="other"), "another audience"),
    "part of the audience": (lambda w: w.their_token(aud="guard2"), "another audience"),
    "no audience": (lambda w: w.own_token(aud=None), "another audience"),
    "an audience within a list within a list": (lambda w: w.own_token(aud=[["mcp-guard"]]), "another audience"),
    "an unknown issuer": (lambda w: w.own_token(iss="https://evil.example"), "an issuer that is not trusted"),
    "no issuer": (lambda w: w.own_token(iss=None), "an issuer that is not trusted"),
    "an issuer that is a list": (lambda w: w.own_token(iss=["mcp-guard"]), "an issuer that is not trusted"),
    "an issuer but for a slash": (lambda w: w.their_token(iss=f"{ISSUER}/"), "an issuer that is not trusted"),
    "an agent that none can be": (lambda w: w.own_token(sub="BAD SLUG"), "`sub` cannot be the slug of an agent"),
    "an agent that is too short": (lambda w: w.own_token(sub="ab"), "`sub` cannot be the slug of an agent"),
    "an agent that is a path": (lambda w: w.their_token(azp="../x"), "`azp` cannot be the slug of an agent"),
    "expired": (lambda w: w.own_token(iat=NOW - 100, exp=NOW - 60), "has expired"),
    "not valid yet": (lambda w: w.own_token(nbf=NOW + 60), "not valid yet"),
    "issued in the future": (lambda w: w.own_token(iat=NOW + 60), "issued in the future"),
    "without an end": (lambda w: w.own_token(exp=None), "never expires"),
    "an end that is no time": (lambda w: w.own_token(exp=True), "`exp` is no time"),
    "an end that is a text": (lambda w: w.own_token(exp=str(NOW + 60)), "`exp` is no time"),
    "an endless end": (lambda w: token(w.own, w.own_header(), b'{"iss":"mcp-guard","exp":1e999}'), "another audience"),
    "an end that is infinite": (
        lambda w: token(w.own, w.own_header(), json.dumps(w.own_claims(exp=0)).replace(": 0", ": 1e999").encode()),
        "`exp` is no time",
    ),
    "good for too long": (lambda w: w.own_token(exp=NOW + 91 * 86_400), "longer than 90 days"),
    "good for too long, without a beginning": (
        lambda w: w.own_token(iat=None, exp=NOW + 91 * 86_400),
        "longer than 90 days",
    ),
    "good for longer than its issuer may": (lambda w: w.their_token(exp=NOW + 2 * 86_400), "longer than 24 hours"),
    "no id by which it could be revoked": (lambda w: w.own_token(jti=None), "no id"),
    "no agent": (lambda w: w.own_token(sub=None), "which agent"),
    "an agent that is no text": (lambda w: w.own_token(sub={"name": "cursor"}), "not a short text"),
    "an agent with a line end": (lambda w: w.own_token(sub="cursor\nadmin"), "not a short text"),
    "an agent that is half a character": (lambda w: w.own_token(sub="\ud800"), "not a short text"),
    "groups that are none": (lambda w: w.own_token(user="ann", groups=[1]), "no list"),
    "an e-mail address that nobody verified": (lambda w: w.their_token(email_verified=False), "never verified"),
    "bound to a key of its owner": (lambda w: w.own_token(cnf={"jkt": "x"}), "bound to a key"),
    "tampered": (_tampered, "signature is not that of its key"),
    "two signatures": (_two_signatures, "three parts"),
    "five parts": (lambda w: f"{w.own_token()}.a.b", "three parts"),
    "a detached payload": (_detached, "three parts"),
    "an extension that must be understood": (
        lambda w: w.own_token({"crit": ["exp"], "exp": NOW}),
        "an extension that is not known",
    ),
    "an unencoded payload": (lambda w: w.own_token({"b64": False, "crit": ["b64"]}), "an extension"),
    "a token for another use": (lambda w: w.own_token({"typ": "logout+jwt"}), "a type that is not"),
    "a name twice": (_repeated_name, "names something twice"),
    "the same bytes in another text": (_looser_text, "canonical"),
    "padding": (lambda w: w.own_token() + "==", "three parts"),
    "a line end": (lambda w: w.own_token() + "\n", "three parts"),
    "huge": (lambda w: w.own_token(padding="x" * 20_000), "longer than"),
    "deeply nested": (lambda w: token(w.own, b"[" * 4_000 + b"]" * 4_000, {}), "no JSON object"),
    "a header that is a list": (lambda w: token(w.own, [], w.own_claims()), "no JSON object"),
    "claims that are a text": (lambda w: token(w.own, w.own_header(), "sub"), "no JSON object"),
    "nothing": (lambda w: "..", "three parts"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_token_that_is_not_what_it_seems_proves_nothing(world: World, name: str) -> None:
    attack, why = ATTACKS[name]
    text = attack(world)
    with pytest.raises(CredentialError, match=why) as caught:
        world.prove(text)
    said = f"{caught.value.message} {caught.value.hint}"
    assert all(piece not in said for piece in text.split(".") if len(piece) > 8)


@pytest.mark.parametrize("named", ["email", "/email"])
def test_an_address_that_nobody_verified_is_none_however_its_claim_is_named(world: World, named: str) -> None:
    demands = Demands(ISSUER, "guard", None, named, None, 86_400)
    assert check(world.their_claims(), demands, NOW * SECOND).user == "ann@acme.example"
    with pytest.raises(CredentialError, match="never verified"):
        check(world.their_claims(email_verified=False), demands, NOW * SECOND)


def test_keys_that_a_header_brings_along_are_not_looked_at(world: World) -> None:
    """A token that is otherwise right is no worse for them: they are nothing."""
    assert world.prove(world.own_token({"jwk": {"kty": "oct", "k": "x"}, "x5u": "https://x.example"})).agent == "cursor"


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_no_mutation_of_a_token_is_accepted(world: World, data: st.DataObject) -> None:
    text = world.own_token() if data.draw(st.booleans()) else world.their_token()
    at = data.draw(st.integers(0, len(text)))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete", "swap"]))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz0189-_.=+/ \n%\0é"))
    mutated = {
        "replace": text[:at] + letter + text[at + 1 :],
        "insert": text[:at] + letter + text[at:],
        "delete": text[:at] + text[at + data.draw(st.integers(1, 30)) :],
        "swap": text[at:] + text[:at],
    }[kind]
    if mutated != text:
        with pytest.raises(CredentialError):
            world.prove(mutated)


OWN, THEIRS = World.own_token, World.their_token
TIMES = [
    ("theirs, a moment after its end, within the leeway", THEIRS, {"exp": NOW + 60}, NOW + 89, 90),
    ("theirs, after its end and the leeway", THEIRS, {"exp": NOW + 60}, NOW + 90, None),
    ("our own, a moment before its end", OWN, {"exp": NOW + 60}, NOW + 59, 60),
    ("our own, at its end: there is one clock", OWN, {"exp": NOW + 60}, NOW + 60, None),
    ("a moment before its beginning, within the leeway", OWN, {"nbf": NOW + 30, "exp": NOW + 60}, NOW, 60),
    ("a moment before it was issued, within the leeway", OWN, {"iat": NOW + 30, "exp": NOW + 60}, NOW, 60),
]


@pytest.mark.parametrize(
    ("made", "claims", "now", "good_until"), [case[1:] for case in TIMES], ids=[case[0] for case in TIMES]
)
def test_clocks_may_differ_by_half_a_minute_but_for_the_end_of_our_own_tokens(
    world: World, made: Callable[..., str], claims: dict[str, Any], now: int, good_until: int | None
) -> None:
    text = made(world, **claims)
    if good_until is not None:
        assert world.prove(text, now).credential.expires == (NOW + good_until) * SECOND
    else:
        with pytest.raises(CredentialError, match="has expired"):
            world.prove(text, now)

"""Public keys that tokens are checked with, each for one algorithm; and the pairs that a person signs with.

Which algorithm a key is for follows from the key, never from a token: Ed25519 is for EdDSA, P-256 for ES256, RSA for
RS256. There is no other, and above all none with a shared secret: a public key can never be taken for one.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast

import msgspec

from mcp_guard.errors import GuardError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Algorithm = Literal["EdDSA", "ES256", "RS256"]
_FORMS: Mapping[tuple[object, object], Algorithm] = {
    ("OKP", "Ed25519"): "EdDSA",
    ("EC", "P-256"): "ES256",
    ("RSA", None): "RS256",
}
_SHORTEST_RSA = 2048  # bits (RFC 7518, 3.3)
_MOST_KEYS = 100  # of one issuer


class Key(msgspec.Struct, frozen=True):
    """A public key. `material` is the key itself, as the `cryptography` package has it."""

    id: str | None
    algorithm: Algorithm
    material: object


class BadKeyError(GuardError):
    """What should be a key, or a set of keys, is none."""


def of_pem(key_id: str, pem: str) -> Key:
    """One of the registry's own keys. Raises BadKeyError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        material = load_pem_public_key(pem.encode())
    except ValueError:
        material = None
    if not isinstance(material, Ed25519PublicKey):
        raise BadKeyError(f"the signing key `{key_id}` in the registry is no Ed25519 key")
    return Key(key_id, "EdDSA", material)


def of_set(text: bytes) -> tuple[Key, ...]:
    """The keys of an issuer, out of its JWK Set (RFC 7517). Those that are for something else are left out.

    Raises BadKeyError where it is no such set, or has no key to check signatures with.
    """
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    listed = cast("dict[str, object]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise BadKeyError("that is no JWK Set: it has no list `keys`")
    keys = [_of_jwk(jwk) for jwk in cast("list[object]", listed)[:_MOST_KEYS]]
    found = tuple(key for key in keys if key is not None)
    if not found:
        raise BadKeyError("the JWK Set has no key for RS256, ES256 or EdDSA")
    return found


def _of_jwk(jwk: object) -> Key | None:
    """A key for signatures, or None."""
    if not isinstance(jwk, dict):
        return None
    members = cast("dict[str, object]", jwk)
    algorithm = _FORMS.get((_text(members, "kty"), _text(members, "crv")))
    if algorithm is None or members.get("alg", algorithm) != algorithm or members.get("use", "sig") != "sig":
        return None
    operations, key_id = members.get("key_ops", ["verify"]), members.get("kid")
    if not isinstance(operations, list) or "verify" not in operations or not isinstance(key_id, str | None):
        return None
    from jwt import PyJWK, PyJWTError

    public = {name: value for name, value in members.items() if name in _PUBLIC}
    try:
        material: object = PyJWK(public, algorithm).key  # pyright: ignore[reportUnknownMemberType]
    except (PyJWTError, ValueError, TypeError):
        return None
    too_short = algorithm == "RS256" and getattr(material, "key_size", 0) < _SHORTEST_RSA
    return None if too_short else Key(key_id, algorithm, material)


_PUBLIC = ("kty", "crv", "x", "y", "n", "e")


def _text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None


# Pairs of keys, for whoever signs


def new_pair() -> tuple[str, str]:
    """A new Ed25519 key, as PEM: the private one, and the public one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return text, public_of(private)


def private_of_pem(pem: str) -> "Ed25519PrivateKey":
    """The private key that a file holds. Raises BadKeyError, which quotes nothing of it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a password
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise BadKeyError("that is no private Ed25519 key in PEM", "make one: mcp-guard agents keys add --out FILE")
    return private


def public_of(private: "Ed25519PrivateKey") -> str:
    """The public key that belongs to a private one, as PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

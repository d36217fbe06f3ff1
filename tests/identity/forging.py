"""Tokens as nobody here would make them, byte for byte as a test says; and the keys of a make-believe issuer."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Private = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
_ALGORITHMS: Mapping[type, jwt.algorithms.Algorithm] = {
    Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm(),
    EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256),
    RSAPrivateKey: jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256),
}


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value: object) -> str:
    return base64url(value if isinstance(value, bytes) else json.dumps(value).encode())


def algorithm_of(key: Private) -> jwt.algorithms.Algorithm:
    return next(algorithm for kind, algorithm in _ALGORITHMS.items() if isinstance(key, kind))


def token(key: Private, header: object, claims: object) -> str:
    """A token with just this header and these claims, rightly signed."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{base64url(algorithm_of(key).sign(signed.encode(), key))}"


def with_secret(secret: bytes, header: object, claims: object) -> str:
    """One that is signed with a shared secret (HS256)."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{base64url(hmac.digest(secret, signed.encode(), sha256))}"


def public_pem(key: Private) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: Private, **more: object) -> dict[str, Any]:
    """The public half as a JWK."""
    return {**json.loads(algorithm_of(key).to_jwk(key.public_key())), **more}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def rsa(bits: int = 2048) -> RSAPrivateKey:
    return generate_rsa(65537, bits)


def p256() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def ed25519() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()

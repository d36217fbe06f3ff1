"""A signed token as it comes (RFC 7515, compact form): read strictly, and checked against one key.

There is one way to write a token here, so that no two texts are the same token: three parts of canonical base64url, of
which the first two are JSON objects without repeated names. A header decides nothing but which key to try: keys in it
(`jwk`, `jku`, `x5c`, `x5u`) are never looked at, and an extension that must be understood (`crit`) is not.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import cast

import msgspec

from mcp_guard.identity.errors import CredentialError
from mcp_guard.identity.keys import Key

LONGEST = 16_384  # characters of a token
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})  # RFC 7519, 9068; others are tokens for another use

Members = Mapping[str, object]


class Presented(msgspec.Struct, frozen=True):
    """A token that somebody came with, and that nobody has vouched for yet."""

    text: str
    header: Members
    claims: Members

    @property
    def issuer(self) -> str:
        """Who it says that it is from."""
        said = self.claims.get("iss")
        return said if isinstance(said, str) else ""

    @property
    def key_id(self) -> str | None:
        """Which of its issuer's keys it says that it is signed with."""
        return cast("str | None", self.header.get("kid"))


def read(text: str) -> Presented:
    """A token by its text. Raises CredentialError for whatever is not one token in one way."""
    if len(text) > LONGEST:
        raise CredentialError(f"the token is longer than {LONGEST} characters")
    if _FORM.fullmatch(text) is None:
        raise CredentialError("the token is not three parts of base64url (a JWT in its compact form)")
    header, claims, signature = (_bytes(part) for part in text.split("."))
    if not signature:
        raise CredentialError("the token is not signed")
    presented = Presented(text, _members(header, "header"), _members(claims, "claims"))
    _check_header(presented.header)
    return presented


def check_signature(presented: Presented, key: Key) -> None:
    """Whether this key signed it, by the algorithm that the key is for. Raises CredentialError."""
    if presented.header.get("alg") != key.algorithm:
        raise CredentialError(f"the token is not signed with {key.algorithm}, which its key is for")
    from jwt import PyJWS, PyJWTError

    try:
        PyJWS(algorithms=[key.algorithm]).decode_complete(
            presented.text,
            key.material,  # pyright: ignore[reportArgumentType]  (one of the library's own key types: see `keys`)
            algorithms=[key.algorithm],
        )
    except (PyJWTError, ValueError, TypeError):
        raise CredentialError("the token's signature is not that of its key") from None


def _check_header(header: Members) -> None:
    if not isinstance(header.get("kid", ""), str):
        raise CredentialError("the token's `kid` is no text")
    if "crit" in header or "b64" in header:
        raise CredentialError("the token asks for an extension that is not known here")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise CredentialError("the token is of a type that is not for this use")


def _bytes(part: str) -> bytes:
    """The bytes of a part. Raises CredentialError where another text would be the same bytes."""
    try:
        found = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        found = None
    if found is None or urlsafe_b64encode(found).rstrip(b"=") != part.encode():
        raise CredentialError("the token is not in canonical base64url")
    return found


def _members(text: bytes, what: str) -> Members:
    try:
        found: object = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CredentialError(f"the token's {what} is no JSON object, or names something twice")
    return cast("Members", found)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _no_number(text: str) -> object:
    raise ValueError

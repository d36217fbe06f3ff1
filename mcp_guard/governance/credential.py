"""What a client has proven itself by: as much of a credential as is needed to tell whether it still stands."""

from typing import Literal

import msgspec

CredentialKind = Literal["key", "signed", "issued"]


class Credential(msgspec.Struct, frozen=True):
    """A virtual key of the registry; a token that a key of the registry `signed`; one that a trusted issuer `issued`.

    `id` is the key's or the token's own ("" where a token has none); `signer` is the id, in the registry, of the
    signing key or of the issuer; `expires` is when a token ends by its own account (microseconds since the epoch).
    """

    kind: CredentialKind
    id: str
    signer: str = ""
    expires: int | None = None

"""Making tokens of our own: what they claim, and their signature."""

from mcp_guard.identity import OWN
from mcp_guard.identity.keys import private_of_pem


def sign(
    private_pem: str, key_id: str, *, token: str, agent: str, issued: int, expires: int, user: str | None = None,
    groups: tuple[str, ...] = (),
) -> str:  # fmt: skip
    """A token (its id is `token`) that proves to be this agent, and this user, between two times (seconds since the
    epoch). Raises BadKeyError.
    """
    import json

    from jwt import PyJWS

    claims: dict[str, object] = {"iss": OWN, "aud": OWN, "sub": agent, "jti": token, "iat": issued, "exp": expires}
    if user is not None:
        claims["user"] = user
    if groups:
        claims["groups"] = list(groups)
    payload = json.dumps(claims, separators=(",", ":")).encode()
    return PyJWS().encode(payload, private_of_pem(private_pem), "EdDSA", {"kid": key_id})

"""An OIDC issuer whose tokens are believed, and what of them; and what our own tokens look like."""

import msgspec

from mcp_guard.identity import OWN
from mcp_guard.identity.claims import Demands

DAY = 86_400  # seconds
OWN_DEMANDS = Demands(OWN, OWN, "sub", "user", "groups", 90 * DAY, overtime=0)


class Issuer(msgspec.Struct, frozen=True):
    """An issuer. `id` is the registry's, new with each time that it is added; `keys` is where its JWK Set is, a file or
    a URL. See `Demands` for the rest.
    """

    id: str
    issuer: str
    audience: str
    keys: str
    agent_claim: str | None = None
    user_claim: str | None = "sub"
    groups_claim: str | None = None
    longest: int = DAY

    @property
    def demands(self) -> Demands:
        """What a token of it has to claim."""
        return Demands(self.issuer, self.audience, self.agent_claim, self.user_claim, self.groups_claim, self.longest)

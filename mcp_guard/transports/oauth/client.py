"""Who logs in: the client as the configuration has it, and the server that it logs in to."""

from urllib.parse import urlsplit

import msgspec
from msgspec.json import encode


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """For the MCP server at `url`. `person`: somebody logs in with a browser, as the client `client_id`, or as one that
    registers itself where that is None; else the client itself is what is trusted (client credentials).

    A secret goes to the authorization server `issuer` alone; None: the server's own origin. `name` is what the
    configuration calls the server: two entries for one URL may be two accounts.
    """

    url: str
    name: str = ""
    person: bool = True
    client_id: str | None = None
    client_secret: str | None = None
    scopes: tuple[str, ...] = ()
    issuer: str | None = None

    def __repr__(self) -> str:  # the derived one would show the secret
        return f"Client(url={self.shown!r}, client_id={self.client_id!r})"

    @property
    def shown(self) -> str:
        """The server's URL without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def login(self) -> str:
        """Under what its tokens are kept: all that decides whose they are and what they allow, so that nobody goes with
        the token of somebody else. The secret is none of it.
        """
        who = (self.name, "person" if self.person else "client", self.client_id, self.issuer, sorted(set(self.scopes)))
        return f"{self.url} {encode(who).decode()}"

    @property
    def trusted_issuer(self) -> str:
        """The authorization server that a secret may be sent to."""
        parts = urlsplit(self.url)
        return self.issuer or f"{parts.scheme}://{parts.netloc}"

"""`mcp-guard agents issuers`: whose tokens are believed besides our own."""

import os
from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.registry.shared import group, look, open_book, show_one, show_rows
from mcp_guard.errors import GuardError

app = group("OIDC issuers whose tokens prove agents and users.")

_COLUMNS = {
    "issuer": "ISSUER",
    "audience": "AUDIENCE",
    "keys": "KEYS",
    "agent_claim": "AGENT",
    "user_claim": "USER",
    "groups_claim": "GROUPS",
    "created_at": "SINCE",
}
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_CLAIM = "or a JSON pointer such as /realm_access/roles"
Name = Annotated[str, typer.Argument(metavar="ISSUER", help="Its URL, just as its tokens have it in `iss`.")]


@app.command(
    epilog="Example: mcp-guard agents issuers add https://login.acme.com --audience mcp-guard "
    "--jwks https://login.acme.com/keys --agent-claim azp --user-claim email --groups-claim groups"
)
def add(
    issuer: Name,
    audience: Annotated[str, typer.Option(metavar="A", help="What its tokens must have in `aud`.")],
    jwks: Annotated[str, typer.Option(metavar="FILE|URL", help="Its public keys, a JWK Set. URLs: https only.")],
    agent_claim: Annotated[
        str | None,
        typer.Option(metavar="CLAIM", help=f"Which claim is the agent, {_CLAIM}. Left out: its tokens prove users."),
    ] = None,
    user_claim: Annotated[str, typer.Option(metavar="CLAIM", help="Which claim is the user; '' for none.")] = "sub",
    groups_claim: Annotated[
        str | None, typer.Option(metavar="CLAIM", help="Which claim has the user's groups.")
    ] = None,
    max_lifetime: Annotated[
        str, typer.Option(metavar="DURATION", help="Refuse tokens that are good for longer: `90m`, `24h`, `7d`.")
    ] = "24h",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Trust an issuer. What its tokens say of agents and users is believed from then on."""
    from mcp_guard.identity.issuers import Issuer
    from mcp_guard.identity.key_sets import is_url, read_set
    from mcp_guard.identity.keys import of_set
    from mcp_guard.store.registry import issuers

    keys = jwks if is_url(jwks) else os.path.abspath(jwks)
    made = Issuer("", issuer, audience, keys, agent_claim, user_claim or None, groups_claim, _seconds(max_lifetime))
    try:
        of_set(read_set(keys))  # a set that cannot be used is told of now, and not when the first client comes
    except GuardError as error:
        raise GuardError(error.message, error.hint or "check --jwks, a file or URL of a JWK Set") from None
    with open_book(db, anew=True) as book:
        kept = issuers.add(book, made)
    show_one(kept, as_json=as_json)


@app.command("list", epilog="Example: mcp-guard agents issuers list")
def list_issuers(db: Database = None, as_json: AsJson = False) -> None:
    """List the issuers whose tokens are believed."""
    from mcp_guard.store.registry import issuers

    with look(db) as book:
        rows = issuers.listed(book)
    show_rows(rows, _COLUMNS, as_json=as_json, none="no issuers")


@app.command(epilog="Example: mcp-guard agents issuers remove https://login.acme.com")
def remove(issuer: Name, db: Database = None, as_json: AsJson = False) -> None:
    """From the next call on, accept nothing of this issuer."""
    from mcp_guard.store.registry import issuers

    with open_book(db) as book:
        gone = issuers.remove(book, issuer)
    show_one(gone, as_json=as_json)


def _seconds(text: str) -> int:
    """Raises GuardError."""
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not (number.isascii() and number.isdigit()) or len(number) > 6:
        raise GuardError(f"--max-lifetime: `{text}` is no duration", "write `90m`, `24h` or `7d`")
    return int(number) * unit

"""`mcp-guard agents token|tokens|revoke-token`: the credentials by which clients prove which agent they are."""

import sys
from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.registry.shared import (
    Expires,
    Reason,
    expiry,
    group,
    look,
    none_of,
    note_strangers,
    open_book,
    show_one,
    show_rows,
)
from mcp_guard.errors import GuardError

app = group()

_COLUMNS = {
    "id": "ID",
    "agent": "AGENT",
    "kind": "KIND",
    "user": "USER",
    "created_by": "BY",
    "created_at": "SINCE",
    "expires_at": "UNTIL",
    "revoked_at": "REVOKED",
}
_LARGEST = 64 * 1024  # bytes of a private key's file


@app.command(epilog="Example: mcp-guard agents token claude-code --expires 30d")
def token(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="The agent.")],
    expires: Expires = None,
    jwt: Annotated[bool, typer.Option("--jwt", help="Sign a token (JWT) instead; needs --key.")] = False,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="FILE", help="The private key to sign with (see `agents keys add`); - is stdin."),
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="A user whom the token proves as well.")] = None,
    user_groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="GROUP", help="A group of that user; repeatable.")
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key by which a client proves to be this agent. It is shown now and never again."""
    from mcp_guard.cli.output import print_json
    from mcp_guard.store.registry import credentials

    groups = tuple(user_groups or ())
    _check(jwt=jwt, key=key, user=user, groups=groups)
    with open_book(db, anew=True) as book:
        if key is None:
            made, kept = credentials.issue(book, slug, expires=expiry(expires))
        else:
            from mcp_guard.store.registry import tokens

            made, kept = tokens.issue(book, slug, _private(key), expires=expiry(expires), user=user, groups=groups)
        note_strangers(book, agent=slug)
    if as_json:
        print_json({**kept, "token": made})
        return
    typer.echo(made)
    typer.echo(
        "Put it into the client's launching config as MCP_GUARD_TOKEN, or send it as a bearer token; "
        "it is not shown again.",
        err=True,
    )


@app.command(epilog="Example: mcp-guard agents tokens claude-code")
def tokens(
    slug: Annotated[str | None, typer.Argument(metavar="SLUG", help="Only this agent's.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the keys and tokens that were made here, without the keys and tokens themselves."""
    from mcp_guard.store.registry import credentials

    with look(db) as book:
        rows = credentials.listed(book, agent=slug)
    show_rows(rows, _COLUMNS, as_json=as_json, none=none_of("keys", slug))


@app.command("revoke-token", epilog="Example: mcp-guard agents revoke-token 01M7YXWRSC4FE8VAYJT0G6F8X3")
def revoke_token(
    credential: Annotated[
        str, typer.Argument(metavar="ID", help="The key's or token's id, as `agents tokens` shows it.")
    ],
    reason: Reason = "",
    issuer: Annotated[
        str | None,
        typer.Option(
            metavar="ISSUER",
            help="Only for a token made elsewhere: who issued it (`mcp-guard`: one of our keys). ID is its jti.",
        ),
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key or token worth nothing, from the next call on."""
    from mcp_guard.store.registry import credentials

    with open_book(db) as book:
        if issuer is None:
            gone = credentials.revoke(book, credential, reason)
        else:
            from mcp_guard.store.registry import tokens

            gone = tokens.revoke(book, credential, issuer, reason)
    show_one(gone, as_json=as_json)


def _check(*, jwt: bool, key: str | None, user: str | None, groups: tuple[str, ...]) -> None:
    """Raise GuardError for options that do not go together."""
    if jwt != (key is not None):
        raise GuardError("a token (--jwt) is signed with a private key (--key FILE)", "give both, or neither")
    if (user is not None or groups) and not jwt:
        raise GuardError("a key proves an agent only", "give --jwt and --key FILE for a token that proves a user too")
    if groups and user is None:
        raise GuardError("--group says of which groups a user is", "give --user as well")


def _private(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.read(_LARGEST)
        with open(path, encoding="utf-8") as file:
            return file.read(_LARGEST)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise GuardError(f"{path}: cannot read the private key: {reason}", "check the path after --key") from None

"""`mcp-guard agents keys`: the keys that tokens are signed with."""

import os
from typing import Annotated, TextIO

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.registry.shared import Row, group, look, open_book, show_one, show_rows
from mcp_guard.errors import GuardError

app = group("The keys that tokens are signed with. To rotate: add one, sign with it, retire the former.")

_COLUMNS = {"id": "ID", "created_at": "SINCE", "retired_at": "RETIRED"}


@app.command(epilog="Example: mcp-guard agents keys add --out signing.pem")
def add(
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the private key there, readable by you alone; else it is shown."),
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a signing key (Ed25519). Its private half is given out now and kept nowhere: who has it can be any agent."""
    from mcp_guard.cli.output import print_json
    from mcp_guard.store.registry import keys

    with open_book(db, anew=True) as book:
        file = None if out is None else _new_file(out)  # before there is a key that nobody could have
        private, kept = keys.add(book)
    if file is not None:
        with file:
            file.write(private)
    if as_json:
        print_json(kept if out is not None else {**kept, "private": private})
    elif out is not None:
        show_one(_brief(kept), as_json=False)
    else:
        typer.echo(private, nl=False)
        typer.echo(f"This is the private key of {kept['id']}; it is not shown again.", err=True)


@app.command("list", epilog="Example: mcp-guard agents keys list")
def list_keys(db: Database = None, as_json: AsJson = False) -> None:
    """List the signing keys: their ids, and the public halves with --json."""
    from mcp_guard.store.registry import keys

    with look(db) as book:
        rows = keys.listed(book)
    show_rows(rows, _COLUMNS, as_json=as_json, none="no signing keys")


@app.command(epilog="Example: mcp-guard agents keys retire 01M7YXWRSC4FE8VAYJT0G6F8X3")
def retire(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `agents keys list` shows it.")],
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """From the next call on, accept nothing that this key signed."""
    from mcp_guard.store.registry import keys

    with open_book(db) as book:
        gone = keys.retire(book, key)
    show_one(gone if as_json else _brief(gone), as_json=as_json)


def _brief(row: Row) -> Row:
    return {name: row[name] for name in _COLUMNS}


def _new_file(path: str) -> TextIO:
    """A new file that only its owner may read. Raises GuardError, also where something is there already."""
    try:
        return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii")
    except OSError as error:
        taken = isinstance(error, FileExistsError)
        hint = "Name a file that is not there yet." if taken else "Check the path, and the rights of its directory."
        raise GuardError(f"{path}: cannot write the private key: {error.strerror}", hint) from None

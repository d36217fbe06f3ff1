"""Where commands take their catalog of tools from: files that are named, else what the guard has kept."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mcp_guard.cli.options import LOG_IS_AT
from mcp_guard.cli.output import bad_input
from mcp_guard.cli.reading import read_file

if TYPE_CHECKING:
    from mcp_guard.policy.catalog import Catalog

CatalogFiles = Annotated[
    list[str] | None,
    typer.Option("--catalog", metavar="FILE", help="What servers list, as `tools list --json` prints it; repeatable."),
]
NoCatalog = Annotated[bool, typer.Option("--no-catalog", help="Look at the policy alone.")]
Database = Annotated[
    str | None, typer.Option("--db", metavar="FILE", help=f"The audit log, beside which tools are kept. {LOG_IS_AT}")
]


def catalog_for(
    files: Sequence[str] | None, db: str | None, *, none: bool = False, later: bool = False
) -> "Catalog | None":
    """The catalog in the files, else the one that the guard keeps; None where there is none. Raises GuardError, also
    for a log that was named and is not there, unless it may come `later`.
    """
    if none:
        return None
    if files:
        from mcp_guard.policy.catalog import merged

        return merged(*(read_catalog_file(path) for path in files))
    from mcp_guard.store.catalog import read_catalog
    from mcp_guard.store.location import default_database

    kept = read_catalog((db if later else named(db)) or default_database())
    return kept if kept.servers or db else None


def named(db: str | None) -> str | None:
    """The audit log that somebody named: it has to be there. Raises StoreError."""
    from mcp_guard.store.errors import missing

    if db is not None and not os.path.exists(db):
        raise missing(db)
    return db


def read_catalog_file(path: str) -> "Catalog":
    """The catalog in one file; a bare `tools/list` result is that of the server the file is named after."""
    from mcp_guard.policy.catalog import decode

    text = read_file(path, "catalog", "`mcp-guard tools list --json > FILE` writes one")
    return decode(text, path=path, server=Path(path).stem)


def unknown_server(slug: str, known: "Catalog") -> NoReturn:
    """End the command: no tools of this server are known."""
    from mcp_guard.policy.diagnostics import suggestion

    hint = suggestion(slug, known.servers) or "`mcp-guard tools sync -- COMMAND` asks a server for its tools"
    bad_input(f"no tools of `{slug}` are known", hint)

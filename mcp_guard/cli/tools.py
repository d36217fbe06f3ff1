"""`mcp-guard tools`: what servers list. Ask one for its tools, look at what is kept. Reads options, asks, prints."""

from typing import TYPE_CHECKING, Annotated

import typer

from mcp_guard.cli.catalogs import Database, named, unknown_server
from mcp_guard.cli.house import House
from mcp_guard.cli.options import AsJson
from mcp_guard.cli.output import EXIT_DONE, bad_input

if TYPE_CHECKING:
    from mcp_guard.policy.catalog import Catalog, ToolDefinition

app = House(help="Show what servers list, and ask them.", no_args_is_help=True)

Gone = Annotated[bool, typer.Option("--gone", help="Also tools that their server lists no more.")]


@app.command(epilog="Example: mcp-guard tools sync -- npx -y @modelcontextprotocol/server-filesystem ~/project")
def sync(
    command: Annotated[list[str], typer.Argument(metavar="-- CMD ARG…", help="The server to ask, after `--`.")],
    server: Annotated[str | None, typer.Option(metavar="SLUG", help="The server's name in policies and log.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Start a server, ask it for its tools, keep them, and end it. No tool is called."""
    import time

    from mcp_guard.cli.guard import server_slug
    from mcp_guard.cli.tool_reports import print_sync
    from mcp_guard.events import ToolsListed
    from mcp_guard.store import Store
    from mcp_guard.store.catalog import read_catalog
    from mcp_guard.store.location import default_database
    from mcp_guard.transports.survey import tools_of

    slug, path = server or server_slug(tuple(command)), db or default_database()
    store = Store.open(path)
    try:
        before = read_catalog(path).tools(slug)
        definitions = tools_of(command)
        now = time.time_ns() // 1000
        store.learn(
            ToolsListed(id="", ts=now, type="tools.listed", connection_id="", server=slug, definitions=definitions)
        )
    finally:
        store.close()
    print_sync(slug, before, read_catalog(path).tools(slug), as_json=as_json)
    raise SystemExit(EXIT_DONE)


@app.command("list", epilog="Example: mcp-guard tools list --server github")
def list_tools(
    server: Annotated[list[str] | None, typer.Option(metavar="SLUG", help="This server only; repeatable.")] = None,
    gone: Gone = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the tools that servers listed, with their arguments. With --json: a catalog, as --catalog takes it."""
    from mcp_guard.cli.output import print_json
    from mcp_guard.cli.tool_reports import print_tools
    from mcp_guard.policy.catalog import as_json as catalog_as_json

    known = _known(db, gone=gone)
    for slug in server or ():
        if slug not in known.servers:
            unknown_server(slug, known)
    shown = known.only(*server) if server else known
    print_json(catalog_as_json(shown)) if as_json else print_tools(shown)
    raise SystemExit(EXIT_DONE)


@app.command(epilog="Example: mcp-guard tools show create_issue --server github")
def show(
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Its name.")],
    server: Annotated[str | None, typer.Option(metavar="SLUG", help="Its server, where several have it.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show one tool: what it says of itself, its arguments with types and choices, since when it is known."""
    from mcp_guard.cli.tool_reports import print_json_tool, print_tool

    slug, found = _one(_known(db, gone=True), tool, server)
    print_json_tool(slug, found) if as_json else print_tool(slug, found)
    raise SystemExit(EXIT_DONE)


def _known(db: str | None, *, gone: bool) -> "Catalog":
    from mcp_guard.store.catalog import read_catalog
    from mcp_guard.store.location import default_database

    return read_catalog(named(db) or default_database(), gone=gone)


def _one(known: "Catalog", tool: str, server: str | None) -> "tuple[str, ToolDefinition]":
    """The one tool that is meant. Ends where it is none or several."""
    from mcp_guard.policy.diagnostics import suggestion

    if server is not None and server not in known.servers:
        unknown_server(server, known)
    found = [(slug, tools[tool]) for slug, tools in known.servers.items() if tool in tools and server in (None, slug)]
    if len(found) > 1:
        bad_input(f"several servers list `{tool}`", f"say which: --server {found[0][0]}")
    if not found:
        names = {name for slug, tools in known.servers.items() for name in tools if server in (None, slug)}
        bad_input(f"no server lists `{tool}`", suggestion(tool, names) or "`mcp-guard tools list` shows what is known")
    return found[0]

"""`mcp-guard lsp`: the language server for editors, over stdio. Here are its options; the work is done in `editor`."""

from mcp_guard.cli.catalogs import CatalogFiles, Database, catalog_for
from mcp_guard.cli.house import House
from mcp_guard.cli.output import bad_input

app = House()


@app.command(epilog="Example: in an editor's settings, the command for YAML files: mcp-guard lsp")
def lsp(catalog: CatalogFiles = None, db: Database = None) -> None:
    """Serve editors over stdio: diagnostics while a policy is written, completion, hover, go to the rule that decides.

    Needs the extra `lsp`: pip install "mcp-guard[lsp]".
    """
    try:
        from mcp_guard.editor.server import make_server
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        bad_input("the language server is not installed", 'pip install "mcp-guard[lsp]"')
    catalog_for(catalog, db, later=True)  # what cannot be read is said now, where somebody sees it
    make_server(lambda: catalog_for(catalog, db, later=True)).start_io()

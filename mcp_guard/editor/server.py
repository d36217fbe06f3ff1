"""The language server: what editors ask over stdio, answered by the other modules of this room. pygls lives here alone.

Diagnostics come when the typing pauses. Positions are in the units that the editor counts in; everything behind this
module counts characters of the text.
"""

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.workspace import PositionCodec, TextDocument

from mcp_guard import __version__
from mcp_guard.editor.completion import Kind, Suggestion, complete
from mcp_guard.editor.draft import Draft
from mcp_guard.editor.hover import hover
from mcp_guard.editor.navigation import definitions
from mcp_guard.editor.silencing import silencing
from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.diagnostics import Diagnostic, Place

PAUSE = 0.2  # seconds without a change after which a text is looked over
SOURCE = "mcp-guard"
TRIGGERS = (".", '"', "[", " ")

SEVERITIES = {"error": lsp.DiagnosticSeverity.Error, "warning": lsp.DiagnosticSeverity.Warning}
KINDS: dict[Kind, lsp.CompletionItemKind] = {
    "field": lsp.CompletionItemKind.Field,
    "value": lsp.CompletionItemKind.EnumMember,
    "variable": lsp.CompletionItemKind.Variable,
    "server": lsp.CompletionItemKind.Module,
    "tool": lsp.CompletionItemKind.Function,
}

CatalogReader = Callable[[], Catalog | None]


class PolicyServer(LanguageServer):
    """The server, with the drafts of the files that are open. `read_catalog` gives the catalog as it is now."""

    def __init__(self, read_catalog: CatalogReader) -> None:
        super().__init__("mcp-guard", __version__)  # pyright: ignore[reportUnknownMemberType]  (its *args are untyped)
        self._read_catalog = read_catalog
        self._catalog: Catalog | None = None
        self._drafts: dict[str, Draft] = {}
        self._pending: dict[str, asyncio.Task[None]] = {}

    def refresh(self) -> None:
        """Take in what servers have listed since."""
        self._catalog = self._read_catalog()

    def draft(self, uri: str) -> Draft:
        """The file as it stands in the editor now."""
        text, before = self.workspace.get_text_document(uri).source, self._drafts.get(uri)
        if before is not None and before.text == text and before.catalog is self._catalog:
            return before
        made = self._drafts[uri] = Draft(_path(uri), text, self._catalog, before)
        return made

    def look_over_soon(self, uri: str, pause: float = PAUSE) -> None:
        """Look a file over once nothing has changed for a moment."""
        pending = self._pending.pop(uri, None)
        if pending is not None:
            pending.cancel()
        self._pending[uri] = asyncio.get_running_loop().create_task(self._look_over(uri, pause))

    async def _look_over(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        draft = self.draft(uri)
        findings = await asyncio.to_thread(lambda: draft.findings)
        document = self.workspace.get_text_document(uri)
        if document.source == draft.text:
            shown = [self._diagnostic(one, document) for one in findings]
            params = lsp.PublishDiagnosticsParams(uri, shown, document.version)
            self.text_document_publish_diagnostics(params)

    def forget(self, uri: str) -> None:
        """The file is closed: nothing is said of it any more."""
        self._drafts.pop(uri, None)
        pending = self._pending.pop(uri, None)
        if pending is not None:
            pending.cancel()
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    def _diagnostic(self, found: Diagnostic, document: TextDocument) -> lsp.Diagnostic:
        related = [
            lsp.DiagnosticRelatedInformation(lsp.Location(document.uri, span(place, document)), "this decides first")
            for place in found.related
        ]
        return lsp.Diagnostic(
            range=span(found.place, document),
            message=f"{found.message}\n{found.hint}" if found.hint else found.message,
            severity=SEVERITIES[found.severity],
            code=found.code,
            source=SOURCE,
            related_information=related or None,
        )


def make_server(read_catalog: CatalogReader) -> PolicyServer:
    """The language server, ready for `start_io`."""
    server = PolicyServer(read_catalog)

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def _opened(params: lsp.DidOpenTextDocumentParams) -> None:  # pyright: ignore[reportUnusedFunction]
        server.refresh()
        server.look_over_soon(params.text_document.uri, 0)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def _saved(params: lsp.DidSaveTextDocumentParams) -> None:  # pyright: ignore[reportUnusedFunction]
        server.refresh()
        server.look_over_soon(params.text_document.uri, 0)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def _changed(params: lsp.DidChangeTextDocumentParams) -> None:  # pyright: ignore[reportUnusedFunction]
        server.look_over_soon(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def _closed(params: lsp.DidCloseTextDocumentParams) -> None:  # pyright: ignore[reportUnusedFunction]
        server.forget(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=TRIGGERS))
    def _completion(params: lsp.CompletionParams) -> list[lsp.CompletionItem]:  # pyright: ignore[reportUnusedFunction]
        document = server.workspace.get_text_document(params.text_document.uri)
        offset = document.offset_at_position(params.position)
        return [item(one, document, offset) for one in complete(server.draft(document.uri), offset)]

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def _hover(params: lsp.HoverParams) -> lsp.Hover | None:  # pyright: ignore[reportUnusedFunction]
        document = server.workspace.get_text_document(params.text_document.uri)
        found = hover(server.draft(document.uri), document.offset_at_position(params.position))
        if found is None:
            return None
        content = lsp.MarkupContent(lsp.MarkupKind.Markdown, found.markdown)
        return lsp.Hover(content, between(document, found.start, found.end))

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def _definition(params: lsp.DefinitionParams) -> list[lsp.Location]:  # pyright: ignore[reportUnusedFunction]
        document = server.workspace.get_text_document(params.text_document.uri)
        found = definitions(server.draft(document.uri), document.offset_at_position(params.position))
        return [lsp.Location(document.uri, span(place, document)) for place in found]

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix]))
    def _actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:  # pyright: ignore[reportUnusedFunction]
        uri = params.text_document.uri
        document, draft = server.workspace.get_text_document(uri), server.draft(uri)
        lines = range(params.range.start.line + 1, params.range.end.line + 2)
        here = [found for found in draft.findings if found.place.line in lines]
        actions = (silence(draft, found, document) for found in here)
        return [action for action in actions if action is not None]

    return server


def silence(draft: Draft, found: Diagnostic, document: TextDocument) -> lsp.CodeAction | None:
    """The action that silences a finding by a comment, where one can."""
    made = silencing(draft, found)
    if made is None:
        return None
    start = lsp.Position(made.line - 1, 0)
    edit = lsp.TextEdit(lsp.Range(start, start), made.text)
    return lsp.CodeAction(
        title=f"Silence {found.code} for this rule",
        kind=lsp.CodeActionKind.QuickFix,
        edit=lsp.WorkspaceEdit(changes={document.uri: [edit]}),
    )


def item(one: Suggestion, document: TextDocument, offset: int) -> lsp.CompletionItem:
    """A suggestion as editors take it: it replaces what was typed of it, and keeps its rank."""
    return lsp.CompletionItem(
        label=one.label,
        kind=KINDS[one.kind],
        detail=one.detail or None,
        documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, one.documentation) if one.documentation else None,
        sort_text=f"{one.rank:05}",
        filter_text=document.source[offset - one.replaces : offset] and one.insert,
        text_edit=lsp.TextEdit(between(document, offset - one.replaces, offset), one.insert),
    )


def span(place: Place, document: TextDocument) -> lsp.Range:
    """The range of a place, in the editor's units."""
    start = lsp.Position(place.line - 1, place.column - 1)
    return _in_units(document, lsp.Range(start, lsp.Position(start.line, start.character + place.length)))


def between(document: TextDocument, start: int, end: int) -> lsp.Range:
    """The range of the characters from `start` up to `end`, in the editor's units."""
    return _in_units(document, lsp.Range(_position(document.source, start), _position(document.source, end)))


def _position(text: str, offset: int) -> lsp.Position:
    return lsp.Position(text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1))


def _in_units(document: TextDocument, range: lsp.Range) -> lsp.Range:
    codec: PositionCodec = document.position_codec
    lines: Sequence[str] = document.lines
    return codec.range_to_client_units(lines, range)


def _path(uri: str) -> str:
    """What a file is called in messages; its ending tells JSON from YAML."""
    return unquote(urlsplit(uri).path) or uri

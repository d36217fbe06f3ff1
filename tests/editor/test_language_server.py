"""The language server as an editor meets it: a process, driven over stdio by a client library of the protocol."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from tests.policy.lints.golden import HERE

CATALOG = str(HERE / "catalog.json")
URI = "file:///project/policy.yaml"
PATIENCE = 30.0  # seconds for one answer: a machine under load still makes it

POLICY = """\
version: 1
rules:
  - id: open
    effect: allow
    servers: github
    tools: get_me
  - id: grüße-𝕏
    effect: deny
    servers: github
    tools: [get_me, push_files]
    message: "Grüße 𝕏"
    when: '"𝕏" != request.args.branch && request.args.ownr == "acme"'
"""


class Editor:
    """What an editor does with one file, and what it is told."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.text = ""
        self.version = 0
        self.told: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

    async def open(self, text: str) -> list[lsp.Diagnostic]:
        self.text, self.version = text, self.version + 1
        item = lsp.TextDocumentItem(URI, "yaml", self.version, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return await self.diagnostics()

    def type(self, text: str) -> None:
        self.text, self.version = text, self.version + 1
        document = lsp.VersionedTextDocumentIdentifier(version=self.version, uri=URI)
        change = lsp.TextDocumentContentChangeWholeDocument(text=text)
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [change]))

    async def diagnostics(self) -> list[lsp.Diagnostic]:
        return list((await asyncio.wait_for(self.told.get(), PATIENCE)).diagnostics)

    def at(self, piece: str) -> lsp.Position:
        """The place right after a piece of the text, as an editor counts: in UTF-16."""
        offset = self.text.index(piece) + len(piece)
        line_start = self.text.rfind("\n", 0, offset) + 1
        units = len(self.text[line_start:offset].encode("utf-16-le")) // 2
        return lsp.Position(self.text.count("\n", 0, offset), units)

    def shown(self, where: lsp.Range) -> str:
        """The characters in a range."""
        line = self.text.splitlines()[where.start.line].encode("utf-16-le")
        return line[where.start.character * 2 : where.end.character * 2].decode("utf-16-le")

    async def complete(self, piece: str) -> list[lsp.CompletionItem]:
        params = lsp.CompletionParams(lsp.TextDocumentIdentifier(URI), self.at(piece))
        found = await asyncio.wait_for(self.client.text_document_completion_async(params), PATIENCE)
        return list(found.items if isinstance(found, lsp.CompletionList) else found or [])

    async def hover(self, piece: str) -> lsp.Hover | None:
        params = lsp.HoverParams(lsp.TextDocumentIdentifier(URI), self.at(piece))
        return await asyncio.wait_for(self.client.text_document_hover_async(params), PATIENCE)

    async def definition(self, piece: str) -> list[lsp.Location]:
        params = lsp.DefinitionParams(lsp.TextDocumentIdentifier(URI), self.at(piece))
        found = await asyncio.wait_for(self.client.text_document_definition_async(params), PATIENCE)
        return [one for one in found or [] if isinstance(one, lsp.Location)] if isinstance(found, list) else []


@asynccontextmanager
async def editing(*options: str) -> AsyncIterator[Editor]:
    """An editor with its language server, which ends with it."""
    client = LanguageClient("an editor", "1")
    editor = Editor(client)

    @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def _told(params: lsp.PublishDiagnosticsParams) -> None:
        editor.told.put_nowait(params)

    await client.start_io(sys.executable, "-m", "mcp_guard", "lsp", *options)
    try:
        params = lsp.InitializeParams(capabilities=lsp.ClientCapabilities())
        await asyncio.wait_for(client.initialize_async(params), PATIENCE)
        client.initialized(lsp.InitializedParams())
        yield editor
        await asyncio.wait_for(client.shutdown_async(None), PATIENCE)
    finally:
        client.exit(None)
        await client.stop()


def session(play: Callable[[Editor], Awaitable[None]], *options: str) -> None:
    async def run() -> None:
        async with editing(*(options or ("--catalog", CATALOG))) as editor:
            await play(editor)

    asyncio.run(run())


def test_a_policy_is_looked_over_when_it_is_opened() -> None:
    async def play(editor: Editor) -> None:
        found = {one.code: one for one in await editor.open(POLICY)}
        assert set(found) == {"allow-above-deny", "missing-argument"}
        missing, above = found["missing-argument"], found["allow-above-deny"]
        assert editor.shown(missing.range) == "request.args.ownr"
        assert editor.shown(above.range) == "get_me"
        assert (missing.severity, missing.source) == (lsp.DiagnosticSeverity.Warning, "mcp-guard")
        assert missing.message.endswith("did you mean `request.args.owner`?")
        (related,) = above.related_information or ()
        assert editor.shown(related.location.range) == "id: open"

    session(play)


def test_diagnostics_follow_the_typing_once_it_pauses() -> None:
    async def play(editor: Editor) -> None:
        assert await editor.open(POLICY)
        for typed in ("r", "re", "req"):
            editor.type(POLICY.replace("request.args.ownr", typed))
        editor.type(POLICY.replace("get_me, push_files", "push_files").replace("ownr", "owner"))
        assert await editor.diagnostics() == []
        editor.type("version: 1\nrules: [")
        assert [one.code for one in await editor.diagnostics()] == ["syntax"]
        assert editor.told.empty()

    session(play)


def test_fields_are_suggested_while_the_condition_is_unfinished() -> None:
    async def play(editor: Editor) -> None:
        await editor.open(POLICY)
        editor.type(POLICY.replace('request.args.ownr == "acme"\'', "request.args."))  # the last quote is missing too
        found = await editor.complete("&& request.args.")
        first = found[0]
        ranked = sorted(found, key=lambda one: one.sort_text or "")
        assert [one.label for one in ranked][:3] == ["branch", "owner", "files"]
        assert (first.kind, first.detail) == (lsp.CompletionItemKind.Field, "string, in 1 of 2 tools")
        assert isinstance(first.text_edit, lsp.TextEdit)
        assert first.text_edit.range.end == editor.at("&& request.args.")

    session(play)


def test_a_hover_shows_the_field_under_the_cursor() -> None:
    async def play(editor: Editor) -> None:
        await editor.open(POLICY)
        found = await editor.hover("request.args.bra")
        assert found is not None
        assert isinstance(found.contents, lsp.MarkupContent)
        assert found.contents.value.startswith("`request.args.branch`: string")
        assert found.range is not None
        assert editor.shown(found.range) == "request.args.branch"
        assert await editor.hover("version") is None

    session(play)


def test_the_way_leads_to_the_rule_that_decides() -> None:
    async def play(editor: Editor) -> None:
        await editor.open(POLICY)
        (found,) = await editor.definition("tools: [get_me")
        assert (found.uri, editor.shown(found.range)) == (URI, "id: open")

    session(play)


def test_a_warning_can_be_silenced_by_a_comment_above_its_rule() -> None:
    async def play(editor: Editor) -> None:
        await editor.open(POLICY)
        place = editor.at("request.args.ownr")
        params = lsp.CodeActionParams(
            lsp.TextDocumentIdentifier(URI), lsp.Range(place, place), lsp.CodeActionContext(diagnostics=[])
        )
        (action,) = await asyncio.wait_for(editor.client.text_document_code_action_async(params), PATIENCE) or ()
        assert isinstance(action, lsp.CodeAction)
        assert action.title == "Silence missing-argument for this rule"
        assert action.edit is not None
        ((edit,),) = (action.edit.changes or {}).values()
        lines = editor.text.splitlines(keepends=True)
        editor.type("".join([*lines[: edit.range.start.line], edit.new_text, *lines[edit.range.start.line :]]))
        assert "  # mcp-guard: ignore[missing-argument]\n  - id: grüße" in editor.text
        assert [one.code for one in await editor.diagnostics()] == ["allow-above-deny"]

    session(play)


def test_other_yaml_files_and_closed_ones_are_left_alone() -> None:
    async def play(editor: Editor) -> None:
        assert await editor.open("services:\n  web: {image: nginx}\n") == []
        editor.type(POLICY)
        assert await editor.diagnostics()
        params = lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(URI))
        editor.client.text_document_did_close(params)
        assert await editor.diagnostics() == []

    session(play)


def test_the_catalog_is_what_the_guard_keeps_and_is_read_again_when_a_file_is_saved(tmp_path: Path) -> None:
    from mcp_guard.events import ToolsListed
    from mcp_guard.store import Store

    database = str(tmp_path / "audit.db")

    async def play(editor: Editor) -> None:
        assert [one.code for one in await editor.open(POLICY)] == ["allow-above-deny"]
        tool = {"name": "push_files", "inputSchema": {"type": "object", "properties": {"branch": {}}}}
        listing = ToolsListed(
            id="",
            ts=1,
            type="tools.listed",
            connection_id="",
            server="github",
            definitions=(("hash", json.dumps(tool).encode()),),
        )
        store = Store.open(database)
        store.learn(listing)
        store.close()
        saved = lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(URI))
        editor.client.text_document_did_save(saved)
        assert "missing-argument" in [one.code for one in await editor.diagnostics()]

    session(play, "--db", database)


def test_what_can_never_become_the_guards_log_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database")
    command = [sys.executable, "-m", "mcp_guard", "lsp", "--db"]
    for given in (tmp_path, tmp_path / "notes.txt"):
        done = subprocess.run([*command, str(given)], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"the audit log {given} " in done.stderr


@pytest.mark.parametrize("missing", ["pygls", "lsprotocol"])
def test_without_its_extra_it_says_how_to_install_it(tmp_path: Path, missing: str) -> None:
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('none', name='{missing}')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "mcp_guard", "lsp"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install "mcp-guard[lsp]"' in done.stderr

"""The catalog of tools in the store: what a listing leaves behind, and what it never does."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from mcp_guard.events import ToolsListed
from mcp_guard.policy.catalog import Catalog
from mcp_guard.store import Store
from mcp_guard.store import catalog as kept
from mcp_guard.store.catalog import read_catalog
from mcp_guard.store.schema import MIGRATIONS

MINUTE, HOUR = 60_000_000, 3_600_000_000  # microseconds
NOON = 1_795_262_400_000_000
READ = {"name": "read_file", "description": "Reads.", "inputSchema": {"type": "object", "properties": {"path": {}}}}
WRITE = {"name": "write_file", "description": "Writes.", "inputSchema": {"type": "object"}}


def listing(*tools: object, at: int = NOON, server: str = "files") -> ToolsListed:
    texts = [tool if isinstance(tool, bytes) else msgspec.json.encode(tool) for tool in tools]
    return ToolsListed(
        id=f"conn-{at}",
        ts=at,
        type="tools.listed",
        connection_id="conn",
        server=server,
        definitions=tuple((f"hash of {text[:200]!r}", text) for text in texts),
    )


def learned(path: Path, *listings: ToolsListed) -> Catalog:
    store = Store.open(str(path))
    for one in listings:
        store.learn(one)
    store.close()
    return read_catalog(str(path))


def test_a_listing_is_kept_with_schema_and_description(path: Path) -> None:
    tool = learned(path, listing(READ, WRITE)).servers["files"]["read_file"]
    assert (tool.description, dict(tool.input_schema)) == ("Reads.", READ["inputSchema"])
    assert (tool.first_seen, tool.last_seen) == ("2026-11-21T12:00:00.000000Z", "2026-11-21T12:00:00.000000Z")


def test_servers_are_kept_apart(path: Path) -> None:
    catalog = learned(path, listing(READ), listing(WRITE, server="other"))
    assert {slug: list(tools) for slug, tools in catalog.servers.items()} == {
        "files": ["read_file"],
        "other": ["write_file"],
    }


def test_a_tool_that_is_listed_no_more_is_remembered_as_gone(path: Path) -> None:
    catalog = learned(path, listing(READ, WRITE), listing(READ, at=NOON + MINUTE))
    assert list(catalog.servers["files"]) == ["read_file"]
    gone = read_catalog(str(path), gone=True).servers["files"]["write_file"]
    assert (gone.listed, gone.last_seen) == (False, "2026-11-21T12:00:00.000000Z")


def test_of_a_tool_that_changed_the_last_definition_stands_and_the_first_sight_stays(path: Path) -> None:
    changed = {**READ, "description": "Reads, and more."}
    tool = learned(path, listing(READ), listing(changed, at=NOON + MINUTE)).servers["files"]["read_file"]
    assert (tool.description, tool.first_seen[11:16], tool.last_seen[11:16]) == ("Reads, and more.", "12:00", "12:01")


@pytest.mark.parametrize(("later", "seen"), [(HOUR - 1, "12:00"), (HOUR, "13:00")])
def test_a_listing_that_says_nothing_new_is_written_once_an_hour(path: Path, later: int, seen: str) -> None:
    tool = learned(path, listing(READ), listing(READ, at=NOON + later)).servers["files"]["read_file"]
    assert tool.last_seen[11:16] == seen


def test_an_empty_listing_leaves_nothing_listed(path: Path) -> None:
    assert learned(path, listing(READ), listing(at=NOON + MINUTE)) == Catalog()


def test_secrets_in_what_a_server_says_are_masked(path: Path) -> None:
    tool = {**READ, "description": "Uses ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa for you."}
    assert learned(path, listing(tool)).servers["files"]["read_file"].description == "Uses [redacted] for you."


@pytest.mark.parametrize(
    "tool",
    [
        b"nonsense",
        b'{"title": "no name"}',
        b'{"name": ""}',
        b'{"name": 7}',
        b'{"name": "with \\u0000 inside"}',
        b"[" * 10_000,
        b'{"name": "\xff"}',
    ],
)
def test_what_is_no_tool_is_left_out(path: Path, tool: bytes) -> None:
    assert list(learned(path, listing(tool, READ)).servers["files"]) == ["read_file"]


def test_of_a_huge_definition_only_the_name_is_kept(path: Path) -> None:
    tool = learned(path, listing({**READ, "description": "x" * (1 << 17)})).servers["files"]["read_file"]
    assert (tool.description, tool.input_schema) == ("", {})


def test_a_server_that_changes_its_tools_for_ever_is_kept_within_bounds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_VERSIONS", 3)
    monkeypatch.setattr(kept, "MOST_ROWS", 4)
    monkeypatch.setattr(kept, "MOST_TOOLS", 2)
    tools = [{"name": name, "description": f"{n}"} for n in range(6) for name in ("a", "b", f"c{n}")]
    learned(path, *(listing(*tools[n * 3 : n * 3 + 3], at=NOON + n * MINUTE) for n in range(6)))
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT tool, json_extract(definition, '$.description') FROM catalog").fetchall()
    connection.close()
    assert sorted(rows) == [("a", "4"), ("a", "5"), ("b", "4"), ("b", "5")]


def test_a_log_without_a_catalog_gives_an_empty_one(path: Path) -> None:
    assert read_catalog(str(path)) == Catalog()
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute("PRAGMA application_id = 0x6D637067")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    assert read_catalog(str(path)) == Catalog()


def test_the_view_of_tools_says_how_many_definitions_each_had(path: Path) -> None:
    learned(path, listing(READ), listing({**READ, "title": "Read"}, at=NOON + MINUTE))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT tool, listed, versions FROM tools").fetchall() == [("read_file", 1, 2)]
    connection.close()

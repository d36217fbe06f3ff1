"""What docs/audit-log.md says of the file is so."""

import re
import sqlite3
from pathlib import Path
from typing import get_args

import pytest

from mcp_guard.events import EventType, ToolsListed
from mcp_guard.store import Store
from tests.store.making import NOON, decided, event

TEXT = (Path(__file__).parents[2] / "docs" / "audit-log.md").read_text()
QUERIES = [query.strip() for block in re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL) for query in block.split(";\n")]


@pytest.mark.parametrize("query", [query for query in QUERIES if query])
def test_the_queries_run(store: Store, path: Path, query: str) -> None:
    arguments = {"arguments": {"branch": "main"}}
    store.record([decided(n, tool="push_files", data=arguments) for n in range(3)])
    store.record([event("resource.decided", 3, tool="file:///a", decision="allow")])
    for number, text in enumerate((b'{"name": "push_files"}', b'{"name": "push_files", "title": "Push"}')):
        definitions = ((f"hash {number}", text),)
        listed = ToolsListed(
            id="l", ts=NOON, type="tools.listed", connection_id="c", server="github", definitions=definitions
        )
        store.learn(listed)
    connection = sqlite3.connect(path)
    assert connection.execute(query).fetchall()
    connection.close()


def test_every_type_of_event_is_described() -> None:
    described = re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", TEXT, re.MULTILINE)
    assert sorted(described) == sorted(get_args(EventType))


def test_every_column_is_described(store: Store, path: Path) -> None:
    connection = sqlite3.connect(path)
    names = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
    views = ("decisions", "connections", "tools")
    names += [row[1] for view in views for row in connection.execute(f"PRAGMA table_info({view})")]
    connection.close()
    assert [name for name in names if f"`{name}`" not in TEXT] == []

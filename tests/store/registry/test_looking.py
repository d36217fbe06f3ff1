"""Looking into the registry: what it needs, what it leaves alone, and a file of an older version."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mcp_guard.store import schema
from mcp_guard.store.errors import OlderError, StoreError
from mcp_guard.store.registry import agents, approvals, looking
from mcp_guard.store.registry.book import Book
from mcp_guard.store.registry.looking import Looking


def made_by_an_older_version(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for step in schema.MIGRATIONS[: schema.SINCE_REGISTRY]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {schema.SINCE_REGISTRY}")


def test_what_a_book_says_is_seen_while_it_is_open(book: Book, path: str) -> None:
    with Looking(path) as look:
        agents.create(book, "cursor")
        assert [row["slug"] for row in agents.listed(look)] == ["cursor"]
        agents.create(book, "codex")
        assert [row["slug"] for row in agents.listed(look)] == ["codex", "cursor"]


def test_nothing_can_be_changed(book: Book, path: str) -> None:
    with Looking(path) as look, pytest.raises(StoreError):
        agents.create(look, "cursor")
    assert agents.listed(book) == []


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with Looking(str(tmp_path / "no" / "audit.db")) as look, pytest.raises(StoreError, match="there is no audit log"):
        agents.listed(look)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_an_older_version_is_brought_up_to_date(path: str) -> None:
    made_by_an_older_version(path)
    with Looking(path) as look:
        assert approvals.listed(look) == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_one_that_may_not_be_written_is_told_of_as_old(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise StoreError("it is read-only")

    monkeypatch.setattr(looking, "made", refused)
    made_by_an_older_version(path)
    with Looking(path) as look, pytest.raises(OlderError, match="of this version"):
        approvals.listed(look)

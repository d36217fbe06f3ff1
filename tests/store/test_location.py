"""Where the log is, and what stands in the way of creating it."""

import errno
from pathlib import Path

import pytest

from mcp_guard.store import Store, StoreError, default_database, files
from tests.store.making import decided, ids


def test_the_environment_says_where_the_log_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_GUARD_DB", "/somewhere/log.db")
    assert default_database() == "/somewhere/log.db"


@pytest.mark.parametrize("value", [None, ""])
def test_else_it_is_among_the_data_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
) -> None:
    monkeypatch.setenv("MCP_GUARD_DB", value) if value is not None else monkeypatch.delenv("MCP_GUARD_DB", False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = Path(default_database())
    assert path.is_relative_to(tmp_path)
    assert path.parts[-2:] == ("mcp-guard", "audit.db")


def test_a_link_to_a_log_is_the_log(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "audit.db")
    store = Store.open(str(tmp_path / "link.db"))
    store.record([decided()])
    store.close()
    assert ids(tmp_path / "real" / "audit.db") == ["conn-1"]
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["audit.db", "audit.db.key"]


def test_a_guard_that_hangs_while_it_creates_the_log_is_not_waited_for_without_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_WAIT", 0.05)
    path.parent.mkdir()
    with files.alone(str(path)), pytest.raises(StoreError, match=r"another mcp-guard holds .*audit\.db\.key locked"):
        Store.open(str(path))


def test_a_file_system_without_such_locks_will_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    store = Store.open(str(path))
    store.record([decided()])
    store.close()
    assert ids(path) == ["conn-1"]


def test_a_directory_in_place_of_the_key_is_said_to_be_one(path: Path) -> None:
    (path.parent / "audit.db.key").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"audit\.db\.key cannot be used: Is a directory"):
        Store.open(str(path))

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.home import Home
from tests.cli.shell import Run, Shell, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path) -> Shell:
    return Shell(monkeypatch, run, tmp_path)


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Moments are shown in the same time zone on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path) -> Home:
    for name in ("MCP_GUARD_DB", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    shell = Home(monkeypatch, run, tmp_path)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr("mcp_guard.cli.own_command.own_command", lambda: ("/opt/mcp-guard",))
    return shell

"""The command line, run in this process as a person runs it; and what it is to print, kept in files."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.cli.app import main

GOLDEN = Path(__file__).parent / "golden"

Run = Callable[..., tuple[int, str, str]]
"""Runs a command, word by word; gives its exit status, stdout and stderr."""


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """What runs commands."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        printed = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0, printed.out, printed.err

    return run


class Shell:
    """Runs commands in a directory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, run: Run, directory: Path) -> None:
        self.run = run
        self.directory = directory
        monkeypatch.chdir(directory)

    def file(self, name: str, text: str) -> str:
        (self.directory / name).write_text(text)
        return name

    def data(self, *words: str) -> tuple[int, Any]:
        """Exit status and the JSON printed."""
        status, out, _ = self.run(*words, "--json")
        return status, json.loads(out)


def golden(name: str, text: str) -> None:
    """This is what the file says; with REWRITE_GOLDEN in the environment, the file is written anew."""
    file = GOLDEN / name
    if "REWRITE_GOLDEN" in os.environ:
        file.write_text(text)
    assert text == file.read_text()

"""What runs here: Python, SQLite, and whether the mcp-guard that a shell finds is this one."""

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

from mcp_guard import __version__
from mcp_guard.cli.health.finding import Finding
from mcp_guard.cli.output import short
from mcp_guard.redaction.text import safe_text

_PATIENCE = 20.0  # seconds for another mcp-guard to say its version


def check() -> Iterator[Finding]:
    """What is found of this installation."""
    yield Finding("ok", "mcp-guard", f"{__version__} on Python {platform.python_version()} ({short(sys.executable)})")
    yield Finding("ok", "SQLite", sqlite3.sqlite_version)
    yield _on_path()


def _on_path() -> Finding:
    found = shutil.which("mcp-guard")
    if found is None:
        hint = "`init` writes absolute paths, so clients find it; put it on PATH for yourself"
        return Finding("note", "PATH", "no mcp-guard is on it", hint)
    if os.path.dirname(os.path.realpath(found)) == os.path.realpath(os.path.dirname(sys.executable)):
        return Finding("ok", "PATH", f"finds this mcp-guard ({short(found)})")
    other = _version_of(found)
    if other == f"mcp-guard {__version__}":
        return Finding("note", "PATH", f"finds another mcp-guard of the same version: {short(found)}")
    hint = "remove one of them, so that you and your clients run the same"
    return Finding("error", "PATH", f"finds another mcp-guard, {short(found)}: {safe_text(other, 80)}", hint)


def _version_of(program: str) -> str:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return "it does not run"
    return done.stdout.strip() or "it does not say its version"

"""The clients that are known, and the configuration files of all of them on a machine."""

import os
import sys
from collections.abc import Collection

from mcp_guard.clients import claude_code, claude_desktop, codex, cursor, gemini_cli, vscode, windsurf
from mcp_guard.clients.values import Client, ConfigFile, Surroundings, System

CLIENTS: dict[str, Client] = {
    module.CLIENT.slug: module.CLIENT
    for module in (claude_code, claude_desktop, cursor, vscode, windsurf, codex, gemini_cli)
}

_SYSTEMS: dict[str, System] = {"darwin": "macos", "win32": "windows"}


def surroundings(directory: str | None = None) -> Surroundings:
    """This machine, this user, and the project in which `directory` (default: the working directory) stands."""
    here = os.path.abspath(directory or os.getcwd())
    root = _repository(here)
    home = os.path.expanduser("~")
    directories = [place for place in dict.fromkeys((here, root)) if place is not None]
    return Surroundings(home, directories, _SYSTEMS.get(sys.platform, "linux"), dict(os.environ))


def files(around: Surroundings, clients: Collection[str] = ()) -> list[ConfigFile]:
    """The files that are there, of these clients or of all. A file that is found in two ways is listed once."""
    found: dict[str, ConfigFile] = {}
    for client in CLIENTS.values():
        if not clients or client.slug in clients:
            for file in client.files(around):
                if os.path.isfile(file.path):
                    found.setdefault(os.path.realpath(file.path), file)
    return list(found.values())


def _repository(directory: str) -> str | None:
    """The root of the repository that a directory stands in: that of a project, for most clients."""
    while True:
        if os.path.exists(os.path.join(directory, ".git")):
            return directory
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above

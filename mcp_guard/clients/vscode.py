"""VS Code, its Insiders edition and VSCodium: `mcp.json` in the profile (and in each named one), `.vscode/mcp.json` in
a project. JSON with comments; the servers stand under `servers`.
"""

import glob

from mcp_guard.clients.values import Client, ConfigFile, Surroundings

_EDITIONS = ("Code", "Code - Insiders", "VSCodium")


def _files(around: Surroundings) -> list[ConfigFile]:
    key = ("servers",)
    users = [f"{around.applications()}/{edition}/User" for edition in _EDITIONS]
    named = [path for user in users for path in sorted(glob.glob(f"{glob.escape(user)}/profiles/*/mcp.json"))]
    own = [*(f"{user}/mcp.json" for user in users), *named]
    return [
        *(ConfigFile("vscode", path, [("user", key)]) for path in own),
        *(ConfigFile("vscode", f"{place}/.vscode/mcp.json", [("project", key)]) for place in around.directories),
    ]


CLIENT = Client("vscode", "VS Code", _files)

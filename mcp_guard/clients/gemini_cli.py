"""Gemini CLI: `.gemini/settings.json`, in the home directory and in a project. JSON with comments; streamable HTTP
servers have an `httpUrl`, or a `url` with a `type`.
"""

from mcp_guard.clients.values import Client, ConfigFile, Surroundings


def _files(around: Surroundings) -> list[ConfigFile]:
    key = ("mcpServers",)
    return [
        ConfigFile("gemini-cli", f"{around.home}/.gemini/settings.json", [("user", key)]),
        *(ConfigFile("gemini-cli", f"{at}/.gemini/settings.json", [("project", key)]) for at in around.directories),
    ]


CLIENT = Client("gemini-cli", "Gemini CLI", _files)

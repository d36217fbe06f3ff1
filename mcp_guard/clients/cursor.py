"""Cursor: `.cursor/mcp.json`, in the home directory and in a project."""

from mcp_guard.clients.values import Client, ConfigFile, Surroundings


def _files(around: Surroundings) -> list[ConfigFile]:
    key = ("mcpServers",)
    return [
        ConfigFile("cursor", f"{around.home}/.cursor/mcp.json", [("user", key)]),
        *(ConfigFile("cursor", f"{place}/.cursor/mcp.json", [("project", key)]) for place in around.directories),
    ]


CLIENT = Client("cursor", "Cursor", _files)

"""Windsurf: one file in the home directory. Remote servers have a `serverUrl`."""

from mcp_guard.clients.values import Client, ConfigFile, Surroundings


def _files(around: Surroundings) -> list[ConfigFile]:
    path = f"{around.home}/.codeium/windsurf/mcp_config.json"
    return [ConfigFile("windsurf", path, [("user", ("mcpServers",))])]


CLIENT = Client("windsurf", "Windsurf", _files)

"""Claude Desktop: one file, beside its other settings. Its extensions are no servers in that file."""

from mcp_guard.clients.values import Client, ConfigFile, Surroundings


def _files(around: Surroundings) -> list[ConfigFile]:
    path = f"{around.applications()}/Claude/claude_desktop_config.json"
    return [ConfigFile("claude-desktop", path, [("user", ("mcpServers",))])]


CLIENT = Client("claude-desktop", "Claude Desktop", _files)

"""Claude Code: `~/.claude.json` for the user (and for one project at a time, `local`), `.mcp.json` in a project."""

from mcp_guard.clients.values import ANY, Client, ConfigFile, Surroundings

KEY = "mcpServers"
SHARED = ".mcp.json"


def _files(around: Surroundings) -> list[ConfigFile]:
    own = around.environment.get("CLAUDE_CONFIG_DIR") or around.home
    return [
        ConfigFile("claude-code", f"{own}/.claude.json", [("user", (KEY,)), ("local", ("projects", ANY, KEY))]),
        *(ConfigFile("claude-code", f"{place}/{SHARED}", [("project", (KEY,))]) for place in around.directories),
    ]


CLIENT = Client("claude-code", "Claude Code", _files, alone=lambda file: not file.path.endswith("/" + SHARED))

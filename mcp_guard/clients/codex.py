"""Codex: `config.toml` in `~/.codex` (or `$CODEX_HOME`) and in a project's `.codex`. It fills in no references, and
gives a server only those variables of its environment that the file names (`env_vars`).
"""

from mcp_guard.clients.values import Client, ConfigFile, Surroundings


def _files(around: Surroundings) -> list[ConfigFile]:
    own = around.environment.get("CODEX_HOME") or f"{around.home}/.codex"
    key = ("mcp_servers",)
    return [
        ConfigFile("codex", f"{own}/config.toml", [("user", key)], "toml"),
        *(ConfigFile("codex", f"{at}/.codex/config.toml", [("project", key)], "toml") for at in around.directories),
    ]


CLIENT = Client("codex", "Codex", _files)

"""A home directory with a project in it, and one client, for the tests of what reads clients' configurations."""

import json
from pathlib import Path

from tests.cli.shell import Shell

FILES = {"command": "npx", "args": ["-y", "server", "/srv"], "env": {"API_KEY": "hunter2"}}
WEB = {"url": "https://e.com/mcp?key=hunter2", "headers": {"Authorization": "Bearer hunter2"}}
SETTINGS = json.dumps({"mcpServers": {"files": FILES, "web": WEB}}, indent=2)


class Home(Shell):
    """The home; its client is Cursor."""

    @property
    def config(self) -> Path:
        return self.directory / "home" / ".cursor" / "mcp.json"

    def write(self, text: str = SETTINGS) -> Path:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_bytes(text.encode())
        return self.config

    def servers(self) -> dict[str, dict[str, object]]:
        return json.loads(self.config.read_text())["mcpServers"]

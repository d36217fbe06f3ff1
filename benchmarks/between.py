"""What may stand between a client and its server: one entry a row, each a way to put itself in front of a command."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from machinery import HERE, Workshop

Command = Sequence[str]

FIREWALL_POLICY = """version: 1
defaultAction: allow
globalRateLimit: {maxCalls: 1000000000, windowSeconds: 1}
rules: []
"""


class Between(NamedTuple):
    """One row: its name, the command that puts it in front of another, and how many calls it is given at a time."""

    name: str
    wrap: Callable[[Command], Command]
    calls: int
    patience: int = 1  # a slow one gets this many times fewer calls in the throughput run


class Rows:
    """The rows, with the files they need in a scratch directory."""

    def __init__(self, workshop: Workshop, scratch: Path) -> None:
        self._workshop, self._scratch, self._files = workshop, scratch, 0
        self.direct = Between("nothing", lambda command: command, 20_000)
        self.relay = Between(
            "a Python byte relay", lambda command: [sys.executable, str(HERE / "relay.py"), *command], 20_000
        )
        self.guard = Between("mcp-guard", self._guard, 20_000)
        self.fastmcp = Between("fastmcp", self._fastmcp, 500, patience=40)
        self.firewall = Between("mcp-firewall", self._firewall, 1_000, patience=40)

    def guard_at(self, database: Path, server: str = "echo") -> Between:
        """The guard with a database of one's own choosing."""
        options = ["--policy", str(HERE / "policy.yaml"), "--server", server, "--db", str(database)]
        start = [sys.executable, "-m", "mcp_guard", "run", *options, "--"]
        return Between("mcp-guard", lambda command: [*start, *command], 20_000)

    def _guard(self, command: Command) -> Command:
        return self.guard_at(self._new(".db")).wrap(command)

    def _fastmcp(self, command: Command) -> Command:
        config = self._new(".json")
        config.write_text(json.dumps({"mcpServers": {"server": {"command": command[0], "args": list(command[1:])}}}))
        return [str(self._workshop.peers() / "fastmcp"), "run", str(config), "--no-banner", "--log-level", "ERROR"]

    def _firewall(self, command: Command) -> Command:
        config = self._new(".yaml")
        config.write_text(FIREWALL_POLICY)
        return [str(self._workshop.peers() / "mcp-firewall"), "wrap", "--config", str(config), "--", *command]

    def _new(self, suffix: str) -> Path:
        self._files += 1
        return self._scratch / f"{self._files}{suffix}"

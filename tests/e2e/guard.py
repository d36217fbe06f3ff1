"""The real guard, as a client's config would start it, and what it left in its log."""

import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

PATIENCE = 90.0  # seconds for whatever must come, however busy the machine is; a test ends after 120 (pyproject.toml)

SERVERS = Path(__file__).parent / "servers"

ALLOW_ALL = """\
version: 1
rules:
  - {name: everything, effect: allow}
settings: {unlisted_tools: policy, audit_arguments: full}
"""


def server(name: str) -> list[str]:
    """The command of one of the small servers next to these tests."""
    return [sys.executable, str(SERVERS / f"{name}.py")]


class Guard:
    """A policy file and a database in a directory of their own; `command` puts the guard in front of a server."""

    def __init__(self, home: Path, policy: str = ALLOW_ALL) -> None:
        self.policy, self.database = home / "policy.yaml", home / "audit.db"
        self.policy.write_text(policy)

    def run(self, upstream: Sequence[str], *options: str) -> list[str]:
        """`mcp-guard run` in front of `--url URL`, `--config FILE` or `-- CMD ARG…`."""
        given = ["--policy", str(self.policy), "--db", str(self.database), *options]
        return [sys.executable, "-m", "mcp_guard", "run", *given, *upstream]

    def command(self, upstream: Sequence[str], *options: str, slug: str = "upstream") -> list[str]:
        """The same in front of a server over stdio, under a name of the test's choosing."""
        return self.run(["--", *upstream], "--server", slug, *options)

    def events(self, type: str | None = None) -> list[dict[str, Any]]:
        """The rows of the log in their order, `data` read; of one type, or all."""
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as log:
            log.row_factory = sqlite3.Row
            rows = [dict(row) for row in log.execute("SELECT * FROM events ORDER BY seq")]
        return [{**row, "data": json.loads(row["data"])} for row in rows if type in (None, row["type"])]

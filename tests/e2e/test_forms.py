"""A person at a client that people use, which shows the guard's question and takes the answer: the MCP Inspector's.

Its `mcpdo` stays connected between commands: a call that needs input comes back with the form, and
`elicitation/respond` is how a person fills it in.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.guard import Guard
from tests.e2e.npm import node_server, program
from tests.e2e.through import served

POLICY = """\
version: 1
rules:
  - {id: asked, effect: require_approval, tools: write_file, message: Read it first.}
  - {id: rest, effect: allow}
"""


class Inspector:
    """The connections of one person, in a home of their own."""

    def __init__(self, config: Path, home: str) -> None:
        self._command = [program("mcpdo"), "--config", str(config), "--format", "json"]
        self._environment = {
            **os.environ,
            "HOME": home,
            "MCP_INSPECTOR_DAEMON_DIR": f"{home}/daemon",
            "MCP_INSPECTOR_SECRET_STORE": "file",
        }

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        """The status of a command, and what it prints."""
        command = [*self._command, *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)

    def call(self, tool: str, **arguments: str) -> dict[str, Any]:
        """A call that has to wait for a person: the form that they see."""
        _, said = self.run("--connection", "guarded", "tools/call", tool, json.dumps(arguments))
        return said["elicitationPending"]

    def answer(self, form: dict[str, Any], *words: str) -> str:
        """What comes of the call once the form is answered."""
        _, said = self.run("--connection", "guarded", "elicitation/respond", form["elicitationId"], *words)
        return said["content"][0]["text"]


@contextmanager
def inspector(config: Path, entry: dict[str, Any]) -> Iterator[Inspector]:
    """Connected to the guard, as the person's configuration has it."""
    config.write_text(json.dumps({"mcpServers": {"guarded": entry}}))
    with tempfile.TemporaryDirectory(prefix="forms") as home:  # short: the path of a socket has to be
        person = Inspector(config, home)
        try:
            person.run("connect", "guarded")
            yield person
        finally:
            person.run("daemon", "stop")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture(params=["stdio", "http"])
def entry(request: pytest.FixtureRequest, guard: Guard, root: Path) -> Iterator[dict[str, Any]]:
    """How the person's configuration names the guard."""
    guard.policy.write_text(POLICY)
    behind = [*node_server("filesystem"), str(root)]
    if request.param == "stdio":
        command = guard.command(behind, slug="files")
        yield {"command": command[0], "args": command[1:]}
    else:
        with served(guard, ["--server", "files", "--", *behind]) as url:
            yield {"type": "streamable-http", "url": f"{url}/mcp"}


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_person_reads_the_form_approves_and_denies(
    era: str, entry: dict[str, Any], guard: Guard, root: Path, tmp_path: Path
) -> None:
    file = str(root / "note.txt")
    with inspector(tmp_path / "mcp.json", {**entry, "protocolEra": era}) as person:
        form = person.call("write_file", path=file, content="first")
        assert 'wants to call this tool on the server files: "write_file"' in " ".join(form["message"].split())
        assert "Read it first." in form["message"]
        assert '"content": "first"' in form["message"]
        assert form["requestedSchema"]["properties"]["decision"]["enum"] == [
            "deny",
            "allow once",
            "allow for this session",
        ]
        assert not Path(file).exists()
        assert "Successfully wrote" in person.answer(form, "decision:=allow once")
        for no in (["decision:=deny"], ["--decline"], ["--cancel"]):
            denied = person.answer(person.call("write_file", path=file, content="second"), *no)
            assert "a person's approval is needed, and none was given" in denied
        person.answer(person.call("write_file", path=file, content="third"), "decision:=allow for this session")
        status, said = person.run(
            "--connection", "guarded", "tools/call", "write_file", json.dumps({"path": file, "content": "fourth"})
        )
        assert (status, said["content"][0]["text"]) == (0, f"Successfully wrote to {file}")
    assert Path(file).read_text() == "fourth"
    decided = [row["data"]["status"] for row in guard.events("approval.decided")]
    assert decided == ["approved", "denied", "denied", "denied", "approved"]
    assert {row["decided_by"] for row in guard.events("tool.decided")} == {"approval"}

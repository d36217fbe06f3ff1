"""What the README tells people to paste works: its policy, and the commands in its configs."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_guard.cli.run_arguments import parse

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("policy", blocks("yaml"))
def test_its_policies_are_good_and_pass_their_tests(policy: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    for verb in ("check", "test"):
        command = [sys.executable, "-m", "mcp_guard", "policy", verb, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("config", blocks("json"))
def test_its_configs_start_the_guard_as_it_wants_to_be_started(config: str) -> None:
    for entry in json.loads(config)["mcpServers"].values():
        assert entry["command"] == "mcp-guard"
        assert entry["args"][0] == "run"
        assert parse(entry["args"][1:]) is not None


def test_its_line_for_claude_code_starts_the_guard_too() -> None:
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    [line] = [line for line in lines if line.startswith("claude mcp add")]
    words = shlex.split(line)
    assert words[words.index("--") + 1 :][:2] == ["mcp-guard", "run"]
    assert parse(words[words.index("--") + 3 :]) is not None

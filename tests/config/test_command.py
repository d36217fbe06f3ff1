"""`mcp-guard config`: what a person sees of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = Path(__file__).parents[2] / "examples" / "guard.yaml"


def run(*words: str | Path, cwd: Path | None = None) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "mcp_guard", "config", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_sound_configuration_is_shown_as_what_it_sets_up() -> None:
    status, said, _ = run("check", GUARD)
    assert status == 0
    assert [line.split() for line in said.splitlines()] == [
        ["SERVER", "NAMES", "BEGIN", "WITH", "STARTED", "REACHED"],
        ["notes", "notes__", "eager", "python3", "server.py"],
        ["archive", "archive__", "lazy", "python3", "server.py"],
        ["0", "errors,", "0", "warnings"],
    ]


def test_a_faulty_one_is_refused_with_every_finding(tmp_path: Path) -> None:
    (tmp_path / "guard.yaml").write_text("polcy: x\nservers: {a: {comand: y}}\n")
    status, said, _ = run("check", "guard.yaml", cwd=tmp_path)
    assert status == 2
    assert "guard.yaml:1:1: error[unknown-field]" in said
    assert said.endswith("3 errors, 0 warnings\n")
    found = json.loads(run("check", "guard.yaml", "--json", cwd=tmp_path)[1])
    assert (found["ok"], len(found["diagnostics"]), found["servers"]) == (False, 3, [])


def test_a_fault_in_the_policy_that_it_names_is_found_too(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\nrulez: []\n")
    (tmp_path / "guard.yaml").write_text("policy: policy.yaml\nservers: {a: {command: y}}\n")
    status, said, _ = run("check", tmp_path / "guard.yaml")
    assert (status, "policy.yaml:2:1: error[unknown-field]" in said) == (2, True)


POLICIES = {"policy: nope.yaml": "1:9", "policy: [p.yaml, nope.yaml]": "1:18", "policy: .": "1:9"}


@pytest.mark.parametrize(("named", "place"), POLICIES.items())
def test_a_policy_that_cannot_be_read_is_one_finding_among_the_others(named: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\nrules: []\n")
    (tmp_path / "guard.yaml").write_text(f"{named}\nservers: {{a: {{command: npx -y x}}}}\n")
    status, said, complaint = run("check", "guard.yaml", cwd=tmp_path)
    assert (status, complaint) == (2, "")
    assert f"guard.yaml:{place}: error[unreadable-policy]" in said
    assert "\n    1 | policy: " in said
    assert "warning[command-with-spaces]" in said
    assert said.endswith("1 error, 1 warning\n")


@pytest.mark.parametrize("group", ["config", "policy", "tools", "agents"])
def test_a_group_without_a_command_shows_what_there_is_and_nothing_else(group: str) -> None:
    command = [sys.executable, "-m", "mcp_guard", group]
    bare = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    asked = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert (bare.returncode, bare.stdout, bare.stderr.strip()) == (2, "", asked.stdout.strip())


def test_warnings_count_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "guard.yaml").write_text("servers: {a: {command: npx -y x}}\n")
    assert run("check", "guard.yaml", cwd=tmp_path)[0] == 0
    assert run("check", "--strict", "guard.yaml", cwd=tmp_path)[0] == 1


@pytest.mark.parametrize("path", ["nothing.yaml", "."])
def test_a_file_that_cannot_be_read_is_one_line_and_a_hint(path: str, tmp_path: Path) -> None:
    status, said, complaint = run("check", path, cwd=tmp_path)
    assert (status, said, len(complaint.splitlines())) == (2, "", 2)


def test_the_schema_is_json() -> None:
    assert json.loads(run("schema")[1])["title"] == "mcp-guard configuration"

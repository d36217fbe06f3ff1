"""`mcp-guard doctor`: each thing that can be wrong is found, named, and comes with what to do."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import user_directories
from mcp_guard.cli.health import stores
from tests.cli.home import FILES, Home
from tests.cli.test_tools import SERVER

ALLOW = 'version: 1\nrules:\n  - {id: all, effect: allow, tools: "*"}\n'


def findings(home: Home, area: str, *options: str) -> list[dict[str, Any]]:
    status, out, _ = home.run("doctor", "--json", *options)
    report = json.loads(out)
    assert report["wrong"] is (status == 1)
    return report["findings"][area]


def wrong(found: list[dict[str, Any]]) -> list[str]:
    return [f"{one['level']}: {one['what']}" for one in found if one["level"] not in ("ok", "note")]


def guarded(home: Home, *options: str, command: str = sys.executable, **more: object) -> None:
    server = {"command": command, "args": ["run", *options, "--", sys.executable, SERVER], **more}
    home.write(json.dumps({"mcpServers": {"notes": server}}))


def test_where_all_is_well_it_says_so(home: Home) -> None:
    Path("mine.yaml").write_text(ALLOW)
    Path("mine.yaml").chmod(0o600)
    guarded(home, command=str(Path(sys.executable).parent / "mcp-guard"))
    home.run("init", "--yes", "--policy", "mine.yaml")
    status, out, _ = home.run("doctor")
    assert status == 0, out
    assert "ok       Cursor ~/.cursor/mcp.json: 1 of 1 servers guarded" in out


def test_a_server_without_a_guard_is_found_with_the_command_that_guards_it(home: Home) -> None:
    home.write(json.dumps({"mcpServers": {"notes": {"command": sys.executable, "args": [SERVER]}}}))
    found = findings(home, "clients")
    assert wrong(found) == ["warning: not guarded"]
    assert found[-1]["hint"] == "mcp-guard init --client cursor --server notes"


HOSTILE = "\x1b]0;owned\x07\x9b2J\u202e"


def test_what_a_project_calls_its_files_never_reaches_the_terminal_but_as_text(home: Home) -> None:
    args = ["run", "--policy", f"p{HOSTILE}.yaml", "--db", f"d{HOSTILE}.db", "--", f"c{HOSTILE}"]
    home.write(json.dumps({"mcpServers": {f"n{HOSTILE}": {"command": f"{HOSTILE}/mcp-guard", "args": args}}}))
    _, out, _ = home.run("doctor")
    assert all(line.isprintable() for line in out.split("\n"))
    assert "policy p\\x1b]0;owned" in out


@pytest.mark.parametrize("name", ["a b", "a'$(touch owned)", "a;touch owned", '"`touch owned`'])
def test_what_is_to_be_typed_into_a_shell_says_to_it_what_it_says_to_a_person(name: str, home: Home) -> None:
    args = ["run", "--policy", f"{name}.yaml", "--", "x"]
    Path(f"{name}.yaml").write_text("version: 1\nrules: 7\n")
    plain, guarded = {"command": sys.executable}, {"command": "/bin/mcp-guard", "args": args}
    home.write(json.dumps({"mcpServers": {name: plain, "guarded": guarded}}))
    hints = [one["hint"] for area in ("clients", "policies") for one in findings(home, area)]
    words = [shlex.split(hint) for hint in hints if hint.startswith("mcp-guard")]
    assert ["mcp-guard", "init", "--client", "cursor", "--server", name] in words
    assert ["mcp-guard", "policy", "check", f"{name}.yaml"] in words


def test_servers_are_started_only_when_asked_to(home: Home) -> None:
    home.write(json.dumps({"mcpServers": {"notes": {"command": sys.executable, "args": [SERVER]}}}))
    assert [one["what"] for one in findings(home, "servers")] == ["its program is there"]
    assert [one["what"] for one in findings(home, "servers", "--start")] == ["started, lists 4 tools"]


GUARD = "/bin/mcp-guard"
CONFIGS = [  # command, arguments, where it is found, what is found
    ("/nowhere/mcp-guard", "run -- npx", "clients", "error: its guard is not there: /nowhere/mcp-guard"),
    ("mcp-guard", "run -- npx", "clients", "warning: guarded by mcp-guard, which a client may not find"),
    (GUARD, "run --nonsense -- npx", "clients", "error: the arguments of its guard are wrong"),
    ("no-such-program-at-all", "", "servers", "error: its program was not found on this PATH"),
    ("npx", f"--token ghp_{'0a1B' * 9}", "permissions", "warning: a secret stands in its arguments (github-token)"),
    (GUARD, "run --policy /nowhere.yaml -- npx", "policies", "error: /nowhere.yaml: cannot read"),
    (GUARD, "run -- npx", "policies", "warning: there is none: every call is denied"),
    (GUARD, "run --config /nowhere.yaml", "policies", "error: /nowhere.yaml: cannot read"),
]


@pytest.mark.parametrize(("command", "args", "area", "expected"), CONFIGS)
def test_what_is_wrong_with_a_server_is_found(command: str, args: str, area: str, expected: str, home: Home) -> None:
    home.write(json.dumps({"mcpServers": {"it": {"command": command, "args": args.split()}}}))
    assert any(one.startswith(expected) for one in wrong(findings(home, area))), findings(home, area)


def test_what_a_project_names_is_never_started(home: Home) -> None:
    project = Path(".cursor", "mcp.json")
    project.parent.mkdir()
    trap = {"command": sys.executable, "args": ["-c", "open('started', 'w')"]}
    project.write_text(json.dumps({"mcpServers": {"trap": trap}}))
    assert [one["what"] for one in findings(home, "servers", "--start")] == ["not started: it comes with the project"]
    assert not Path("started").exists()


def test_a_guard_that_a_project_brings_is_not_taken_for_the_users_own(home: Home) -> None:
    """It may be any program of that name, and its policy and log are whatever the project says."""
    Path(".git").mkdir()
    own_log = Path("evil.db")
    own_log.touch(0o666)
    args = ["-m", "mcp_guard", "run", "--policy", "all.yaml", "--db", "evil.db", "--", "x"]
    fake = {"command": sys.executable, "args": args}
    plain = {"command": sys.executable, "args": [SERVER]}
    Path(".mcp.json").write_text(json.dumps({"mcpServers": {"brought": fake, "mine": plain}}))
    assert home.run("init", "--yes")[0] == 0
    found = {one["subject"].partition(" › ")[2]: one["what"] for one in findings(home, "clients")}
    assert found[""] == "1 of 2 servers guarded"
    assert found["brought"] == "guarded by what came with the project, as the project says"
    assert "project" not in found["mine"]
    assert "guarded: by a program that is not this one, but the project's" in home.run("init", "--dry-run")[1]
    everything = json.dumps([findings(home, area) for area in ("policies", "log", "permissions")])
    assert "evil.db" not in everything
    assert "all.yaml" not in everything


def test_a_file_that_cannot_be_read_is_an_error(home: Home) -> None:
    home.write('{"mcpServers": ')
    assert wrong(findings(home, "clients")) == ["error: not JSON: a value expected (line 1, column 16)"]


def test_a_policy_that_others_may_write_is_an_error(home: Home) -> None:
    home.write()
    home.run("init", "--yes")
    Path(user_directories.policy()).chmod(0o666)
    assert "error: others can change what your agents may do" in wrong(findings(home, "permissions"))


def test_a_policy_that_is_refused_is_an_error(home: Home) -> None:
    home.write()
    home.run("init", "--yes")
    Path(user_directories.policy()).write_text("version: 1\nrules: 7\n")
    assert wrong(findings(home, "policies")) == ["error: refused: 1 finding"]


def test_a_log_that_others_may_read_and_one_that_is_no_log_are_errors(home: Home) -> None:
    log = home.directory / "home" / ".local" / "share" / "mcp-guard" / "audit.db"
    log.parent.mkdir(parents=True)
    log.write_text("this is no database, whatever its name says")
    log.chmod(0o644)
    assert wrong(findings(home, "log")) == ["error: cannot be read: file is not a database"]
    assert "error: others can read it" in wrong(findings(home, "permissions"))


def test_a_disk_that_is_nearly_full_is_an_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_TOO_LITTLE", 1 << 62)
    monkeypatch.setattr(stores, "_LITTLE", 1 << 62)
    assert [one.split()[0] for one in wrong(findings(home, "log"))] == ["error:"]


def test_secrets_are_never_shown(home: Home) -> None:
    home.write()
    assert FILES["env"] == {"API_KEY": "hunter2"}
    for options in ((), ("--json",)):
        assert "hunter2" not in home.run("doctor", *options)[1]


def test_another_mcp_guard_on_the_path_is_found(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    other = home.directory / "bin" / "mcp-guard"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho mcp-guard 0.0.1\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent), prepend=":")
    [found] = [one for one in findings(home, "versions") if one["subject"] == "PATH"]
    assert (found["level"], found["what"].split(": ")[-1]) == ("error", "mcp-guard 0.0.1")

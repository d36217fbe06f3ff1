"""`mcp-guard init` as a person runs it: what is shown, what is written, what is refused, and the way back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_guard import user_directories
from mcp_guard.cli import own_command
from tests.cli.home import FILES, SETTINGS, WEB, Home


def test_what_would_change_is_shown_without_secrets_and_nothing_is_written(home: Home) -> None:
    home.write()
    status, out, err = home.run("init", "--dry-run")
    assert (status, err) == (0, "")
    assert out.startswith("Cursor  ~/.cursor/mcp.json\n  files  to be guarded\n  web    to be guarded\n")
    assert '+      "command": "/opt/mcp-guard",' in out
    assert "hunter2" not in out
    assert home.config.read_text() == SETTINGS
    assert sorted(path.name for path in (home.directory / "home").iterdir()) == [".cursor"]


def test_a_file_that_is_indented_with_tabs_is_shown_as_an_editor_shows_it(home: Home) -> None:
    home.write(json.dumps({"mcpServers": {"files": FILES}}, indent="\t"))
    _, out, _ = home.run("init", "--dry-run")
    assert '\n    +           "command": "/opt/mcp-guard",\n' in out
    assert "\\t" not in out


def test_servers_are_wrapped_once_and_undo_restores_every_byte(home: Home) -> None:
    home.write("\ufeff" + SETTINGS.replace("\n", "\r\n") + "  ")
    before = home.config.read_bytes()
    status, out, _ = home.run("init", "--yes")
    assert status == 0
    policy = str(home.directory / "home" / ".config" / "mcp-guard" / "policy.yaml")
    assert "mcp-guard init --mode enforce" in out
    after = home.config.read_bytes()
    words = ["run", "--agent", "cursor", "--policy", policy, "--mode", "observe", "--server", "files", "--"]
    entry = json.loads(after.decode("utf-8-sig"))["mcpServers"]["files"]
    assert entry == {"command": "/opt/mcp-guard", "args": [*words, "npx", "-y", "server", "/srv"], "env": FILES["env"]}
    assert home.run("init", "--yes")[1].endswith("Nothing to change.\n")
    assert home.config.read_bytes() == after
    status, out, _ = home.run("init", "--undo", "--yes")
    assert (status, out.splitlines()[-1]) == (0, "Undone in ~/.cursor/mcp.json")
    assert home.config.read_bytes() == before
    assert home.run("init", "--undo", "--yes")[1] == "Nothing to undo.\n"


def test_the_starter_policy_is_sound_and_is_not_written_over(home: Home) -> None:
    home.write()
    home.run("init", "--yes")
    policy = Path(user_directories.policy())
    assert home.run("policy", "check", str(policy))[0] == 0
    home.run("init", "--undo", "--yes")
    policy.write_text("version: 1\nrules: []\n")
    home.run("init", "--yes")
    assert policy.read_text() == "version: 1\nrules: []\n"


def test_with_a_policy_of_ones_own_calls_are_judged_from_the_start(home: Home) -> None:
    home.write()
    mine = Path("mine.yaml")
    mine.write_text("version: 1\nrules:\n  - {id: all, effect: allow}\n")
    home.run("init", "--yes", "--policy", "mine.yaml", "--db", "log.db")
    args = home.servers()["files"]["args"]
    assert args[3:9] == ["--policy", str(mine.absolute()), "--mode", "enforce", "--db", os.path.abspath("log.db")]
    assert not Path(user_directories.policy()).exists()


def test_a_policy_that_no_guard_would_load_is_refused_before_anything_is_written(home: Home) -> None:
    home.write()
    Path("mine.yaml").write_text("version: 1\nruls: []\n")
    status, _, err = home.run("init", "--yes", "--policy", "mine.yaml")
    assert status == 2
    assert "mine.yaml:2:1: error[unknown-field]" in err
    assert home.config.read_text() == SETTINGS


def test_a_log_that_no_guard_could_write_is_refused_before_anything_is_written(home: Home) -> None:
    before = home.write().read_bytes()
    status, _, err = home.run("init", "--yes", "--db", ".")
    assert (status, err.splitlines()[0]) == (2, "mcp-guard: error: . is a directory")
    assert home.config.read_bytes() == before


def test_so_is_a_policy_of_ones_own_that_is_there_already(home: Home) -> None:
    home.write()
    own = Path(user_directories.policy())
    own.parent.mkdir(parents=True)
    own.write_text("version: 1\nrules: [{id: a, effect: alow}]\n")
    status, _, err = home.run("init", "--yes")
    assert (status, "unknown-value" in err) == (2, True)
    assert home.config.read_text() == SETTINGS


def test_servers_clients_and_scopes_can_be_chosen(home: Home) -> None:
    home.write()
    project = Path(".cursor", "mcp.json")
    project.parent.mkdir()
    project.write_text(SETTINGS)
    home.run("init", "--yes", "--server", "web", "--scope", "user")
    assert home.servers()["files"] == FILES
    assert home.servers()["web"]["command"] == "/opt/mcp-guard"
    assert project.read_text() == SETTINGS
    assert "No servers were found" in home.run("init", "--yes", "--client", "codex")[1]
    assert "No such servers were found" in home.run("init", "--yes", "--server", "fils")[1]
    home.run("init", "--yes")
    assert home.servers()["files"]["command"] == "/opt/mcp-guard"
    home.run("init", "--undo", "--yes")
    assert (home.config.read_text(), project.read_text()) == (SETTINGS, SETTINGS)


@pytest.mark.parametrize(("option", "hint"), [(("--client", "cusor"), "cursor"), (("--scope", "usr"), "user")])
def test_a_slip_is_answered_with_what_was_meant(option: tuple[str, str], hint: str, home: Home) -> None:
    status, _, err = home.run("init", *option)
    assert status == 2
    assert hint in err.splitlines()[-1]


def test_nothing_is_written_where_nobody_can_be_asked(home: Home) -> None:
    home.write()
    status, _, err = home.run("init")
    assert status == 2
    assert "--yes" in err
    assert home.config.read_text() == SETTINGS


@pytest.mark.parametrize(("answer", "is_written"), [("y", True), ("n", False)])
def test_on_a_terminal_a_person_is_asked(
    answer: str, is_written: bool, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write()
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda question: answer == "y" and question == "Change 1 file?")
    assert home.run("init")[0] == 0
    assert (home.config.read_text() != SETTINGS) is is_written


def test_a_file_that_cannot_be_read_is_named_and_the_others_go_on(home: Home) -> None:
    home.write()
    broken = Path(".cursor", "mcp.json")
    broken.parent.mkdir()
    broken.write_text('{"mcpServers": {,}}')
    status, _, err = home.run("init", "--yes")
    assert status == 1
    assert f"{broken.absolute()}:1:17: not JSON" in err
    assert home.servers()["files"]["command"] == "/opt/mcp-guard"


def test_rights_and_links_stay(home: Home) -> None:
    config = home.write()
    real = home.directory / "dotfiles.json"
    config.rename(real)
    real.chmod(0o640)
    config.symlink_to(real)
    home.run("init", "--yes")
    assert config.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert home.servers()["files"]["command"] == "/opt/mcp-guard"
    kept = home.directory / "home" / ".local" / "share" / "mcp-guard" / "init"
    assert {path.stat().st_mode & 0o077 for path in [kept, *kept.rglob("*")]} == {0}
    home.run("init", "--undo", "--yes")
    assert config.is_symlink()
    assert real.read_text() == SETTINGS


def test_a_file_that_changes_while_one_thinks_is_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write()

    def write_meanwhile(question: str) -> bool:
        home.config.write_text("{}")
        return True

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", write_meanwhile)
    status, _, err = home.run("init")
    assert status == 1
    assert "somebody else has just changed it" in err
    assert home.config.read_text() == "{}"


def test_nothing_is_remembered_of_a_change_that_did_not_come_off(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write()
    monkeypatch.setattr("mcp_guard.clients.files._is_still", lambda before: False)
    assert home.run("init", "--yes")[0] == 1
    assert home.run("init", "--undo", "--yes")[1] == "Nothing to undo.\n"


def test_a_server_that_somebody_took_out_is_not_looked_for(home: Home) -> None:
    home.write()
    home.run("init", "--yes")
    home.config.write_text(json.dumps({"mcpServers": {"web": home.servers()["web"]}}))
    assert home.run("init", "--undo", "--yes")[0] == 0
    assert home.servers() == {"web": WEB}
    assert home.run("init", "--undo", "--yes")[1] == "Nothing to undo.\n"


def test_undo_after_others_changed_the_file_puts_back_what_is_ours_and_says_what_is_not(home: Home) -> None:
    home.write()
    home.run("init", "--yes")
    data = json.loads(home.config.read_text())
    data["mcpServers"]["web"]["env"]["MORE"] = "1"
    data["mcpServers"]["new"] = {"command": "new"}
    home.config.write_text(json.dumps(data))
    status, out, _ = home.run("init", "--undo", "--yes")
    assert status == 1
    assert "web: LEFT AS IT IS: changed since." in out
    assert home.servers()["files"] == FILES
    assert home.servers()["new"] == {"command": "new"}
    assert home.servers()["web"]["command"] == "/opt/mcp-guard"


def test_one_guard_for_all_and_its_file_goes_with_it(home: Home) -> None:
    home.write()
    _, out, _ = home.run("init", "--yes", "--one")
    assert list(home.servers()) == ["mcp-guard"]
    [guard] = Path(user_directories.policy()).parent.glob("cursor-user-*.yaml")
    assert str(guard) in home.servers()["mcp-guard"]["args"]  # type: ignore[operator]
    assert guard.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in out + home.config.read_text()
    assert home.run("config", "check", str(guard))[0] == 0
    assert home.run("init", "--yes", "--one")[1].endswith("Nothing to change.\n")
    home.run("init", "--undo", "--yes")
    assert home.config.read_text() == SETTINGS
    assert not guard.exists()


def test_another_mode_is_put_into_the_guards_that_are_there(home: Home) -> None:
    home.write()
    home.run("init", "--yes")
    _, out, _ = home.run("init", "--yes", "--mode", "enforce")
    assert "files  to be changed: --mode enforce" in out
    assert home.servers()["files"]["args"][6] == "enforce"  # type: ignore[index]
    home.run("init", "--undo", "--yes")
    assert home.config.read_text() == SETTINGS


def test_an_installation_that_will_be_gone_is_not_written_into_a_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/me/.cache/uv/archive-v0/x/bin/python")
    with pytest.raises(Exception, match="temporary environment"):
        own_command.own_command()


def test_this_very_installation_is_named_by_an_absolute_path() -> None:
    assert os.path.isabs(own_command.own_command()[0])


def test_a_project_in_which_a_client_starts_the_guard_cannot_put_a_module_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mcp_guard/__init__.py", "mcp_guard/__main__.py", "yaml.py", "_sha2.py", "_sha256.py"):
        module = tmp_path / name
        module.parent.mkdir(exist_ok=True)
        module.write_text("raise SystemExit('the project was asked')")
    monkeypatch.setattr("os.path.isfile", lambda path: False)  # no program beside the interpreter
    command = own_command.own_command()
    monkeypatch.undo()
    assert "mcp_guard" in command
    ended = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split()[0], ended.stderr) == (0, "mcp-guard", "")

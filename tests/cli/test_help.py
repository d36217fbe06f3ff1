"""The help of every command, and the page that lists them: true, whole, and to be copied from."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from mcp_guard.cli.app import app, main
from mcp_guard.cli.output import short
from mcp_guard.store.location import default_database

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


def commands(group: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that it is called by; groups are entered, and not among them."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, *words, name)
        else:
            yield (*words, name), command


ALL = dict(commands(get_command(app)))


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "80")

    def shown(words: tuple[str, ...]) -> str:
        with pytest.raises(SystemExit, match="0"):
            main([*words, "--help"])
        return capsys.readouterr().out

    return shown


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_is_whole_and_has_an_example(shown: Any, words: tuple[str, ...]) -> None:
    text = shown(words)
    assert f"Usage: mcp-guard {' '.join(words)} [OPTIONS]" in text
    assert re.search(rf"mcp-guard {' '.join(words)}\b", text.split("Example")[-1])
    assert not re.search(r"<(str|bool|int|list)", text)
    assert "\x1b" not in text


def test_help_names_the_audit_log(shown: Any) -> None:
    assert short(default_database()) in shown(("log",))


def test_a_group_says_in_whole_sentences_what_its_commands_do(shown: Any) -> None:
    assert "Find what is wrong with a policy, and what is probably not meant." in " ".join(shown(("policy",)).split())


def test_the_page_lists_every_command_with_what_it_does() -> None:
    listed = dict(re.findall(r"^\| `mcp-guard ([a-z -]+?)` \| (.+?) \|", PAGE, re.MULTILINE))
    assert listed == {" ".join(words): command.get_short_help_str(1_000) for words, command in ALL.items()}


def test_the_page_says_of_every_command_that_prints_json_what_it_prints() -> None:
    printing = {
        " ".join(words) for words, command in ALL.items() if any(one.name == "as_json" for one in command.params)
    }
    section = PAGE.split("## JSON")[1].split("\n## ")[0]
    told = {
        one for cells in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE) for one in re.findall(r"`(.+?)`", cells)
    }
    assert told == printing


NO_VALUE = [
    (("log", "--since", ""), "--since: it needs a value"),
    (("log", "--db", ""), "--db: it needs a value"),
    (("log", "--agent", "--json"), "--agent: it needs a value, and `--json` is an option"),
    (("replay", "--policy", ""), "--policy: it needs a value"),
    (("run", "--policy", "", "--", "cat"), "--policy: it needs a value"),
    (("run", "--user", "", "--", "cat"), "--user: it needs a value"),
    (("run", "--group", "", "--", "cat"), "--group: it needs a value"),
    (("run", "--policy", "--agent", "x", "--", "cat"), "--policy: it needs a value, and `--agent` is an option"),
]


@pytest.mark.parametrize(
    ("words", "said"), NO_VALUE, ids=lambda case: " ".join(case) if isinstance(case, tuple) else ""
)
def test_a_variable_that_is_not_set_is_no_value(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert capsys.readouterr().err.startswith(f"mcp-guard: error: Invalid value for {said}\n")


def test_what_a_server_is_told_may_be_empty_or_an_option_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--policy=none.yaml", "--", "server", "--db", ""])
    assert "none.yaml: cannot read the policy" in capsys.readouterr().err

"""What stands where stdout should be, and what a shell makes of what was typed, ends no command with a traceback."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_guard import __main__ as way_in
from mcp_guard.cli.app import main

POLICY = "version: 1\nrules: [{id: größe, name: Größe ↩ 日本, effect: alow}]\n"


def ran(*words: str | bytes, encoding: str = "utf-8", **how: object) -> subprocess.CompletedProcess[bytes]:
    """A command on its own, whose stdout has this encoding."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "mcp_guard", *words]
    return subprocess.run(command, env=environment, stderr=subprocess.PIPE, check=False, **how)  # pyright: ignore


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return str(path)


def test_what_the_terminal_cannot_show_is_shown_as_an_escape(policy: str) -> None:
    done = ran("policy", "check", policy, encoding="ascii", stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (2, b"")
    assert rb"{id: gr\xf6\xdfe, name: Gr\xf6\xdfe < \u65e5\u672c, effect: alow}" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_encoding(policy: str, encoding: str, tmp_path: Path) -> None:
    named = tmp_path / "größe.yaml"
    named.write_bytes(Path(policy).read_bytes())
    done = ran("policy", "check", str(named), "--json", encoding=encoding, stdout=subprocess.PIPE)
    assert json.loads(done.stdout.decode(encoding))["diagnostics"][0]["file"] == str(named)


COMMANDS = [("--help",), ("run", "--help"), ("policy", "schema"), ("explain",)]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_full_disk_behind_stdout_is_said_in_a_line(words: tuple[str, ...], tmp_path: Path) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    with open(tmp_path / "out", "wb") as out:
        done = ran(*words, stdout=out, preexec_fn=no_room)
    said = done.stderr.decode().splitlines()
    assert (done.returncode, len(said)) == (2, 2)
    assert said[0].startswith("mcp-guard: error: stdout cannot be written: ")


def test_with_stdout_closed_nothing_is_said() -> None:
    done = ran("policy", "schema", preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_has_gone_is_no_news_and_no_success(policy: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = ran("policy", "check", policy, stdout=writing)
    os.close(writing)
    assert (done.returncode != 0, done.stderr) == (True, b"")


def test_a_word_that_is_no_text_is_said_to_be_none() -> None:
    done = ran("stop", "--all", "--reason", b"St\xf6rung", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines()[0] == r"mcp-guard: error: `St\udcf6rung` is not UTF-8"


def test_the_words_of_a_server_are_its_own() -> None:
    done = ran("run", "--url=x", "--", "server", b"\xf6", stdout=subprocess.PIPE)
    assert done.stderr.decode().splitlines()[0] == "mcp-guard: error: -- CMD and --url exclude each other"


UNKNOWN = [
    (("polcy",), "command `polcy`", "did you mean `policy`?"),
    (("xyzzy",), "command `xyzzy`", "`mcp-guard --help` shows what there is"),
    (("policy", "chek"), "command `chek`", "did you mean `check`?"),
    (("agents", "keys", "xyzzy"), "command `xyzzy`", "`mcp-guard agents keys --help` shows what there is"),
    (("log", "--sinse", "2h"), "option `--sinse`", "did you mean `--since`?"),
    (("log", "--xyzzy"), "option `--xyzzy`", "`mcp-guard log --help` shows what there is"),
]


@pytest.mark.parametrize(("words", "what", "hint"), UNKNOWN)
def test_of_a_command_or_option_that_is_none_it_is_said_which_may_be_meant(
    words: tuple[str, ...], what: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert capsys.readouterr().err == f"mcp-guard: error: there is no {what}\n  hint: {hint}\n"


def test_of_an_option_without_a_value_the_help_of_its_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(("log", "--agent"))
    assert "hint: `mcp-guard log --help`" in capsys.readouterr().err


def test_an_interrupt_while_a_command_is_loaded_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(way_in, "_run", interrupted)
    with pytest.raises(SystemExit, match="130"):
        way_in.main()

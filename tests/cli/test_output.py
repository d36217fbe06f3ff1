"""What the commands print as data: whatever a server called its things, a terminal only shows it."""

import json

import pytest

from mcp_guard.cli.output import console, print_json, say_error, say_note
from mcp_guard.policy import PolicyError, Source, load, render
from mcp_guard.policy.catalog import decode
from mcp_guard.policy.lints import examine

HOSTILE = {
    "a title for the terminal": "\x1b]0;owned\x07",
    "a control sequence in one character": "\x9b2J\x9b31m",
    "a reading direction": "a\u202eb\u2066c",
    "what has no width": "a\u200bb\ufeff",
    "other ends of lines": "a\u2028b\x85c\r",
    "letters of tags": "a\U000e0041b",
    "a deletion": "a\x7fb",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_data_is_printed_with_escapes_for_what_would_not_show(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = {text: [text, "ä日本"]}
    print_json(value)
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.split("\n"))
    assert json.loads(printed) == value


def test_what_shows_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "ä日本"})
    assert capsys.readouterr().out == '{\n  "name": "ä日本"\n}\n'


def test_a_name_between_colons_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("read :key:", markup=False)
    assert capsys.readouterr().out == "read :key:\n"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_said_beside_the_data_shows_too(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say_error(text, text)
    say_note(text)
    assert all(line.isprintable() for line in capsys.readouterr().err.split("\n"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_finding_shows_whatever_a_server_calls_its_tools(text: str) -> None:
    definition = json.dumps({"name": f"read_file{text}", "inputSchema": {"type": "object"}})
    tools = json.dumps({"servers": {"files": {"tools": [json.loads(definition)]}}})
    policy = {"version": 1, "rules": [{"id": "a", "effect": "allow", "servers": "files", "tools": "read_file"}]}
    catalog = decode(tools.encode(), path="catalog.json", server="")
    (found,) = examine([Source("policy.json", json.dumps(policy).encode())], catalog).findings
    assert all(line.isprintable() for line in render([found]).split("\n"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_finding_in_a_file_shows_whatever_the_file_is_called(text: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load([Source(f"{text}.yaml", b"version: 1\nrules: 7\n")])
    assert all(line.isprintable() for line in refused.value.report.split("\n"))

"""`mcp-guard replay` as a person and as a program see it."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cli.recorded import Session, a_session, record
from tests.cli.shell import Run, golden

POLICY = """\
version: 1
rules:
  - {id: weekend, name: w, effect: deny, tools: [run_query], when: request.args.password == "x"}
  - {id: small, name: s, effect: allow, when: '!has(request.args.head) || request.args.base == "main"'}
"""


@pytest.fixture
def run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, utc: None) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCP_GUARD_DB", record(tmp_path / "audit.db", a_session()))
    (tmp_path / "new.yaml").write_text(POLICY)
    return partial(run, "replay")


def test_a_person_gets_what_changes_by_rule_and_tool_then_the_calls(run: Run) -> None:
    status, out, err = run("--policy", "new.yaml")
    assert (status, err) == (0, "")
    golden("replay.txt", out)


def test_a_terminal_gets_the_same_in_colour(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "100", "FORCE_COLOR": "1", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    golden("replay-100.txt", run("--policy", "new.yaml")[1])


def test_a_program_gets_one_json_document(run: Run) -> None:
    status, out, _ = run("--policy", "new.yaml", "--json")
    golden("replay.json", out)
    document = json.loads(out)
    assert status == 0
    assert document.keys() == {"replayed", "unchanged", "changed", "not_replayable"}
    assert (document["replayed"], document["unchanged"]) == (4, 2)
    assert document["changed"][0] == {
        "event": "01JD-4",
        "ts": "2026-11-21T12:04:00.000000Z",
        "agent": "claude-code",
        "server": "github",
        "tool": "create_pull_request",
        "was": "deny",
        "now": "allow",
        "rule_was": "protect-main",
        "rule_now": "small",
    }
    assert document["not_replayable"] == [
        {"event": "01JD-7", "why": 'rule "weekend" reads arguments that were not kept: /password'}
    ]


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_change_is_a_finding_only_where_one_is_asked_for(run: Run, words: tuple[str, ...]) -> None:
    assert run("--policy", "new.yaml", "--fail-on-change", *words)[0] == 1
    assert run("--policy", "new.yaml", "--fail-on-change", "--since", "2026-11-21 12:09", *words)[0] == 0


FILTERS = [
    (("--since", "2026-11-21 12:08"), 2),
    (("--until", "2026-11-21 12:04"), 1),
    (("--agent", "cursor*"), 1),
    (("--server", "git*"), 4),
    (("--server", "jira"), 0),
    (("--tool", "create_*"), 2),
]


@pytest.mark.parametrize(("words", "count"), FILTERS)
def test_options_say_which_calls_to_decide_again(run: Run, words: tuple[str, ...], count: int) -> None:
    document = json.loads(run("--policy", "new.yaml", "--json", *words)[1])
    assert document["replayed"] == count


def test_several_files_make_one_policy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text("version: 1\nrules: [{id: first, name: f, effect: allow}]\n")
    document = json.loads(run("--policy", "first.yaml", "--policy", "new.yaml", "--json")[1])
    assert [change["rule_now"] for change in document["changed"]] == ["first", "first", "first"]


MISTAKES = [
    ((), "Missing option '--policy'"),
    (("--policy", "none.yaml"), "none.yaml: cannot read the policy: No such file or directory"),
    (("--policy", "new.yaml", "--db", "none.db"), "there is no audit log at none.db"),
    (("--policy", "new.yaml", "--since", "soon"), "'soon' is no moment"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_a_mistake_is_said_in_one_line_with_what_mends_it(run: Run, words: tuple[str, ...], message: str) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert message in err.splitlines()[0]
    assert err.splitlines()[1].startswith("  hint: ")


def test_a_policy_with_an_error_is_refused_with_its_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nrules:\n  - {name: a, efect: deny}\n")
    status, out, err = run("--policy", "bad.yaml")
    assert (status, out) == (2, "")
    assert err.startswith("bad.yaml:3:15: error[")


def test_a_terminal_is_told_how_far_a_replay_has_come(run: Run, tmp_path: Path) -> None:
    session = Session()
    for number in range(30_000):
        session.call("t", {"n": number}, "deny", "old")
    path = record(tmp_path / "large.db", session.events)
    command = [sys.executable, "-m", "mcp_guard", "replay", "--policy", "new.yaml", "--db", path]
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    ) as replaying:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        assert replaying.stdout is not None
        assert b"30,000 calls replayed" in replaying.stdout.read()
    os.close(ours)
    assert replaying.returncode == 0
    assert b"replaying" in shown
    assert b"/30000" in shown
    assert shown.rstrip().endswith((b"\x1b[2K", b"\x1b[?25h", b"\x1b[1A\x1b[2K"))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed
        return b""


def test_an_interrupt_ends_it_without_a_word(run: Run, tmp_path: Path) -> None:
    session = Session()
    for number in range(20_000):
        session.call("t", {"n": number}, "deny", "old")
    path = record(tmp_path / "large.db", session.events)
    command = [sys.executable, "-m", "mcp_guard", "replay", "--policy", "new.yaml", "--db", path, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as replaying:
        assert replaying.stdout is not None
        assert replaying.stdout.readline() == "{\n"
        replaying.send_signal(signal.SIGINT)
        _, err = replaying.communicate()
    assert (replaying.returncode, err) == (130, "")

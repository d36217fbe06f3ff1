"""`mcp-guard log` as a person and as a program see it."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from mcp_guard.cli.columns import Columns
from mcp_guard.cli.log_lines import HEADINGS, LEAST, detail, outcome
from mcp_guard.cli.moments import later, moment
from mcp_guard.store import Store
from mcp_guard.store.reader import RecordedEvent
from tests.cli.recorded import Session, a_session, record
from tests.cli.shell import Run, golden


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, utc: None) -> Path:
    path = tmp_path / "audit.db"
    record(path, a_session())
    monkeypatch.setenv("MCP_GUARD_DB", str(path))
    return path


def test_the_table_is_plain_and_whole_where_it_is_piped(log: Path, run: Run) -> None:
    status, out, err = run("log")
    assert (status, err) == (0, "")
    golden("log.txt", out)


ASKED = {"method": "tools/call", "arguments": {"number": 7}, "asked": "store", "asked_by": "policy", "seconds": 300}
APPROVALS = [
    ("approval.requested", ASKED, "a person is asked", "number=7 (asked in the store)"),
    ("approval.requested", {**ASKED, "method": "resources/read", "arguments": {}}, "a person is asked",
     "resources/read (asked in the store)"),
    ("approval.decided", {"by": "kim", "status": "approved", "scope": "once", "via": "store", "comment": ""},
     "approved", "once, by kim in the store"),
    ("approval.decided", {"by": "kim", "status": "denied", "scope": None, "via": "store", "comment": "on Monday"},
     "denied", 'by kim in the store: "on Monday"'),
    ("approval.decided", {"by": "mcp-guard", "status": "denied", "scope": None, "via": "client", "answer": "cancel"},
     "denied", "by mcp-guard in the client: cancel"),
    ("approval.withdrawn", {"by": "mcp-guard", "status": "expired", "connection": "01JD"}, "expired",
     "by=mcp-guard status=expired connection=01JD"),
    ("grant.added", {"by": "kim", "effect": "allow", "reason": "", "expires_at": None}, "grant added",
     "by=kim effect=allow"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data", "happened", "detail"), APPROVALS)
def test_what_people_did_is_told_in_words(
    tmp_path: Path, run: Run, kind: str, data: dict[str, object], happened: str, detail: str
) -> None:
    talk = Session()
    talk.add(kind, data, tool="merge_pull", rule="01JD-a1")
    record(tmp_path / "people.db", talk.events)
    line = run("log", "--db", str(tmp_path / "people.db"))[1].splitlines()[-1]
    assert [part.strip() for part in line.split("merge_pull")[1].split("01JD-a1")] == [happened, detail]


def test_names_and_ids_are_whole_where_the_table_is_piped(log: Path, run: Run) -> None:
    approval = "01M7YXWRSD2PNR8FN3ZADSCF8R-a123456"
    more = Session()
    more.add("approval.requested", {}, tool="create_" + "x" * 200, rule=approval, agent="a" * 100)
    more.add("instance.disconnected", {"reason": ""}, rule="01M7YXM50RDX12AYDBE7JH1MAH")
    record(log, more.events)
    _, out, _ = run("log")
    for whole in (approval, "create_" + "x" * 200, "a" * 100, "01M7YXM50RDX12AYDBE7JH1MAH"):
        assert whole in out.split()
    assert "  instance disconnected  " in out


@pytest.mark.parametrize("columns", [160, 100, 80])
def test_the_table_fits_a_terminal(log: Path, run: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    for name, value in {"COLUMNS": str(columns), "FORCE_COLOR": "1", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    _, out, _ = run("log")
    golden(f"log-{columns}.txt", out)


@pytest.mark.parametrize("columns", [40, 56, 68])
def test_in_a_terminal_too_narrow_for_a_table_each_line_is_whole(
    log: Path, run: Run, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    piped = run("log")[1]
    for name, value in {"COLUMNS": str(columns), "FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    shown = re.sub(r"\x1b\[\d*m", "", run("log")[1])
    assert max(map(len, shown.splitlines())) <= columns
    assert "".join(shown.split()) == "".join(piped.split())


def test_json_is_one_object_a_line_with_the_columns_of_the_table(log: Path, run: Run) -> None:
    _, out, _ = run("log", "--json", "--type", "all")
    golden("log.jsonl", out)
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, 15))
    assert events[8]["data"]["arguments"] == {"\x1b]0;owned\x07": "\x9b31m\u202e", "n": 3.5}


NOT_KEPT = {"hash": "hmac-sha256:0", "why": "name", "bytes": 7}
ARGUMENTS = [
    ({"path": "/srv/x", "n": 3}, (), "path=/srv/x n=3"),
    ({"n": "3", "on": "true", "all": "null", "of": "[1]", "x": "-1e5", "id": "01JD"}, (),
     'n="3" on="true" all="null" of="[1]" x="-1e5" id=01JD'),
    ({"path=/srv/x to": "/etc", "": ""}, (), '"path=/srv/x to"=/etc ""=""'),
    ({"password": None, "token": "[redacted]"}, ["/password"], 'password=[redacted] token="[redacted]"'),
    ({"api/token": None, "~": None}, ["/api~1token", "/~0"], "api/token=[redacted] ~=[redacted]"),
    ({"env": [{"x": 1, "pin": None}], "no": {"pin": None}}, ["/env/0/pin"],
     'env=[{"x":1,"pin":"[redacted]"}] no={"pin":null}'),
    (None, [""], "arguments not kept"),
    ({"path": "…"}, (), 'path="…"'),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "places", "detail"), ARGUMENTS)
def test_arguments_can_be_read_in_one_way_and_what_was_not_kept_is_no_null(
    tmp_path: Path, run: Run, arguments: object, places: Sequence[str], detail: str
) -> None:
    talk = Session()
    redacted = [{"path": place, **NOT_KEPT} for place in places]
    talk.add("tool.decided", {"arguments": arguments, "redacted": redacted}, tool="t", decision="allow", rule="a-rule")
    record(tmp_path / "calls.db", talk.events)
    line = run("log", "--db", str(tmp_path / "calls.db"))[1].splitlines()[-1]
    assert line.split("a-rule")[1].strip() == detail


def test_a_row_that_somebody_made_too_deep_is_shown_all_the_same() -> None:
    levels = 600
    deep = json.loads('{"a":' * levels + "null" + "}" * levels)
    edited = {"arguments": deep, "redacted": [{"path": "/a" * levels, **NOT_KEPT}]}
    nobody = (None, False, None, None, None, None, None, None, None)
    assert detail(RecordedEvent(1, "i", "", "tool.decided", "c", *nobody, edited)).startswith('arguments={"a":{"a":')


@pytest.mark.parametrize("words", [(), ("--json",), ("--type", "all")])
def test_nothing_that_was_recorded_reaches_a_terminal_as_it_came(
    log: Path, run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    hostile = Session()
    text = "".join(map(chr, (*range(32), *range(127, 160), 0x202E, 0x2028, 0x2066, 0xFEFF)))
    hostile.add("message.rejected", {"from": text, "reason": text, "bytes": text, text: [text]}, tool=text, user=text)
    hostile.add("agent.connected", {"client": {"name": text, "version": text}, "protocol": text}, agent=text)
    hostile.add("policy.rejected", {"errors": [text]}, server=text)
    hostile.call(text, {text: text}, "deny", text)
    record(log, hostile.events)
    _, out, _ = run("log", *words)
    assert [character for character in out if not character.isprintable()] == ["\n"] * out.count("\n")


FILTERS = [
    (("--decision", "deny"), [4, 8]),
    (("--decision", "require_approval"), [7]),
    (("--tool", "create_*"), [4, 5]),
    (("--type", "tool.completed"), [6]),
    (("--type", "tools.listed", "--type", "tool.completed"), [3, 6]),
    (("--type", "all"), list(range(1, 15))),
    ((), [1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14]),
    (("--limit", "2"), [13, 14]),
    (("--limit", "9" * 30, "--type", "tool.completed"), [6]),
    (("--agent", "cursor*"), [9]),
    (("--user", "bob*"), []),
    (("--server", "github", "--limit", "1"), [14]),
    (("--connection", "01JD", "--limit", "1"), [14]),
    (("--connection", "other"), []),
    (("--since", "2026-11-21 12:13"), [13, 14]),
    (("--since", "2026-11-21T12:13:00+00:00"), [13, 14]),
    (("--since", "2026-11-21T13:13:00+01:00"), [13, 14]),
    (("--until", "2026-11-21 12:02"), [1, 2]),
    (("--since", "2026-11-21", "--until", "2026-11-21", "--limit", "1"), [14]),
    (("--since", "2026-11-22"), []),
    (("--until", "2026-11-20"), []),
]


@pytest.mark.parametrize(("words", "expected"), FILTERS)
def test_options_say_which_events_to_show(log: Path, run: Run, words: tuple[str, ...], expected: list[int]) -> None:
    _, out, _ = run("log", "--json", *words)
    assert [json.loads(line)["seq"] for line in out.splitlines()] == expected


def test_the_latest_fifty_are_shown_or_all_since_a_moment(tmp_path: Path, run: Run, utc: None) -> None:
    session = Session()
    for number in range(120):
        session.call("t", {"n": number}, "allow", "all")
    path = record(tmp_path / "audit.db", session.events)
    assert len(run("log", "--db", path)[1].splitlines()) == 50 + 1
    assert len(run("log", "--db", path, "--since", "2026-11-21")[1].splitlines()) == 120 + 1


NOW = datetime(2026, 11, 21, 12, 30)
MOMENTS = [
    ("90s", False, datetime(2026, 11, 21, 12, 28, 30)),
    ("2h", False, datetime(2026, 11, 21, 10, 30)),
    ("2h ago", False, datetime(2026, 11, 21, 10, 30)),
    ("3d", False, datetime(2026, 11, 18, 12, 30)),
    ("1w", True, datetime(2026, 11, 14, 12, 30)),
    ("today", False, datetime(2026, 11, 21)),
    ("Yesterday", True, datetime(2026, 11, 20, 23, 59, 59, 999999)),
    ("2026-11-21", False, datetime(2026, 11, 21)),
    ("2026-11-21", True, datetime(2026, 11, 21, 23, 59, 59, 999999)),
    ("2026-11-21 14:30", True, datetime(2026, 11, 21, 14, 30)),
    (" 2026-11-21T14:30:05.5 ", False, datetime(2026, 11, 21, 14, 30, 5, 500000)),
]


@pytest.mark.parametrize(("text", "end", "expected"), MOMENTS)
def test_a_moment_is_written_as_people_write_it(text: str, end: bool, expected: datetime, utc: None) -> None:
    assert moment(text, NOW, "--since", end=end) == round(expected.timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", datetime(2026, 11, 21, 14, 30)),
        ("today", datetime(2026, 11, 21, 23, 59, 59, 999999)),
        ("2026-12-31", datetime(2026, 12, 31, 23, 59, 59, 999999)),
        ("2026-12-31 14:30", datetime(2026, 12, 31, 14, 30)),
    ],
)
def test_what_is_to_come_ends_with_the_day_that_is_named(text: str, expected: datetime, utc: None) -> None:
    assert later(text, NOW, "--expires") == round(expected.timestamp() * 1_000_000)


@pytest.mark.parametrize("text", ["", "2", "h", "2 hours", "soon", "2026-13-01", "-2h", "999999w", "²h", "0000-01-01"])
def test_what_is_no_moment_is_refused(text: str, utc: None) -> None:
    with pytest.raises(typer.BadParameter, match="is no moment"):
        moment(text, NOW, "--since")


MISTAKES = [
    (("--decision", "maybe"), "'maybe' is no decision; there are allow, deny, require_approval"),
    (("--type", "xyzzy"), "'xyzzy' is no type of event; there are all, agent.connected, "),
    (("--type", "tool.decide"), "'tool.decide' is no type of event; did you mean `tool.decided`?"),
    (("--since", "soon"), "--since: 'soon' is no moment: write `2h`, "),
    (("--until", "soon"), "--until: 'soon' is no moment: write `2h`, "),
    (("--limit", "0"), "Invalid value for --limit: it must be at least 1"),
    (("--limit", "x"), "Invalid value for --limit: not a whole number"),
    (("--what",), "there is no option `--what`"),
    (("--db", "/dev/null/x"), "the audit log /dev/null/x cannot be used: Not a directory"),
    (("--db", "."), ". is a directory"),
    (("--db", __file__), "is not a database"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_a_mistake_is_one_line_that_says_what_and_how_to_mend_it(
    log: Path, run: Run, words: tuple[str, ...], message: str
) -> None:
    status, out, err = run("log", *words)
    assert (status, out) == (2, "")
    first, hint, *rest = err.splitlines()
    assert first.startswith("mcp-guard: error: ")
    assert message in first
    assert hint.startswith("  hint: ")
    assert rest == []


def test_no_log_yet_is_said_in_one_line(tmp_path: Path, run: Run) -> None:
    status, out, err = run("log", "--db", str(tmp_path / "none.db"))
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        f"mcp-guard: error: there is no audit log at {tmp_path}/none.db",
        "  hint: a guard creates it at its first connection; name another file with --db",
    ]
    assert list(tmp_path.iterdir()) == []


def process(*words: str, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "mcp_guard", "log", *words]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **options)


def test_following_shows_what_comes_until_it_is_interrupted(log: Path) -> None:
    more = Session()
    more.call("later", {"n": 1}, "deny", "late")
    more.call("other", {"n": 2}, "allow", "late")
    more.call("latest", {"n": 3}, "deny", "late")
    with process("--follow", "--json", "--decision", "deny", "--limit", "1", stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["tool"] == "delete_repository"
        store = Store.open(str(log))
        store.record(more.events[:2])
        assert json.loads(following.stdout.readline())["tool"] == "later"
        store.record(more.events[2:])
        store.close()
        assert json.loads(following.stdout.readline())["tool"] == "latest"
        following.send_signal(2)
        out, err = following.communicate()
    assert (out, err, following.returncode) == ("", "", 130)


def test_a_pager_may_stop_reading(log: Path) -> None:
    session = Session()
    for number in range(3000):
        session.call("t" * 100, {"n": number}, "allow", "all")
    record(log, session.events)
    for words in ((), ("--json",)):
        with process("--limit", "5000", *words, stdout=subprocess.PIPE) as printing:
            assert printing.stdout is not None
            assert printing.stdout.readline()
            printing.stdout.close()
            assert printing.stderr is not None
            assert printing.stderr.read() == ""
        assert printing.returncode == 0


def test_on_a_terminal_outcomes_are_coloured_unless_nobody_wants_that(log: Path) -> None:
    def seen(**environment: str) -> str:
        master, terminal = pty.openpty()
        with process("--decision", "deny", stdout=terminal, env={**os.environ, "TERM": "xterm", **environment}):
            os.close(terminal)
            text = b""
            try:
                while piece := os.read(master, 65536):
                    text += piece
            except OSError:  # the other end is closed
                pass
        os.close(master)
        return text.decode()

    assert "\x1b[31mdeny" in seen()
    assert "\x1b[31m" not in seen(NO_COLOR="1")


def test_a_followed_log_leaves_room_for_what_comes_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COLUMNS": "150", "FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    columns = Columns(HEADINGS, [], LEAST)
    columns.print(
        [("2026-11-21 12:00:00", "claude-code", "github", "create_pull_request", "deny", "protect-main", "x")]
    )
    assert "claude-code   github      create_pull_request   deny" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mode", "forwarded", "shown"),
    [("enforce", False, "deny"), ("observe", True, "would deny"), ("observe", False, "deny")],
    ids=["enforced", "observed", "ordered by somebody, so that it held there too"],
)
def test_a_denial_is_shown_for_what_it_came_to(mode: str, forwarded: bool, shown: str) -> None:
    data = {"mode": mode, "forwarded": forwarded}
    columns = (1, "C-1", "2026-11-21T12:00:00.000000Z", "tool.decided", "C", "cursor", True, "kim", "github", "x")
    event = RecordedEvent(*columns, "deny", "override", "o1", "5f", data)
    assert outcome(event) == shown

"""`mcp-guard demo` shows what really happened: its answers are those of the guard, its rows those of the log."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

DEMO = [sys.executable, "-m", "mcp_guard", "demo"]


def run(*options: str) -> str:
    done = subprocess.run([*DEMO, *options], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def test_it_shows_what_is_listed_allowed_denied_and_hidden(tmp_path: Path) -> None:
    report = json.loads(run("--json", "--db", str(tmp_path / "audit.db")))
    assert set(report["direct"]) - set(report["guarded"]) == {"delete_mail", "run_command"}
    assert [call["outcome"] for call in report["calls"]] == [*["allowed"] * 4, "denied", "denied", "hidden"]
    assert "Mail may only go to acme.com." in report["calls"][5]["text"]

    with closing(sqlite3.connect(tmp_path / "audit.db")) as log:
        decided = log.execute("SELECT id, decision FROM events WHERE type = 'tool.decided' ORDER BY seq").fetchall()
    assert [decision for _, decision in decided] == [*["allow"] * 4, *["deny"] * 3]
    shown = report["calls"][5]["response"]["result"]["_meta"]["dev.mcp-guard/decision"]
    assert shown == decided[5][0]


def test_what_its_guard_cannot_use_is_said_as_the_guard_says_it(tmp_path: Path) -> None:
    done = subprocess.run([*DEMO, "--db", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"mcp-guard: error: {tmp_path} is a directory",
        f"  hint: give --db a file, for example {tmp_path}/audit.db",
    ]


def test_it_prints_plain_text_when_piped() -> None:
    text = run()
    assert "\x1b" not in text
    assert "DENIED     send_mail(to='claims@deals.example'" in text
    assert "Unknown tool: delete_mail" in text
    assert "tool.decided" in text


def test_it_runs_no_module_of_the_directory_it_is_shown_in(tmp_path: Path) -> None:
    for package in ("mcp_guard", "mcp_guard/demo"):
        (tmp_path / package).mkdir()
        for name in ("__init__", "__main__", "upstream"):
            (tmp_path / package / f"{name}.py").write_text("raise SystemExit('the directory was asked')")
    command = [sys.executable, "-P", "-m", "mcp_guard", "demo", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert [call["outcome"] for call in json.loads(done.stdout)["calls"]].count("denied") == 2

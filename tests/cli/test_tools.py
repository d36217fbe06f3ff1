"""`mcp-guard tools …`, `explain`, and `policy check|complete` with a catalog, as a person runs them."""

import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from mcp_guard.policy.codes import WARNINGS
from tests.cli.shell import Shell

ROOT = Path(__file__).parents[2]
SERVER = str(ROOT / "examples" / "server.py")
GITHUB = str(ROOT / "tests" / "catalogs" / "github.json")

POLICY = """\
version: 1
rules:
  - id: own
    effect: gated
    servers: github
    tools: [create_issue, list_issues]
    when: request.args.ownr == "acme"
"""

MODERN_SERVER = """\
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": message.get("id")}
    if message["method"] == "tools/list" and "io.modelcontextprotocol/protocolVersion" in message["params"]["_meta"]:
        cursor = message["params"].get("cursor")
        tools = [{"name": "second" if cursor else "first", "description": "esc \\x1b[31m", "inputSchema": {}}]
        answer["result"] = {"tools": tools, **({} if cursor else {"nextCursor": "2"})}
    else:
        answer["error"] = {"code": -32601, "message": "Method not found"}
    print("a stray line", flush=True)
    print(json.dumps({"jsonrpc": "2.0", "id": "ask", "method": "ping"}), flush=True)
    print(json.dumps(answer), flush=True)
    reply = json.loads(sys.stdin.readline())
    assert reply == {"jsonrpc": "2.0", "id": "ask", "result": {}}
"""


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MCP_GUARD_DB", str(tmp_path / "kept" / "audit.db"))


def sync(shell: Shell, *more: str) -> tuple[int, str, str]:
    return shell.run("tools", "sync", "--server", "notes", *more, "--", sys.executable, SERVER)


def test_a_server_is_asked_for_its_tools_and_they_are_kept(shell: Shell) -> None:
    assert sync(shell)[:2] == (
        0,
        "notes: 4 tools\n  new      delete_note, list_notes, read_note, write_note\n",
    )
    assert sync(shell)[1] == "notes: 4 tools\n  nothing is different from before\n"
    assert json.loads(sync(shell, "--json")[1]) == {"server": "notes", "tools": 4, "new": [], "changed": [], "gone": []}
    lines = shell.run("tools", "list")[1].splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["notes", name] for name in ("delete_note", "list_notes", "read_note", "write_note")
    ]


@pytest.fixture
def in_kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that is a quarter of an hour beside all others."""
    with monkeypatch.context() as clock:
        clock.setenv("TZ", "NPT-05:45")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_kathmandu")
def test_times_are_those_of_this_machine_as_in_the_log(shell: Shell) -> None:
    before = datetime.now().replace(second=0, microsecond=0)
    sync(shell)
    [moment] = set(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", shell.run("tools", "list")[1])[:1])
    assert before <= datetime.strptime(moment, "%Y-%m-%d %H:%M") <= datetime.now()


def test_one_tool_is_shown_with_its_arguments(shell: Shell) -> None:
    sync(shell)
    shown = shell.run("tools", "show", "write_note")[1]
    assert "title     string  yes" in shown
    assert "SHA-256" in shown
    data = json.loads(shell.run("tools", "show", "write_note", "--json")[1])
    assert [argument["path"] for argument in data["arguments"]] == ["text", "title"]


def test_what_is_kept_is_a_catalog_for_policy_check(shell: Shell) -> None:
    sync(shell)
    catalog = shell.file("catalog.json", shell.run("tools", "list", "--json")[1])
    policy = shell.file("p.yaml", POLICY.replace("github", "notes").replace("[create_issue, list_issues]", "read_note"))
    by_file = shell.run("policy", "check", policy, "--catalog", catalog)
    by_store = shell.run("policy", "check", policy)
    assert by_file == by_store
    assert "warning[missing-argument]: notes/read_note has no `request.args.ownr`" in by_file[1]
    assert by_file[1].endswith("1 rule, 0 tests, against 4 tools of 1 server: 0 errors, 1 warning\n")
    assert "missing-argument" not in shell.run("policy", "check", policy, "--no-catalog")[1]


def test_a_modern_server_is_asked_page_by_page_and_what_it_says_is_shown_as_text(shell: Shell) -> None:
    program = shell.file("server.py", MODERN_SERVER)
    assert shell.run("tools", "sync", "--server", "new", "--", sys.executable, program)[1].startswith("new: 2 tools\n")
    assert "\x1b" not in shell.run("tools", "show", "first")[1]


MISTAKES = [
    (("tools", "show", "read_nte"), "no server lists `read_nte`", "did you mean `read_note`?"),
    (("tools", "list", "--server", "nots"), "no tools of `nots` are known", "did you mean `notes`?"),
    (("tools", "sync", "--", "no-such-program"), "command not found: no-such-program", "is it installed"),
    (("tools", "sync", "--", "true"), "the server exited with status 0 before it listed its tools", "run it by itself"),
    (
        ("policy", "check", "p.yaml", "--catalog", "none.json"),
        "none.json: cannot read the catalog",
        "tools list --json",
    ),
    (("policy", "check", "p.yaml", "--db", "none.db"), "there is no audit log at none.db", "--db"),
    (("tools", "list", "--db", "none.db"), "there is no audit log at none.db", "--db"),
    (("policy", "check", "p.yaml", "--catalog", "p.yaml"), "p.yaml: no catalog of tools", 'expected: {"servers"'),
    (("policy", "complete", "p.yaml", "--rule", "onw"), "no rule has the id `onw`", "did you mean `own`?"),
    (("explain", "shadowd"), "no finding has the code `shadowd`", "did you mean `shadowed`?"),
]


@pytest.mark.parametrize(("words", "what", "how"), MISTAKES)
def test_a_mistake_is_said_in_one_line_with_a_way_out(
    shell: Shell, words: tuple[str, ...], what: str, how: str
) -> None:
    sync(shell)
    shell.file("p.yaml", POLICY)
    status, _, said = shell.run(*words)
    assert status == 2
    assert f"mcp-guard: error: {what}" in said
    assert how in said


def test_the_fields_are_told_while_the_condition_is_unfinished(shell: Shell) -> None:
    policy = shell.file("p.yaml", POLICY)
    unfinished = shell.file("q.yaml", POLICY.replace('request.args.ownr == "acme"', "request.args."))
    words = ("--rule", "own", "--catalog", GITHUB)
    assert shell.run("policy", "complete", unfinished, *words) == shell.run("policy", "complete", policy, *words)
    draft = shell.file("r.yaml", POLICY + "    status: draft\n")
    assert shell.run("policy", "complete", draft, *words) == shell.run("policy", "complete", policy, *words)
    status, _, said = shell.run("policy", "complete", unfinished, "--rule", "other", "--catalog", GITHUB)
    assert (status, "error[condition]" in said) == (2, True)


def test_the_fields_that_a_rule_can_ask_for_with_type_and_coverage(shell: Shell) -> None:
    policy = shell.file("p.yaml", POLICY)
    shown = shell.run("policy", "complete", policy, "--rule", "own", "--catalog", GITHUB)[1].splitlines()
    assert shown[1].split() == ["owner", "string", "2", "of", "2", "2"]
    assert "state          string: open, closed, all           1 of 2  0" in shown
    data = json.loads(shell.run("policy", "complete", policy, "--rule", "own", "--catalog", GITHUB, "--json")[1])
    title = next(field for field in data["fields"] if field["path"] == "title")
    assert title == {
        "path": "title",
        "type": "string",
        "tools": 1,
        "of": 2,
        "required": 1,
        "choices": [],
        "servers": {
            "github": {
                "tools": ["create_issue"],
                "required": ["create_issue"],
                "type": "string",
                "choices": [],
                "description": "",
            }
        },
    }


def test_findings_as_data_say_what_they_were_found_with(shell: Shell) -> None:
    policy = shell.file("p.yaml", POLICY)
    data = json.loads(shell.run("policy", "check", policy, "--catalog", GITHUB, "--json")[1])
    assert data["catalog"] == {"servers": 1, "tools": 26}
    assert [found["code"] for found in data["diagnostics"]] == ["missing-argument"]


@pytest.mark.parametrize("code", [*WARNINGS, "condition", "unknown-field"])
def test_every_code_is_explained(shell: Shell, code: str) -> None:
    status, text, _ = shell.run("explain", code)
    assert status == 0
    assert text.splitlines()[0] in (f"warning[{code}]", f"error[{code}]")
    assert len(text) > 100


def test_the_codes_are_listed(shell: Shell) -> None:
    listed = shell.run("explain")[1]
    assert all(f"  {code}  " in listed for code in WARNINGS)
    (shadowed,) = [one for one in json.loads(shell.run("explain", "--json")[1]) if one["code"] == "shadowed"]
    assert shadowed["severity"] == "warning"

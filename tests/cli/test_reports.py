"""`policy impact`, `access` and `policy suggest` as a person and as a program see them, about one small office."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import user_directories
from tests.cli.shell import Run, golden
from tests.insight.scenes import an_office

ALWAYS = ("--days", "36500")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, utc: None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCP_GUARD_DB", an_office(tmp_path))


SEEN = [
    ("impact-rule", ("policy", "impact", "office.yaml", "--rule", "protect-main", *ALWAYS)),
    ("impact-draft-rule", ("policy", "impact", "office.yaml", "--rule", "no-deleting", *ALWAYS)),
    ("impact-file", ("policy", "impact", "stricter.yaml", *ALWAYS)),
    ("impact-against", ("policy", "impact", "stricter.yaml", "--against", "office.yaml", *ALWAYS)),
    ("access-agent", ("access", "--agent", "claude-code", "--policy", "office.yaml")),
    ("access-user", ("access", "--user", "ann@acme.com", "--policy", "stricter.yaml")),
    ("access-instance", ("access", "--instance", "GH2", "--policy", "office.yaml")),
    ("suggest", ("policy", "suggest")),
    ("replay-against", ("replay", "--policy", "stricter.yaml", "--against", "office.yaml")),
]


@pytest.mark.parametrize(("name", "words"), SEEN, ids=[name for name, _ in SEEN])
def test_a_person_sees(run: Run, name: str, words: tuple[str, ...]) -> None:
    status, out, err = run(*words)
    assert (status, "error" in err) == (0, False)
    golden(f"{name}.txt", out)


@pytest.mark.parametrize(
    ("name", "words"), [*SEEN[:3], *SEEN[4:6]], ids=lambda one: one if isinstance(one, str) else ""
)
def test_one_screen_is_enough(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, words: tuple[str, ...]) -> None:
    for variable, value in {"COLUMNS": "100", "FORCE_COLOR": "1", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(variable, value)
    lines = run(*words)[1].splitlines()
    assert len(lines) <= 40, name


def data(run: Run, *words: str) -> Any:
    status, out, _ = run(*words, "--json")
    assert status == 0
    return json.loads(out)


def test_an_impact_as_data(run: Run) -> None:
    found = data(run, "policy", "impact", "office.yaml", "--rule", "protect-main", *ALWAYS)
    assert found.keys() == {
        "policy",
        "against",
        "rule",
        "rule_changes",
        "rules",
        "touched",
        "visibility",
        "days",
        "calls",
    }
    (rule,) = found["rules"]
    assert rule["tools"] == [
        {"server": "github", "tool": "create_pull_request"},
        {"server": "github", "tool": "merge_pull_request"},
    ]
    assert [caller["agent"] for caller in rule["callers"]] == ["claude-code", "claude-code"]
    assert [len(caller["instances"]) for caller in rule["callers"]] == [1, 1]
    assert [(overlap["rule"], overlap["above"]) for overlap in rule["overlaps"]] == [("writes", False)]
    assert rule["decides"] == 4
    assert found["visibility"] == [
        {
            "server": "github",
            "tool": "create_pull_request",
            "was": "allowed",
            "now": "conditional",
            "callers": rule["callers"],
        }
    ]
    assert {key: found["calls"][key] for key in ("replayed", "changed", "not_replayable")} == {
        "replayed": 45,
        "changed": 4,
        "not_replayable": [],
    }
    (kind,) = found["calls"]["kinds"]
    assert (kind["calls"], kind["was"], kind["now"], len(kind["examples"])) == (4, "allow", "deny", 3)


def test_the_rules_of_two_policies_are_compared_by_id(run: Run, tmp_path: Path) -> None:
    office = (tmp_path / "office.yaml").read_text()
    changed = office.replace("id: reads", "id: reading").replace("effect: deny, status: draft", "effect: deny")
    (tmp_path / "new.yaml").write_text(changed)
    found = data(run, "policy", "impact", "new.yaml", "--against", "office.yaml", *ALWAYS)
    assert found["rule_changes"] == {
        "added": ["reading"],
        "removed": ["reads"],
        "changed": ["no-deleting"],
        "moved": [],
    }
    assert found["calls"]["changed"] == 0


def test_access_as_data(run: Run) -> None:
    found = data(run, "access", "--instance", "GH2", "--policy", "office.yaml")
    (entry,) = found["access"]
    assert (entry["agent"], entry["verified"], entry["instance"]) == ("claude-code", True, "GH2")
    (server,) = entry["servers"]
    assert server["counts"] == {"allowed": 3, "conditional": 1, "denied": 2, "by_no_rule": 1}
    tools = {tool["tool"]: tool for tool in server["tools"]}
    assert tools["create_pull_request"] == {
        "tool": "create_pull_request",
        "access": "conditional",
        "rules": [
            {"rule": "protect-main", "effect": "deny", "when": 'request.args.base == "main"'},
            {"rule": "writes", "effect": "allow", "when": None},
        ],
        "else": None,
    }
    assert tools["delete_repository"] == {"tool": "delete_repository", "access": "denied", "rules": [], "else": "deny"}


def test_a_caller_that_was_never_seen_can_be_asked_about(run: Run) -> None:
    (entry,) = data(run, "access", "--agent", "codex", "--group", "admin", "--policy", "office.yaml")["access"]
    assert (entry["agent"], entry["groups"], entry["connections"]) == ("codex", ["admin"], 0)
    assert [server["server"] for server in entry["servers"]] == ["files", "github"]
    (entry,) = data(run, "access", "--agent", "codex", "--server", "files", "--policy", "office.yaml")["access"]
    assert [server["server"] for server in entry["servers"]] == ["files"]


def test_a_draft_is_checked_and_replayed_without_a_change(run: Run) -> None:
    status, out, err = run("policy", "suggest", "--out", "draft.yaml")
    assert (status, out) == (0, "")
    assert err == "mcp-guard: replayed: 39 let through and allowed by the draft, 6 denied by both\n"
    status, out, _ = run("policy", "check", "draft.yaml")
    assert (status, out.endswith(": 0 errors, 0 warnings\n")) == (0, True)
    assert json.loads(run("replay", "--policy", "draft.yaml", "--json")[1])["changed"] == []


def test_what_is_not_exact_about_a_draft_is_said_and_is_a_finding(run: Run, tmp_path: Path) -> None:
    from tests.insight.recordings import NOON, Recording, record

    first = Recording("version: 1\nrules: [{id: a, effect: allow}]\n", ["push"], id="A", at=NOON)
    second = Recording("version: 1\n", ["push"], id="B", at=NOON + 1)
    for talk in (first, second):
        talk.call("push", n=1)
    path = record(tmp_path / "both.db", first, second)
    status, out, err = run("policy", "suggest", "--db", path)
    assert status == 1
    assert "1 let through, and denied by the draft: calls like them were denied, too" in err
    assert "version: 1" in out


EXPORTED = [("office.yaml", 45), ("stricter.yaml", 45)]


@pytest.mark.parametrize(("policy", "replayed"), EXPORTED)
def test_recorded_calls_become_tests_that_pass(run: Run, policy: str, replayed: int) -> None:
    status, out, _ = run("replay", "--policy", policy, "--export", "recorded.yaml")
    assert (status, out.startswith(f"{replayed} calls replayed")) == (0, True)
    status, out, _ = run("policy", "test", policy, "recorded.yaml")
    assert (status, " 0 failed" in out.splitlines()[-1]) == (0, True)
    text = Path("recorded.yaml").read_text()
    assert "hunter2" not in text
    if policy == "office.yaml":
        golden("export.yaml.txt", text)


def test_tests_that_were_exported_find_a_regression(run: Run) -> None:
    run("replay", "--policy", "office.yaml", "--export", "recorded.yaml")
    status, out, _ = run("policy", "test", "stricter.yaml", "recorded.yaml")
    assert status == 1
    assert "FAIL" in out


MISTAKES = [
    (("policy", "impact", "office.yaml", "--rule", "protect"), "no rule has the id 'protect'", "protect-main"),
    (("policy", "impact", "none.yaml"), "none.yaml: cannot read the policy", ""),
    (("policy", "impact", "office.yaml", "--days", "0"), "Invalid value for --days: it must be at least 1", ""),
    (("policy", "impact", "office.yaml", "--db", "none.db"), "there is no audit log at none.db", ""),
    (("policy", "impact", "office.yaml", "--against", "a", "--against-git", "b"), "exclude each other", ""),
    (("access", "--policy", "office.yaml"), "whose access?", "--agent SLUG"),
    (("access", "--instance", "GH9", "--policy", "office.yaml"), "the log has no connection GH9", ""),
    (("access", "--instance", "GH2", "--user", "x", "--policy", "office.yaml"), "says already who it is", ""),
    (("access", "--agent", "A B", "--policy", "office.yaml"), "'A B' cannot be the slug of an agent", "3 to 100"),
    (
        ("access", "--agent", "codex", "--server", "github-x", "--policy", "office.yaml"),
        "no tools of `github-x` are known",
        "did you mean `github`?",
    ),
    (("policy", "suggest", "--agent", "nobody"), "no such calls are recorded", "--mode observe"),
    (("policy", "suggest", "--since", "soon"), "'soon' is no moment", ""),
    (("policy", "suggest", "--out", "none/draft.yaml"), "none/draft.yaml: cannot be written", "--out"),
    (("replay", "--policy", "office.yaml", "--export", "none/x"), "none/x: cannot be written", "--export"),
]


@pytest.mark.parametrize(("words", "message", "hint"), MISTAKES)
def test_a_mistake_is_said_in_a_line_with_what_mends_it(
    run: Run, words: tuple[str, ...], message: str, hint: str
) -> None:
    status, _, err = run(*words)
    assert status == 2
    first, second = [line for line in err.splitlines() if not line.startswith("mcp-guard: replayed")][:2]
    assert message in first
    assert hint in second


def test_without_a_policy_that_of_run_is_meant(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_directories, "config", lambda: str(tmp_path / "config"))
    assert "no policy is given" in run("access", "--agent", "claude-code")[2]
    (tmp_path / "config").mkdir()
    (tmp_path / "office.yaml").rename(tmp_path / "config" / "policy.yaml")
    assert run("access", "--agent", "claude-code")[0] == 0


NOTHING = [
    (("replay", "--policy", "office.yaml", "--agent", "nobody"), "no such calls are recorded"),
    (("log", "--agent", "nobody"), "no such events are recorded"),
    (
        ("access", "--agent", "claude-cod", "--policy", "office.yaml"),
        "no agent `claude-cod` has connected or been registered yet",
    ),
]


@pytest.mark.parametrize(("words", "note"), NOTHING)
def test_that_nothing_was_asked_about_is_told(run: Run, words: tuple[str, ...], note: str) -> None:
    status, _, err = run(*words)
    assert (status, err) == (0, f"mcp-guard: note: {note}\n")

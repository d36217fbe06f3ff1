"""Prompts and resources on the command line: explained, logged, replayed."""

from pathlib import Path

import pytest

from tests.cli.recorded import Session, record
from tests.cli.shell import Run

POLICY = """\
version: 1
rules:
  - {id: secret, effect: deny, resources: "file:///data/secret/*"}
  - {id: data, effect: allow, resources: "file:///data/*"}
  - {id: ask, effect: require_approval, resources: "db://*"}
  - {id: review, effect: gated, prompts: review, when: request.args.language == "python"}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(POLICY)


EXPLAINED = [
    (("--resource", "file:///data/a"), "allow", "allowed (shown: every reading of it is allowed)"),
    (("--resource", "file:///data/%73ecret/a"), "deny", "denied (hidden: no reading of it can be allowed)"),
    (("--resource", "file:///data/../a"), "deny", "denied (hidden: no reading of it can be allowed)"),
    (("--resource", "db://x"), "require_approval", "conditional (shown: a person must approve each reading)"),
    (("--prompt", "review"), "deny", "conditional (shown: each use is judged on its arguments)"),
    (("--prompt", "review", "--args", '{"language": "python"}'), "allow",
     "conditional (shown: each use is judged on its arguments)"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "decision", "discovery"), EXPLAINED)
def test_a_decision_on_them_is_explained(run: Run, asked: tuple[str, ...], decision: str, discovery: str) -> None:
    status, out, _ = run("policy", "explain", "p.yaml", "--agent", "cursor", "--server", "s", *asked)
    lines = out.splitlines()
    assert status == 0
    assert lines[0] == f"decision    {decision}"
    assert f"discovery   {discovery}" in lines


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((), "--tool, --prompt or --resource must be given, and only one"),
        (("--tool", "t", "--prompt", "p"), "--tool, --prompt or --resource must be given, and only one"),
        (("--resource", "a:b", "--args", '{"x": 1}'), "--args goes with --tool and --prompt"),
    ],
)
def test_what_is_asked_for_must_be_one_thing(run: Run, asked: tuple[str, ...], message: str) -> None:
    status, _, err = run("policy", "explain", "p.yaml", "--agent", "cursor", "--server", "s", *asked)
    assert (status, err.splitlines()[0]) == (2, f"mcp-guard: error: {message}")


def session() -> Session:
    talk = Session()
    base = {"arguments": {}, "request_id": 1, "mode": "enforce", "forwarded": True, "reason": "Yes."}
    read = {**base, "method": "resources/read"}
    talk.add("resource.decided", read, tool="file:///data/a", decision="allow", decided_by="policy", rule="data")
    denied = {**read, "forwarded": False, "reason": "No policy rule allows this resource."}
    talk.add("resource.decided", denied, tool="file:///etc", decision="deny", decided_by="default", rule=None)
    got = {**base, "method": "prompts/get", "arguments": {"language": "python"}}
    talk.add("prompt.decided", got, tool="review", decision="allow", decided_by="policy", rule="review")
    completing = {**base, "method": "completion/complete"}
    talk.add("prompt.decided", completing, tool="review", decision="allow", decided_by="policy", rule=None)
    talk.add("resource.completed", {"decision": "01JD-1", "duration_us": 1200, "bytes": 9}, tool="file:///data/a")
    return talk


def test_the_log_says_what_was_asked_of_them(run: Run) -> None:
    record(Path("audit.db"), session().events)
    _, out, _ = run("log", "--db", "audit.db")
    assert [" ".join(line.split("github")[1].split()) for line in out.splitlines()[1:]] == [
        "file:///data/a allow data resources/read",
        "file:///etc deny (default) resources/read: No policy rule allows this resource.",
        "review allow review prompts/get: language=python",
        "review allow (policy) completion/complete",
    ]


def test_they_are_replayed_as_they_were_asked_for(run: Run) -> None:
    record(Path("audit.db"), session().events)
    status, out, _ = run("replay", "--db", "audit.db", "--policy", "p.yaml", "--fail-on-change")
    assert (status, out.splitlines()[0]) == (0, "4 calls replayed under p.yaml: 4 unchanged, 0 changed")
    Path("none.yaml").write_text("version: 1\nrules: [{id: none, effect: deny}]\n")
    status, out, _ = run("replay", "--db", "audit.db", "--policy", "none.yaml", "--fail-on-change")
    assert (status, out.splitlines()[0]) == (1, "4 calls replayed under none.yaml: 1 unchanged, 3 changed")

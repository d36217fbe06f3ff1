"""`mcp-guard policy …` as a person runs it: what is printed, plain when piped, and the exit status."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.shell import Shell

ROOT = Path(__file__).parents[2]

POLICY = """\
version: 1
rules:
  - {id: draft, effect: deny, status: draft}
  - {id: others, effect: deny, servers: jira}
  - {id: protect, effect: deny, tools: push, when: request.args.branch == "main", message: Use a branch.}
  - {id: odd, effect: gated, tools: push, when: request.args.force}
  - {id: open, effect: allow, servers: github}
  - {id: last, effect: deny}
tests:
  - name: a push to main is denied
    call: {server: github, tool: push, args: {branch: main}}
    expect: deny
    rule: protect
"""
WRONG = (
    POLICY
    + """\
  - name: a push to dev is denied
    call: {server: github, tool: push, args: {branch: dev, force: false}}
    expect: deny
    visibility: denied
"""
)


def test_a_sound_policy_is_counted(shell: Shell) -> None:
    status, out, err = shell.run("policy", "check", shell.file("p.yaml", POLICY))
    assert (status, out, err) == (0, "6 rules, 1 test: 0 errors, 0 warnings\n", "")


def test_an_error_is_shown_with_its_line_and_ends_with_2(shell: Shell) -> None:
    faulty = POLICY.replace("effect: gated", "efect: gated")
    assert shell.run("policy", "check", shell.file("p.yaml", faulty)) == (
        2,
        "p.yaml:6:15: error[unknown-field]: `efect` is not a field of a rule\n"
        "    6 |   - {id: odd, efect: gated, tools: push, when: request.args.force}\n"
        "      |               ^^^^^\n"
        "  hint: did you mean `effect`?\n"
        "1 error, 0 warnings\n",
        "",
    )


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict",), 1)])
def test_warnings_alone_are_no_failure_unless_they_shall_be(
    shell: Shell, options: tuple[str, ...], status: int
) -> None:
    found = shell.run("policy", "check", shell.file("p.yaml", "version: 1\n"), *options)
    assert found[0] == status
    assert "p.yaml:1:1: warning[no-rules]: no rule is active, so every tool is denied" in found[1]


def test_findings_as_data(shell: Shell) -> None:
    status, found = shell.data("policy", "check", shell.file("p.yaml", "version: 1\nrulez: []\n"))
    assert status == 2
    assert found == {
        "ok": False,
        "diagnostics": [
            {
                "severity": "error",
                "code": "unknown-field",
                "message": "`rulez` is not a field of a policy",
                "hint": "did you mean `rules`?",
                "file": "p.yaml",
                "line": 2,
                "column": 1,
            }
        ],
        "catalog": None,
    }


def test_several_files_are_checked_as_one_policy(shell: Shell) -> None:
    status, out, _ = shell.run("policy", "check", shell.file("a.yaml", POLICY), shell.file("b.yaml", POLICY))
    assert status == 2
    assert out.count("error[duplicate-id]") == 6


def test_a_second_parser_can_be_asked(shell: Shell) -> None:
    status, out, _ = shell.run("policy", "check", shell.file("p.yaml", POLICY), "--cross-check")
    assert (status, out) == (0, "6 rules, 1 test: 0 errors, 0 warnings\n")


def test_a_disagreement_of_parsers_ends_with_1(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_guard.cel import second_opinion

    monkeypatch.setattr(second_opinion, "difference", lambda source: "read otherwise" if "branch" in source else None)
    status, out, _ = shell.run("policy", "check", shell.file("p.yaml", POLICY), "--cross-check")
    assert status == 1
    assert "p.yaml:5:5: warning[cross-check]: `protect`: read otherwise" in out


def test_tests_that_pass(shell: Shell) -> None:
    assert shell.run("policy", "test", shell.file("p.yaml", POLICY)) == (
        0,
        "ok  deny  protect  a push to main is denied\n1 passed, 0 failed\n",
        "",
    )


def test_a_test_that_fails_says_what_was_expected_and_why_it_came_otherwise(shell: Shell) -> None:
    assert shell.run("policy", "test", shell.file("p.yaml", WRONG), "--cross-check") == (
        1,
        "ok    deny   protect  a push to main is denied\n"
        "FAIL  allow  open     a push to dev is denied\n"
        '      p.yaml:14: expected deny, got allow: Policy rule "open" allows this tool.\n'
        "      p.yaml:14: expected the tool to be denied at discovery, but it is conditional\n"
        "1 passed, 1 failed\n",
        "",
    )


def test_test_results_as_data(shell: Shell) -> None:
    status, found = shell.data("policy", "test", shell.file("p.yaml", POLICY))
    assert status == 0
    assert found == {
        "passed": 1,
        "failed": 0,
        "tests": [
            {
                "name": "a push to main is denied",
                "file": "p.yaml",
                "line": 10,
                "passed": True,
                "decision": "deny",
                "decided_by": "policy",
                "rule": "protect",
                "visibility": "conditional",
                "failures": [],
            }
        ],
    }


def test_a_policy_without_tests_passes_none(shell: Shell) -> None:
    assert shell.run("policy", "test", shell.file("p.yaml", "version: 1\n"))[:2] == (0, "0 passed, 0 failed\n")


@pytest.mark.parametrize("command", ["test", "explain"])
def test_a_faulty_policy_is_not_used(shell: Shell, command: str) -> None:
    call = ("--agent", "cursor", "--server", "s", "--tool", "t") if command == "explain" else ()
    status, out, err = shell.run("policy", command, shell.file("p.yaml", "version: 1\nrulez: []\n"), *call)
    assert (status, out) == (2, "")
    assert err.startswith("p.yaml:2:1: error[unknown-field]: `rulez` is not a field of a policy\n")


CALL = ("--agent", "claude-code", "--server", "github", "--tool", "push")


def test_a_decision_is_explained_rule_by_rule(shell: Shell) -> None:
    arguments = ("--args", '{"branch": "dev"}')
    assert shell.run("policy", "explain", shell.file("p.yaml", POLICY), *CALL, *arguments) == (
        0,
        "decision    allow\n"
        "decided by  rule open (p.yaml:7)\n"
        'reason      Policy rule "open" allows this tool.\n'
        "discovery   conditional (shown: each call is judged on its arguments)\n"
        "\n"
        "RULE     EFFECT  ITS PART\n"
        "draft    deny    draft\n"
        "others   deny    out of scope\n"
        "protect  deny    condition is false\n"
        "odd      gated   condition could not be evaluated: no such field: request.args.force\n"
        "open     allow   matched\n"
        "1 later rule not asked\n",
        "",
    )


def test_what_the_registry_says_of_the_agent_counts(shell: Shell) -> None:
    policy = shell.file(
        "p.yaml",
        'version: 1\nrules:\n  - {name: tagged, effect: deny, agents: "tag:new"}\n'
        '  - {name: risky, effect: deny, when: agent.risk == "high"}\n  - {name: rest, effect: allow}\n',
    )
    call = ("policy", "explain", policy, "--agent", "cursor", "--server", "s", "--tool", "t")
    for more, rule in ((("--tag", "new"), "tagged"), (("--risk", "high"), "risky"), ((), "rest")):
        assert f"rule {rule}" in shell.run(*call, *more)[1]


def test_a_denial_is_explained_with_its_message(shell: Shell) -> None:
    _, out, _ = shell.run("policy", "explain", shell.file("p.yaml", POLICY), *CALL, "--args", '{"branch": "main"}')
    assert "decision    deny\n" in out
    assert "message     Use a branch.\n" in out


def test_an_explanation_as_data(shell: Shell) -> None:
    status, found = shell.data("policy", "explain", shell.file("p.yaml", POLICY), *CALL)
    assert status == 0
    assert found == {
        "decision": "deny",
        "decided_by": "policy",
        "rule": "protect",
        "reason": 'Policy rule "protect" denies this call because its condition could not be evaluated: an argument '
        "that it reads is missing or of another type than it expects, or the arguments are too large to judge. "
        'It denies calls where `request.args.branch == "main"`.',
        "visibility": "conditional",
        "trace": [
            {"rule": "draft", "effect": "deny", "outcome": "inactive", "error": None},
            {"rule": "others", "effect": "deny", "outcome": "out_of_scope", "error": None},
            {
                "rule": "protect",
                "effect": "deny",
                "outcome": "condition_error",
                "error": "no such field: request.args.branch",
            },
        ],
    }


def test_an_explanation_takes_the_user_and_groups(shell: Shell) -> None:
    policy = "version: 1\nrules: [{id: a, effect: gated, users: ann, groups: admin, when: user.verified}]\n"
    who = ("--user", "ann", "--group", "dev", "--group", "admin", "--verified")
    assert shell.data("policy", "explain", shell.file("p.yaml", policy), *CALL, *who)[1]["decision"] == "allow"
    assert shell.data("policy", "explain", "p.yaml", *CALL, *who[:-1])[1]["decision"] == "deny"


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "7", '"a"', "NaN", "[" * 100_000])
def test_arguments_must_be_a_json_object(shell: Shell, arguments: str) -> None:
    status, out, err = shell.run("policy", "explain", shell.file("p.yaml", POLICY), *CALL, "--args", arguments)
    assert (status, out) == (2, "")
    assert re.match(r"mcp-guard: error: --args (is not JSON: .+|must be a JSON object)\n  hint: .+\n\Z", err)


@pytest.mark.parametrize("command", ["check", "test"])
def test_a_file_that_is_not_there_is_one_line(shell: Shell, command: str) -> None:
    status, out, err = shell.run("policy", command, "missing.yaml")
    assert (status, out) == (2, "")
    assert "missing.yaml" in err.splitlines()[0]


@pytest.mark.parametrize("command", ["check", "test", "explain", "schema"])
def test_help_shows_an_example(shell: Shell, command: str) -> None:
    status, out, _ = shell.run("policy", command, "--help")
    assert status == 0
    assert f"Example: mcp-guard policy {command}" in " ".join(out.split())


def test_the_schema_is_printed(shell: Shell) -> None:
    status, out, _ = shell.run("policy", "schema")
    assert status == 0
    assert json.loads(out)["title"] == "mcp-guard policy"


CONSOLE = re.compile(r"```console\n\$ mcp-guard (.*?[^\\])\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(
    ("command", "shown"), CONSOLE.findall((ROOT / "docs" / "policy.md").read_text()), ids=lambda text: text[:20]
)
def test_what_the_docs_show_is_what_is_printed(shell: Shell, command: str, shown: str) -> None:
    (shell.directory / "policies").symlink_to(ROOT / "policies")
    assert shell.run(*shlex.split(command.replace("\\\n", " ")))[1] == shown


def test_that_there_were_no_tests_is_told(shell: Shell) -> None:
    assert shell.run("policy", "test", shell.file("p.yaml", "version: 1\n"))[2] == (
        "mcp-guard: note: no tests are in p.yaml\n"
    )


NOBODY = [
    (("--agent", "A B"), "--agent: 'A B' cannot be the slug of an agent"),
    (("--agent", ""), "--agent: '' cannot be the slug of an agent"),
    (("--agent", "cursor", "--risk", "hgih"), "Invalid value for --risk: 'hgih' is not one of"),
    (("--agent", "cursor", "--status", "gone"), "Invalid value for --status: 'gone' is not one of"),
]


@pytest.mark.parametrize(("who", "said"), NOBODY, ids=lambda case: " ".join(case) if isinstance(case, tuple) else "")
def test_a_caller_that_cannot_be_is_not_explained(shell: Shell, who: tuple[str, ...], said: str) -> None:
    call = ("--server", "github", "--tool", "push")
    status, out, err = shell.run("policy", "explain", shell.file("p.yaml", POLICY), *call, *who)
    assert (status, out, said in err) == (2, "", True)


SPOKEN_OF = """\
version: 1
servers: {github: {}}
rules: [{id: a, effect: allow, agents: [claude-code, "tag:x"]}]
"""
SLIPS = [
    ("claude-cod", "github", "the policy speaks of no agent `claude-cod`: did you mean `claude-code`?"),
    ("claude-code", "githb", "the policy speaks of no server `githb`: did you mean `github`?"),
    ("claude-code", "github", ""),
    ("someone-else", "slack", ""),
]


@pytest.mark.parametrize(("agent", "server", "note"), SLIPS)
def test_a_name_that_is_nearly_one_of_the_policy_is_told(shell: Shell, agent: str, server: str, note: str) -> None:
    words = ("policy", "explain", shell.file("p.yaml", SPOKEN_OF), "--agent", agent, "--server", server, "--tool", "t")
    status, _, err = shell.run(*words)
    assert (status, err) == (0, f"mcp-guard: note: {note}\n" if note else "")

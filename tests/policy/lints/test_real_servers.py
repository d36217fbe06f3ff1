"""Lints against what real servers list: no false alarm on the ready policies, nothing that cannot be read."""

import json
from pathlib import Path

import pytest

from mcp_guard.policy import Source, render
from mcp_guard.policy.fields import Offered, fields
from mcp_guard.policy.input_schema import arguments
from mcp_guard.policy.lints import examine
from tests.policy.lints.worlds import POLICIES, RECORDED, real_servers

TOOLS = [
    pytest.param(tool, id=f"{server}/{name}")
    for server, tools in real_servers().servers.items()
    for name, tool in tools.items()
]


def test_there_are_at_least_twenty_of_them() -> None:
    assert len(RECORDED) >= 20
    assert sum(len(tools) for tools in real_servers().servers.values()) > 300


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_ready_policy_raises_no_false_alarm(path: Path) -> None:
    found = examine([Source(path.name, path.read_bytes())], real_servers()).findings
    assert not found, render(found)


@pytest.mark.parametrize("tool", TOOLS)
def test_the_schema_of_a_real_tool_is_read(tool) -> None:
    shape = arguments(tool.input_schema)
    assert set(shape.fields) == set(tool.input_schema.get("properties", {}))
    assert shape.required == set(tool.input_schema.get("required", []))
    for name, field in shape.fields.items():
        assert field.types or field.choices or field.open, name


@pytest.mark.parametrize(
    ("server", "tool", "path", "told"),
    [
        ("github", "create_pull_request", "base", ("string", True)),
        ("github", "list_issues", "state", ("string", False)),
        ("slack", "slack_post_message", "channel_id", ("string", True)),
        ("atlassian", "jira_create_issue", "project_key", ("string", True)),
        ("filesystem", "edit_file", "edits[*].oldText", ("string", False)),
        ("gmail", "send_email", "to", ("array of string", True)),
        ("git", "git_commit", "message", ("string", True)),
    ],
)
def test_a_known_argument_is_found_with_its_type(server: str, tool: str, path: str, told: tuple[str, bool]) -> None:
    definition = real_servers().servers[server][tool]
    found = {field.path: field for field in fields([Offered(server, definition, arguments(definition.input_schema))])}
    assert (found[path].type, bool(found[path].required)) == told


SLIPS = [
    ("github", "create_pull_request", 'request.args.branch == "main"', "missing-argument"),
    ("github", "merge_pull_request", "request.args.pull_number == '7'", "type-mismatch"),
    ("github", "merge_pull_request", 'request.args.merge_method == "fast-forward"', "unknown-choice"),
    ("slack", "slack_post_message", 'request.args.channel == "C1"', "missing-argument"),
    ("filesystem", "write_file", 'request.args.file.contains("/srv/")', "missing-argument"),
    ("atlassian", "jira_create_issue", 'request.args.project == "ENG"', "missing-argument"),
    ("postgres", "query", 'request.args.query.startsWith("SELECT")', "missing-argument"),
    ("gmail", "send_email", 'request.args.to.contains("@acme.com")', "type-mismatch"),
    ("kubernetes", "kubectl_delete", 'request.args.namespace == "prod"', "optional-argument"),
]


@pytest.mark.parametrize(("server", "tool", "condition", "code"), SLIPS)
def test_a_slip_that_people_make_is_found(server: str, tool: str, condition: str, code: str) -> None:
    effect = "deny" if code == "optional-argument" else "allow"
    rule = {"id": "a", "effect": effect, "servers": server, "tools": tool, "when": condition}
    text = json.dumps({"version": 1, "rules": [rule]})
    found = examine([Source("policy.json", text.encode())], real_servers()).findings
    assert [one.code for one in found] == [code], render(found)

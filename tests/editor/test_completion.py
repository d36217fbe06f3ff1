"""What is suggested at a place of a policy that is being written."""

import pytest

from mcp_guard.editor.completion import complete
from mcp_guard.editor.draft import Draft
from tests.editor.texts import draft

RULES = """\
version: 1
rules:
  - id: first
    effect: allow
    servers: files
  - id: second
    effect: deny
    servers: github
    tools: [create_issue, push_files]
    when: {when}
"""


def suggested(text: str, before: Draft | None = None) -> list[str]:
    return [one.insert for one in complete(*draft(text, before))]


IN_A_CONDITION = [
    (
        "the arguments of all its tools",
        "request.args.‸",
        ["owner", "branch", "title", "assignee", "files", "force", "labels"],
    ),
    ("in the middle of a condition", 'request.args.‸ == "x" && request.args.title', ["owner", "branch"]),
    ("while the rest does not compile", '"x" == "y" && && request.args.‸', ["owner", "branch"]),
    ("after an optional dot", "request.args.?‸", ["owner", "branch"]),
    ("while a name is typed", "request.args.ow‸", ["owner"]),
    ("variables", "‸", ["agent", "user", "mcp", "request"]),
    ("fields of a variable", "agent.‸", ["id", "name", "slug", "tags"]),
    ("fields of a field", "mcp.tool.‸", ["name", "tags"]),
    ("nothing of a variable that there is not", "nobody.‸", []),
    ("nothing inside a text", 'request.args.title == "a ‸', []),
]


@pytest.mark.parametrize(("_about", "when", "expected"), IN_A_CONDITION)
def test_a_condition(_about: str, when: str, expected: list[str]) -> None:
    found = suggested(RULES.format(when=f"|\n      {when}"))
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)


@pytest.mark.parametrize("status", ["draft", "disabled"])
def test_a_rule_that_is_not_in_force_gets_the_arguments_of_its_own_tools(status: str) -> None:
    text = RULES.format(when=f"|\n      request.args.‸\n    status: {status}")
    assert suggested(text) == suggested(RULES.format(when="|\n      request.args.‸"))
    assert "owner" in suggested(text)


VALUES = [
    ('request.args.state == "‸', ["open", "closed", "all"]),
    ('request.args.state != "cl‸', ["open", "closed", "all"]),
    ("request.args.state == ‸", ['"open"', '"closed"', '"all"']),
    ('request.args.owner == "‸', []),
]


@pytest.mark.parametrize(("when", "expected"), VALUES)
def test_values_where_the_schema_names_them(when: str, expected: list[str]) -> None:
    text = RULES.replace("[create_issue, push_files]", "list_issues").format(when=when)
    assert suggested(text)[:3] == expected


def test_each_field_says_its_type_and_coverage() -> None:
    found = {one.label: one for one in complete(*draft(RULES.format(when="request.args.‸")))}
    assert found["owner"].detail == "string, in all 2 tools"
    assert found["branch"].detail == "string, in 1 of 2 tools"
    assert "**github** string, required" in found["branch"].documentation
    assert "not in github: create\\_issue" in found["branch"].documentation


def test_what_is_suggested_replaces_what_was_typed() -> None:
    text, offset = draft(RULES.format(when="request.args.ow‸"))
    (owner,) = [one for one in complete(text, offset) if one.label == "owner"]
    assert owner.replaces == 2


SCOPES = [
    ("    servers: ‸\n", ["github", "files"]),
    ("    servers: [github, ‸\n", ["github", "files"]),
    ("    tools: [‸]\n", ["create_issue", "get_me", "list_issues", "push_files", "list_roots", "read_file", "run"]),
    ("    servers: files\n    tools: re‸\n", ["list_roots", "read_file", "run"]),
]


@pytest.mark.parametrize(("lines", "expected"), SCOPES)
def test_names_of_servers_and_tools(lines: str, expected: list[str]) -> None:
    assert suggested(f"version: 1\nrules:\n  - id: a\n    effect: allow\n{lines}") == expected


def test_a_condition_whose_quote_is_not_closed_is_completed_all_the_same() -> None:
    assert suggested(RULES.format(when='"request.args.‸'))[:2] == ["owner", "branch"]


def test_a_file_that_cannot_be_read_just_now_is_completed_by_what_was_read_before() -> None:
    before, _ = draft(RULES.format(when="request.args.‸title"))
    broken = RULES.format(when="request.args.‸").replace("version: 1", "version: [1")
    assert suggested(broken, before)[:2] == ["owner", "branch"]
    assert suggested(broken) == []


def test_where_there_is_no_catalog_nothing_is_made_up() -> None:
    text, offset = draft(RULES.format(when="request.args.‸"))
    assert complete(Draft("policy.yaml", text.text, None), offset) == []

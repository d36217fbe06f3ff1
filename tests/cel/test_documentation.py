"""docs/conditions.md says what is true: its conditions compile, its tables are right."""

import json
import re
from pathlib import Path

import pytest

from mcp_guard import cel
from mcp_guard.cel import limits
from mcp_guard.cel.functions import FAMILIES
from mcp_guard.cel.macros import LOOPS
from tests.cel.situations import POLICY_VARIABLES, call

TEXT = (Path(__file__).parents[2] / "docs" / "conditions.md").read_text()
CONDITIONS = re.findall(r"```cel\n(.*?)\n```", TEXT, re.DOTALL)


@pytest.mark.parametrize("source", CONDITIONS)
def test_a_condition_shown_in_the_documentation_compiles(source):
    cel.compile(source, variables=POLICY_VARIABLES, expect_bool=True)


MISSING = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in TEXT.partition("| no `x` |")[2].partition("\n\n")[0].splitlines()[2:]
]


@pytest.mark.parametrize("row", MISSING, ids=[row[0] for row in MISSING])
def test_the_table_of_missing_fields_is_right(row):
    program = cel.compile(row[0].strip("`").replace("\\|", "|"), variables=POLICY_VARIABLES, expect_bool=True)
    found = []
    for arguments in ({}, {"x": "a"}, {"x": 7}):
        try:
            found.append(str(program.evaluate(call(**arguments))).lower())
        except cel.EvaluationError:
            found.append("error")
    assert found == row[1:]


INSTEAD = [
    (condition, json.loads(value), effect == "allow")
    for effect, table in re.findall(r"\| condition of an? (deny|allow) rule .*?\n.*?\n(.*?)\n\n", TEXT, re.DOTALL)
    for condition, values in re.findall(r"^\| `(.*?)` \| (.*) \|$", table, re.MULTILINE)
    for value in re.findall(r"`(.*?)`", values)
]


@pytest.mark.parametrize(("condition", "value", "outcome"), INSTEAD)
def test_what_an_agent_may_send_instead_does_pass(condition, value, outcome):
    (argument,) = set(re.findall(r"request\.args\.([a-z]+)", condition))
    program = cel.compile(condition, variables=POLICY_VARIABLES, expect_bool=True)
    assert program.evaluate(call(**{argument: value})) is outcome


def test_there_is_something_to_be_sent_instead():
    assert len(INSTEAD) > 15


RECIPES = [  # a part of the recipe, arguments that it is for, and such as an agent sends instead
    (
        '"/srv/project/"',
        [{"path": "/srv/project/a..b"}],
        [{"path": f"/srv/project/{way}"} for way in ("..", "../x", "a\\..\\x", ".. ", '.."', "..\0", "..\u00a0")],
    ),
    (
        "args.to.all",
        [{"to": ["Ann.B@acme.com"]}],
        [{"to": one} for one in ([], ["a@acme.com", "eve@evil.example"], ["eve@evil.example, a@acme.com"])]
        + [{"to": [one]} for one in ("eve%evil.example@acme.com", "a@acme.com\n", "a@acme.com.evil.example")],
    ),
    (
        "select\\b",
        [{"sql": "select updated_at from t"}],
        [{"sql": f"select {rest}"} for rest in ("1; drop table t", "1into t", "1 into t", "* from t for UPDATE")],
    ),
    (
        '"agent/" + agent.slug',
        [{"branch": "agent/claude-code/fix-1"}],
        [
            {"branch": f"agent/{rest}"}
            for rest in ("claude-code/../../main", "claude-code/", "cursor/x", "claude-code/x y")
        ],
    ),
]


@pytest.mark.parametrize(("part", "meant", "sent"), RECIPES, ids=[part for part, _, _ in RECIPES])
def test_a_recipe_lets_pass_what_it_is_for_and_nothing_else(part, meant, sent):
    (source,) = (one for one in CONDITIONS if part in one)
    program = cel.compile(source, variables=POLICY_VARIABLES, expect_bool=True)
    assert [program.evaluate(call(**one)) for one in meant] == [True] * len(meant)
    assert [program.evaluate(call(**one)) for one in sent] == [False] * len(sent)


@pytest.mark.parametrize("name", sorted({*FAMILIES, *(name for name, _ in LOOPS)} - {"existsOne", "dyn"}))
def test_every_function_is_in_the_documentation(name):
    """By its name; the rarer parts of times and lists stand behind an ellipsis."""
    behind_an_ellipsis = {
        *("getDayOfMonth", "getDayOfYear", "getMinutes", "getSeconds", "getMilliseconds"),
        *("transformMapEntry", "optional.unwrap", "unwrapOpt", "ip.isCanonical", "isLinkLocalMulticast"),
    }
    assert re.search(rf"\b{re.escape(name)}\b", TEXT) or name in behind_an_ellipsis


def test_the_limits_are_the_documented_ones():
    table = TEXT.partition("## Limits")[2].partition("## ")[0]
    for limit in (
        limits.SOURCE_LENGTH,
        limits.NESTING,
        limits.NODES,
        limits.DEPTH,
        limits.VALUE_DEPTH,
        limits.STEPS,
        limits.STRING_UNIT,
        limits.REGEX_UNIT,
    ):
        assert f"{limit:,}" in table
    assert f"{limits.PATTERN_LENGTH} characters" in TEXT


REFUSED = re.findall(r"`([^`]+)`", TEXT.partition("## What is refused at load")[2].partition("`mcp-guard")[0])


def test_what_the_documentation_says_is_refused_is_refused():
    expressions = [text for text in REFUSED if any(mark in text for mark in "=<(")]
    assert len(expressions) >= 6
    for source in expressions:
        with pytest.raises(cel.CompileError):
            cel.compile(source.replace("size(x)", "size(request.args)"), variables=POLICY_VARIABLES)

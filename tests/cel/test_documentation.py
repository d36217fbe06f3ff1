"""docs/conditions.md says what is true: its conditions compile, its tables are right."""

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

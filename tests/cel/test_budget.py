"""Whatever the arguments are, a decision does a bounded amount of work, and nothing but an error comes of too much."""

import pytest

from mcp_guard import cel
from mcp_guard.cel.limits import DEPTH, NESTING, NODES, SOURCE_LENGTH, STEPS, VALUE_DEPTH

FEW_STEPS = STEPS // 10
"""What the tests of too much work allow, to keep their values small."""

LONG = "x" * 7_000_000
MANY = list(range(30_000))
WORDS = ["x"] * 110_000

TOO_MUCH = [
    # loops
    ('a.all(r, r.endsWith("@acme.com"))', {"a": MANY}),
    ("a.all(x, a.all(y, a.all(z, x + y + z >= 0)))", {"a": list(range(500))}),
    ("a.exists(x, a.exists(y, y.missing == x))", {"a": list(range(1000))}),
    ("a.exists(x, x.missing) || b.exists(x, x.missing)", {"a": MANY, "b": MANY}),
    ("a.map(x, x + x).size() == 0", {"a": ["x" * 1_000_000] * 200}),
    ("a.map(x, b + b).size() == 0", {"a": MANY, "b": list(range(1000))}),
    ("a.transformMapEntry(i, x, {string(i): b + b}).size() == 0", {"a": MANY, "b": "x" * 10_000}),
    ("a.filter(x, x in b).size() == 0", {"a": MANY, "b": [[i] for i in range(1000)]}),
    ("a.exists(x, m[x] == 3)", {"a": [1] * 10_000, "m": {i: i for i in range(1000)}}),
    # comparisons
    ("a == b", {"a": LONG, "b": "x" * 7_000_000}),
    ("a == b", {"a": WORDS, "b": ["x"] * 110_000}),
    ("a == b", {"a": {str(i): i for i in range(30_000)}, "b": {str(i): i for i in range(30_000)}}),
    ("a < b", {"a": LONG, "b": LONG + "y"}),
    ("b in a", {"a": [[i] for i in range(60_000)], "b": [-1]}),
    ('"y" in a', {"a": ["x"] * 900_000}),
    # strings
    ('a.contains("y")', {"a": LONG}),
    ("a.contains(b)", {"a": LONG, "b": "y"}),
    ('a.indexOf("y") == 0', {"a": LONG}),
    ('a.matches("x+y")', {"a": LONG}),
    ('a.split("x").size() == 0', {"a": "x" * 110_000}),
    ('a.replace("x", "yyyyyyyyyy").size() == 0', {"a": "x" * 800_000}),
    ('a.lowerAscii() == ""', {"a": LONG}),
    ("a.join() == ''", {"a": WORDS}),
    ("strings.quote(a) == ''", {"a": "é" * 500_000}),
    ("a + a == ''", {"a": LONG}),
    ("bytes(a) == b''", {"a": LONG}),
    ("b.exists(p, a.matches(p))", {"a": "x" * 10_000, "b": ["(x.{1,100}){5}y" + str(i) for i in range(100)]}),
    ("f.format(a) == ''", {"f": "%s" * 20_000, "a": ["x"] * 20_000}),
    # reading
    ("a.exists(x, timestamp(x) == timestamp(0))", {"a": ["2026-11-21T08:00:00Z"] * 10_000}),
    ('a.exists(x, cidr("10.0.0.0/8").containsIP(x))', {"a": ["2001:db8::1"] * 10_000}),
    ("a.exists(x, int(x) == 3)", {"a": ["9" * 400] * 10_000}),
]


@pytest.mark.parametrize(("source", "variables"), TOO_MUCH, ids=[source for source, _ in TOO_MUCH])
def test_too_much_work_is_an_error(source, variables):
    budget = cel.Budget(FEW_STEPS)
    with pytest.raises(cel.EvaluationError, match="too much work"):
        cel.compile(source).evaluate(variables, budget)
    assert budget.exhausted


ENOUGH = [
    ('a.all(r, r.endsWith("@acme.com"))', {"a": ["someone@acme.com"] * 50_000}),
    ('!a.contains("y")', {"a": "x" * 50_000_000}),
    ('!a.matches("y")', {"a": "x" * 10_000_000}),
    ("a == b", {"a": MANY * 10, "b": MANY * 10}),
    ("a.exists(x, b.exists(y, x == y))", {"a": list(range(200)), "b": list(range(199, 399))}),
]


@pytest.mark.parametrize(("source", "variables"), ENOUGH, ids=[source for source, _ in ENOUGH])
def test_what_honest_calls_bring_is_not_too_much(source, variables):
    assert cel.compile(source).evaluate(variables) is True


def test_what_an_expression_does_not_touch_costs_nothing():
    budget = cel.Budget(0)
    arguments = {"name": "x", "big": WORDS, "deep": {}}
    assert cel.compile('request.args.name == "x"').evaluate({"request": {"args": arguments}}, budget) is True


def test_conditions_of_one_decision_share_a_budget():
    program, variables = cel.compile("a.all(x, x >= 0)"), {"a": list(range(100_000))}
    budget = cel.Budget()
    assert program.evaluate(variables, budget) is True
    assert program.evaluate(variables, budget) is True
    with pytest.raises(cel.EvaluationError, match="too much work"):
        program.evaluate(variables, budget)


def test_a_used_up_budget_stays_used_up_but_pays_for_what_is_free():
    budget = cel.Budget(-1)
    assert cel.compile("a == 1 && b != 2").evaluate({"a": 1, "b": 3}, budget) is True
    with pytest.raises(cel.EvaluationError, match="too much work"):
        cel.compile("a.all(x, true)").evaluate({"a": [1]}, budget)


def test_what_settles_a_condition_is_not_undone_by_too_much_work_beside_it():
    """True whatever the loop would have come to: the same rule as for any other failure."""
    assert cel.compile("a.all(x, x >= 0) || b").evaluate({"a": MANY * 20, "b": True}) is True


def nested(levels, leaf=0):
    value = leaf
    for _ in range(levels):
        value = [value]
    return value


def nested_maps(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value}
    return value


DEEP = [
    ("a == b", {"a": nested(100_000), "b": nested(100_000)}),
    ("a == b", {"a": nested_maps(100_000), "b": nested_maps(100_000)}),
    ("a in b", {"a": nested(100_000), "b": [nested(10_000)]}),
    ("'%s'.format(a) == ''", {"a": nested(100_000)}),
]


@pytest.mark.parametrize(("source", "variables"), DEEP, ids=[source for source, _ in DEEP])
def test_values_are_followed_only_so_deep(source, variables):
    with pytest.raises(cel.EvaluationError, match=f"more than {VALUE_DEPTH} levels"):
        cel.compile(source).evaluate(variables)


def test_deep_values_may_be_passed_by():
    variables = {"a": nested(100_000), "b": nested_maps(100_000)}
    assert cel.compile("size(a) == 1 && has(b.a.a.a) && type(a[0]) == list").evaluate(variables) is True


def test_values_of_the_allowed_depth_compare():
    variables = {"a": nested(VALUE_DEPTH), "b": nested(VALUE_DEPTH)}
    assert cel.compile("a == b").evaluate(variables) is True


TOO_LARGE = [
    "a == 1 || " * 2000 + "true",
    " " * (SOURCE_LENGTH + 1),
    "(" * 100_00 + "1" + ")" * 100_00,
    "(" * (NESTING + 1) + "1" + ")" * (NESTING + 1),
    "[" * (NESTING + 1) + "]" * (NESTING + 1),
    "!" * (DEPTH + 1) + "a",
    "-" * (DEPTH + 1) + "a",
    "a" + ".b" * (DEPTH + 1),
    "a" + "[0]" * (DEPTH + 1),
    "1" + "+1" * (DEPTH + 1),
    "true ? 1 : " * (NESTING + 1) + "1",
    "f(" * (NESTING + 1) + "1" + ")" * (NESTING + 1),
    "{1:" * (NESTING + 1) + "1" + "}" * (NESTING + 1),
    f"[{','.join('1' * (NODES + 1))}]",
    "9" * SOURCE_LENGTH,
    "a.matches('" + "a{1000}" * 1000 + "')",
]


@pytest.mark.parametrize("source", TOO_LARGE, ids=range(len(TOO_LARGE)))
def test_a_source_that_is_too_large_is_refused(source):
    with pytest.raises(cel.CompileError):
        cel.compile(source)


LARGE = [
    "a == 1 || " * 600 + "true",
    "(" * (NESTING - 1) + "true" + ")" * (NESTING - 1),
    "!" * (DEPTH - 1) + "true",
    "true ? " + "(true ? " * 50 + "true" + " : false)" * 50 + " : false",
    f"[{','.join('1' * (NODES - 10))}].size() > 3",
    "[1].all(x, " * 50 + "true" + ")" * 50,
]


@pytest.mark.parametrize("source", LARGE, ids=range(len(LARGE)))
def test_a_source_within_the_limits_compiles_and_runs(source):
    program = cel.compile(source, variables={"a": cel.types.DYN}, expect_bool=True)
    assert program.evaluate({"a": 2}) in (True, False)
    assert program.partial({}) in (True, False)
    assert program.paths is not None


def test_the_default_budget_is_the_documented_one():
    assert cel.Budget().left == STEPS == 1_000_000

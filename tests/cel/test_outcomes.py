"""What an expression may come to, against what it does come to; and what is left of it where some is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard import cel
from mcp_guard.cel.outcomes import outcomes
from mcp_guard.cel.parser import parse
from mcp_guard.cel.paths import paths
from mcp_guard.cel.pruning import pruned
from mcp_guard.cel.values import UNKNOWN

T, F, E = True, False, None

CASES = [
    ("true", {}, {T}),
    ("x == 1", {}, {T, F}),
    ("x == 1", {"x": 2}, {F}),
    ("a.missing == 1", {"a": {}}, {E}),
    ("x == 1 && a.missing == 1", {"a": {}}, {F, E}),
    ("x == 1 || a.missing == 1", {"a": {}}, {T, E}),
    ("!(x == 1 && a.missing == 1)", {"a": {}}, {T, E}),
    ("has(a.missing) && a.missing == 1", {"a": {}}, {F}),
    ("has(a.there) && a.there == 1", {"a": {"there": UNKNOWN}}, {T, F}),
    ("x == 1 ? a.missing == 1 : true", {"a": {}}, {T, E}),
    ("a.missing == 1 ? true : true", {"a": {}}, {E}),
    ("x == 1 && false", {}, {F}),
    ("x == 1 || y == 2 || true", {}, {T}),
]


@pytest.mark.parametrize(("source", "known", "expected"), CASES)
def test_what_an_expression_may_come_to(source, known, expected):
    assert outcomes(parse(source), known) == expected


LEFT = [
    ('t == "push" && a.branch == "main"', {"t": "push"}, {"a.branch"}),
    ('t == "push" && a.branch == "main"', {"t": "pull"}, set()),
    ('t == "push" ? a.branch == "main" : a.title == "x"', {"t": "pull"}, {"a.title"}),
    ('t != "push" || a.branch == "main" || a.force', {"t": "push"}, {"a.branch", "a.force"}),
    ('!(t == "push" && a.branch == "main")', {"t": "push"}, {"a.branch"}),
    ('(t == "push" || a.x) && a.y', {"t": "push"}, {"a.y"}),
    ("a.x && a.y", {"t": "push"}, {"a.x", "a.y"}),
]


@pytest.mark.parametrize(("source", "known", "reads"), LEFT)
def test_what_is_left_reads_only_what_still_matters(source, known, reads):
    left = pruned(parse(source), {**known, "a": UNKNOWN})
    assert {str(path) for path in paths(left)} - {"t"} == reads


LEAVES = st.sampled_from(
    ["x == 1", "y == 1", "a.here == 1", "a.gone == 1", "has(a.here)", "has(a.gone)", "true", "false", "x > y"]
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]} && {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} || {two[1]})"),
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} ? {three[1]} : {three[2]})"),
    ),
    max_leaves=8,
)


def comes_to(source, values):
    try:
        return cel.compile(source).evaluate(values)
    except cel.EvaluationError:
        return None


@given(EXPRESSIONS, st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.sets(st.sampled_from("xy")))
def test_what_it_comes_to_is_among_what_it_may_come_to(source, x, y, here, told):
    values = {"x": x, "y": y, "a": {"here": here}}
    known = {name: values[name] for name in told} | {"a": {"here": UNKNOWN}}
    assert comes_to(source, values) in outcomes(parse(source), known)


@given(EXPRESSIONS, st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.sets(st.sampled_from("xy")))
def test_what_is_left_comes_to_the_same(source, x, y, here, told):
    values = {"x": x, "y": y, "a": {"here": here}}
    tree = parse(source)
    left = pruned(tree, {name: values[name] for name in told})
    before, after = outcomes(tree, values), outcomes(left, values)
    assert before == after or before == {None}

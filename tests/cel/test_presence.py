"""A condition for calls that have an argument is the condition, without the question whether they have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard import cel
from mcp_guard.cel.parser import parse
from mcp_guard.cel.presence import where_present
from mcp_guard.cel.program import NOT_A_BOOLEAN
from mcp_guard.cel.syntax import Literal
from tests.cel.expressions import ARGUMENTS, bools
from tests.cel.situations import call

LEFT = [
    ("has(a.b) && a.b == 1", "a.b == 1"),
    ("has(a.b) && a.b == 1 && a.c == 2", "a.b == 1 && a.c == 2"),
    ("(has(a.b) && a.b == 1) || a.c == 2", "a.b == 1 || a.c == 2"),
    ("!has(a.b) || a.b == 1", "a.b == 1"),
    ("!(has(a.b) && a.b == 1)", "!(a.b == 1)"),
    ("has(a.b) ? a.b == 1 : a.c == 2", "a.b == 1"),
    ("a.c == 2 ? has(a.b) : a.b == 1", "a.c == 2 ? true : a.b == 1"),
    ("a.c == 2 ? a.b == 1 : a.b == 3", "a.c == 2 ? a.b == 1 : a.b == 3"),
    ("has(a.c) && a.b == 1", "has(a.c) && a.b == 1"),
    ("-has(a.b)", "-has(a.b)"),
    ("has(a.b.c) && a.b == 1", "has(a.b.c) && a.b == 1"),
    ("has(x.a.b) && a.b == 1", "has(x.a.b) && a.b == 1"),
    ("has(a.?b.c) && a.b == 1", "has(a.?b.c) && a.b == 1"),
    ("[1].all(a, has(a.b))", "[1].all(a, has(a.b))"),
    ("cel.bind(a, {}, has(a.b))", "cel.bind(a, {}, has(a.b))"),
    ("has(a.b) == true", "has(a.b) == true"),
]


def shape(node):
    """A tree as values that can be compared, without its places."""
    if isinstance(node, (list, tuple)):
        return [shape(one) for one in node]
    if not hasattr(node, "__slots__") or isinstance(node, str | frozenset):
        return node
    return [type(node).__name__, *(shape(getattr(node, name)) for name in node.__slots__)]


@pytest.mark.parametrize(("source", "left"), LEFT)
def test_what_is_left(source, left):
    assert shape(where_present(parse(source), "a.b")) == shape(parse(left))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("has(a.b)", True),
        ("!has(a.b)", False),
        ("has(a.b) || a.c", True),
        ("!has(a.b) && a.c", False),
        ("has(a.b) && has(a.b)", True),
        ("!has(a.b) || !has(a.b)", False),
    ],
)
def test_what_is_known_at_once(source, value):
    left = where_present(parse(source), "a.b")
    assert isinstance(left, Literal)
    assert left.value is value


def test_a_condition_that_never_asks_stays_the_same_program():
    program = cel.compile("request.args.count > 3")
    assert program.where_present("request.args.count") is program


def test_the_source_that_people_are_told_of_stays():
    source = "has(request.args.count) && request.args.count > 3"
    assert cel.compile(source).where_present("request.args.count").source == source


@given(bools(3), st.sampled_from(sorted(ARGUMENTS)))
def test_where_the_argument_is_there_both_come_to_the_same(source, name):
    program, activation = cel.compile(source), call(**ARGUMENTS)
    holds = program.holds(activation, cel.Budget())
    there = program.where_present(f"request.args.{name}").holds(activation, cel.Budget())
    assert there is holds or (isinstance(there, str) and isinstance(holds, str))  # not always failing in the same words


def evaluated(program, activation):
    """What `holds` says, by way of `evaluate`."""
    try:
        value = program.evaluate(activation)
    except cel.EvaluationError as error:
        return str(error)
    return value if isinstance(value, bool) else NOT_A_BOOLEAN


@given(bools(3))
def test_whether_it_holds_is_what_it_evaluates_to(source):
    program, activation = cel.compile(source), call(**ARGUMENTS)
    assert program.holds(activation, cel.Budget()) == evaluated(program, activation)

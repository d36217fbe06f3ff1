"""Conditions judged while the arguments are unknown: what can be told, and that it never turns out otherwise."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard import cel
from mcp_guard.cel.errors import UnknownValueError
from mcp_guard.cel.functions import FAMILIES, overloads
from mcp_guard.cel.functions.networks import to_cidr, to_ip
from mcp_guard.cel.values import OptionalValue
from tests.cel.expressions import ARGUMENTS, bools
from tests.cel.situations import FACTS, call

UNKNOWN = cel.UNKNOWN
ERROR = "error"

WITHOUT_ARGUMENTS = [
    # what does not hang on arguments
    ('agent.slug == "claude-code"', True),
    ('agent.slug == "cursor"', False),
    ('"admin" in user.groups', True),
    ("agent.slug < 3", ERROR),
    ("agent.slug", ERROR),
    ("1 / 0 == 1", ERROR),
    # what does
    ("request.args.x == 1", UNKNOWN),
    ("request.args.x", UNKNOWN),
    ("request.args == {}", UNKNOWN),
    ("has(request.args.x)", UNKNOWN),
    ('"x" in request.args', UNKNOWN),
    ("request.args.x in agent.tags", UNKNOWN),
    ('request.args.x.startsWith("a")', UNKNOWN),
    ('request.args.x.matches("a")', UNKNOWN),
    ("size(request.args.x) > 3", UNKNOWN),
    ("request.args.x + 1 > 3", UNKNOWN),
    ("!request.args.x", UNKNOWN),
    ("-request.args.x == 1", UNKNOWN),
    ("request.args.x ? true : true", UNKNOWN),
    ("request.args[agent.slug] == 1", UNKNOWN),
    ("agent.tags[request.args.n] == 'a'", UNKNOWN),
    ("type(request.args.x) == string", UNKNOWN),
    ("[request.args.x].size() == 1", UNKNOWN),
    ('{"a": request.args.x}.size() == 1', UNKNOWN),
    ("{request.args.x: 1}.size() == 1", UNKNOWN),
    ("optional.of(request.args.x).hasValue()", UNKNOWN),
    ("request.args.?x.hasValue()", UNKNOWN),
    ("request.args.?x.orValue(true)", UNKNOWN),
    ("timestamp(request.args.x) > timestamp(0)", UNKNOWN),
    ('cidr("10.0.0.0/8").containsIP(request.args.x)', UNKNOWN),
    ("request.args.x < request.args.y", UNKNOWN),
    # what would not look at the value either would still fail where it is missing
    ("request.args.x in []", UNKNOWN),
    ("optional.none()[?request.args.x].hasValue()", UNKNOWN),
    ("{?request.args.x: optional.none()}.size() == 0", UNKNOWN),
    ("[].join(request.args.x) == ''", UNKNOWN),
    ("''.split('a', request.args.x).size() == 0", UNKNOWN),
    # what settles it whatever the arguments are
    ('agent.slug == "cursor" && request.args.x == 1', False),
    ('request.args.x == 1 && agent.slug == "cursor"', False),
    ("agent.verified || request.args.x == 1", True),
    ("request.args.x == 1 || agent.verified", True),
    ("request.args.x.y.z > 3 || agent.verified", True),
    ('agent.slug == "claude-code" && request.args.x == 1', UNKNOWN),
    ("agent.verified ? true : request.args.x", True),
    ("user.verified ? request.args.x : false", False),
    ("false && (1 / 0 == 1 || request.args.x)", False),
    # an unknown outranks a failure: it may still settle what fails
    ("1 / 0 == 1 && request.args.x", UNKNOWN),
    ("request.args.x && 1 / 0 == 1", UNKNOWN),
    ("request.args.x || 1 / 0 == 1 || request.args.y", UNKNOWN),
    ("1 / 0 == 1 || user.verified", ERROR),
    # loops
    ("agent.tags.all(t, t == request.args.tag)", UNKNOWN),
    ("agent.tags.exists(t, t == request.args.tag || t == 'cli')", True),
    ("agent.tags.all(t, t == request.args.tag && t == 'cli')", False),
    ("agent.tags.exists(t, t == 'trusted')", True),
    ("request.args.to.all(r, true)", UNKNOWN),
    ("request.args.to.exists(r, false)", UNKNOWN),
    ("[].all(x, request.args.y)", True),
    ("agent.tags.exists_one(t, t == request.args.tag)", UNKNOWN),
    ("agent.tags.map(t, request.args.x).size() == 2", UNKNOWN),
    ("agent.tags.filter(t, request.args.x).size() == 2", UNKNOWN),
    # a bound value that is unknown is no trouble until it is looked at
    ("cel.bind(x, request.args.x, agent.verified)", True),
    ("cel.bind(x, request.args.x, x == 1 || agent.verified)", True),
    ("cel.bind(x, request.args.x, x == 1)", UNKNOWN),
]


def partly(source, variables):
    try:
        return cel.compile(source).partial(variables)
    except cel.EvaluationError:
        return ERROR


@pytest.mark.parametrize(("source", "expected"), WITHOUT_ARGUMENTS)
def test_a_condition_without_its_arguments(source, expected):
    assert partly(source, {**FACTS, "request": {"args": UNKNOWN}}) is expected


@pytest.mark.parametrize(("source", "expected"), WITHOUT_ARGUMENTS)
def test_a_variable_that_is_missing_is_unknown(source, expected):
    assert partly(source, FACTS) is expected


SOME_KNOWN = [
    ('request.args.base == "main"', {"base": "main", "x": UNKNOWN}, True),
    ('request.args.base == "main"', {"base": UNKNOWN}, UNKNOWN),
    ("request.args.base", {"base": UNKNOWN}, UNKNOWN),
    ("has(request.args.base)", {"base": UNKNOWN}, True),
    ('"a" in request.args.list', {"list": ["a", UNKNOWN]}, True),
    ('"b" in request.args.list', {"list": ["a", UNKNOWN]}, UNKNOWN),
    ("request.args.list == ['a', 'b']", {"list": ["a", UNKNOWN]}, UNKNOWN),
    ("request.args.list == ['b', 'b']", {"list": ["a", UNKNOWN]}, False),
    ("request.args.list.size() == 2", {"list": ["a", UNKNOWN]}, True),
    ("request.args.list.join() == 'ab'", {"list": ["a", UNKNOWN]}, UNKNOWN),
    ("request.args.list.exists(x, x == 'a')", {"list": [UNKNOWN, "a"]}, True),
    ("request.args.list.all(x, x == 'a')", {"list": [UNKNOWN, "a"]}, UNKNOWN),
    ("request.args.list.all(x, x == 'a')", {"list": [UNKNOWN, "b"]}, False),
    ("'%s'.format(request.args.list) == 'a'", {"list": [UNKNOWN]}, UNKNOWN),
    ("{'a': 1} == request.args.map", {"map": {"a": UNKNOWN}}, UNKNOWN),
    ("request.args.n.transformList(i, x, i).size() == 1", {"n": [UNKNOWN]}, True),
]


@pytest.mark.parametrize(("source", "arguments", "expected"), SOME_KNOWN)
def test_a_condition_with_some_of_its_arguments(source, arguments, expected):
    assert partly(source, call(**arguments)) is expected


SAMPLES = {
    "A": "a",
    "B": 1,
    "bool": True,
    "int": 0,
    "uint": cel.UInt(1),
    "double": 1.5,
    "string": "+01:00",
    "bytes": b"a",
    "list": ["a"],
    "map": {"a": 1},
    "dyn": "a",
    "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
    "duration": timedelta(seconds=1),
    "net.IP": to_ip(cel.Budget(), "10.0.0.1"),
    "net.CIDR": to_cidr(cel.Budget(), "10.0.0.0/8"),
    "optional_type": OptionalValue("a"),
}
OVERLOADS = [
    (row, position)
    for name in FAMILIES
    for is_method in (False, True)
    for row in overloads(name, is_method)
    for position in range(len(row.parameters))
    if row.name not in ("or", "orValue")  # these look at their argument only where they need it
]


@pytest.mark.parametrize(("row", "position"), OVERLOADS, ids=[f"{row.name}-{position}" for row, position in OVERLOADS])
def test_no_function_passes_over_an_unknown_argument(row, position):
    arguments = [SAMPLES[parameter.name] for parameter in row.parameters]
    arguments[position] = UNKNOWN
    try:
        found = row.run(cel.Budget(), *arguments)
    except UnknownValueError:
        return
    assert found is UNKNOWN


def test_an_unknown_is_neither_true_nor_false():
    with pytest.raises(TypeError, match="compare with `is`"):
        bool(UNKNOWN)


def test_to_evaluate_an_unknown_is_an_error():
    with pytest.raises(cel.EvaluationError, match="not known yet"):
        cel.compile("x").evaluate({"x": UNKNOWN})
    with pytest.raises(cel.EvaluationError, match="not known yet"):
        cel.compile("x == 1").evaluate({"x": UNKNOWN})


def test_with_nothing_unknown_the_partial_answer_is_the_answer():
    assert cel.compile("request.args.x == 1").partial(call(x=1)) is True
    assert partly("request.args.x == 1", call()) is ERROR


def test_too_much_work_while_partial_leaves_the_question_open():
    program = cel.compile("agent.tags.all(t, t != 'x') && request.args.x")
    assert program.partial({**FACTS, "request": {"args": UNKNOWN}}, cel.Budget(3)) is UNKNOWN


def evaluated(program, variables):
    try:
        return program.evaluate(variables)
    except cel.EvaluationError:
        return ERROR


VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, -3, 7, 2**63, 2.5, "", "main", "Main-branch", "x", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "deep", "mail"]), inner),
    max_leaves=6,
)
OTHER_ARGUMENTS = st.dictionaries(st.sampled_from([*ARGUMENTS, "missing"]), VALUES, max_size=8)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(bools(3), st.lists(OTHER_ARGUMENTS, min_size=1, max_size=4))
def test_what_is_told_without_the_arguments_holds_for_all_of_them(source, all_arguments):
    program = cel.compile(source)
    told = partly(source, {**FACTS, "request": {"args": UNKNOWN}})
    for arguments in [ARGUMENTS, {}, *all_arguments]:
        found = evaluated(program, call(**arguments))
        outcome = found if found is True or found is False else ERROR
        assert told in (UNKNOWN, outcome), arguments


@settings(max_examples=300, derandomize=True, deadline=None)
@given(bools(3), st.sets(st.sampled_from(sorted(ARGUMENTS)), min_size=1), OTHER_ARGUMENTS)
def test_what_is_told_with_some_arguments_holds_for_all_others(source, hidden, others):
    """The hidden arguments are there, but their values are not known."""
    program = cel.compile(source)
    told = partly(source, call(**{**ARGUMENTS, **dict.fromkeys(hidden, UNKNOWN)}))
    for replaced in (ARGUMENTS, others):
        found = evaluated(program, call(**{**ARGUMENTS, **{name: replaced.get(name) for name in hidden}}))
        outcome = found if found is True or found is False else ERROR
        assert told in (UNKNOWN, outcome)

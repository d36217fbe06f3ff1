"""Nothing but `CompileError` and `EvaluationError` ever leaves, and neither ever tells what the caller passed in."""

import gc
import sys
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard import cel
from tests.cel.expressions import ARGUMENTS, bools, ints, text_lists, texts
from tests.cel.situations import POLICY_VARIABLES, call

PIECES = st.sampled_from(
    [
        *"()[]{}.,?:+-*/%!<>=&|'\"`\\ \n;@#~^$",
        *("&&", "||", "==", "!=", "<=", ">=", ".?", "[?", '"""', "'''", "//", r"\u", r"\x4", r"\777", "\x00", "\ud800"),
        *("1", "0x", "1u", "1e9", ".5", "9223372036854775808", "'a'", 'r"a', 'b"', "true", "null", "in", "as"),
        *("a", "request.args", "agent.slug", "has(", ".all(x,", ".map(", "cel.bind(", ".matches(", "optional.of("),
        *("timestamp(", "ip(", "size(", ".orValue(", "math.abs(", "é", "🐱", "\u00a0"),
    ]
)
SOURCES = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join))


def failure_of(action, *arguments, **named):
    """The error that an action ends with, if it is one of the two; anything else fails the test."""
    try:
        action(*arguments, **named)
    except (cel.CompileError, cel.EvaluationError) as error:
        return error
    return None


@settings(max_examples=1500, derandomize=True, deadline=None)
@given(SOURCES, st.sampled_from([None, POLICY_VARIABLES]))
def test_any_text_compiles_or_is_refused(source, variables):
    refused = failure_of(cel.compile, source, variables=variables)
    if refused is not None:
        assert "cannot be compiled" not in refused.message, refused
        assert 1 <= refused.line <= source.count("\n") + 1
        assert 1 <= refused.column <= len(source.split("\n")[refused.line - 1]) + 1
        return
    program = cel.compile(source, variables=variables)
    assert program.paths is not None
    for judge in (program.evaluate, program.partial):
        assert "cannot be evaluated" not in str(failure_of(judge, call(**ARGUMENTS)))


class Hostile:
    """A value that is no value of the language, and breaks whoever treats it as one."""

    def _fail(self, *arguments):
        raise ValueError("secret-7f3a")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = __len__ = __iter__ = __bool__ = _fail
    __hash__ = __add__ = __radd__ = __contains__ = __str__ = __repr__ = __getattr__ = __index__ = _fail


class Text(str):
    """A subclass: not exactly a string, so not a string."""

    __slots__ = ()


STRANGE_VALUES = (
    Hostile(),
    Text("main"),
    object(),
    int,
    (1, 2),
    {1, 2},
    1j,
    10**5000,
    -(10**400),
    float("nan"),
    float("-inf"),
    "\ud800",
    "\x00",
    {True: 3},
    {1: 2},
    {None: 1},
    {(1, 2): 3},
    {"a": Hostile()},
    [Hostile()],
    b"\xff",
    cel.UInt(2**64 - 1),
    cel.UNKNOWN,
)
STRANGE = st.integers(0, len(STRANGE_VALUES) - 1).map(STRANGE_VALUES.__getitem__)


@settings(max_examples=600, derandomize=True, deadline=None)
@given(
    st.one_of(bools(3), ints(3), texts(3), text_lists(3)),
    st.dictionaries(st.sampled_from(sorted(ARGUMENTS)), STRANGE, max_size=6),
)
def test_any_values_give_a_value_or_an_error(source, strange):
    program = cel.compile(source)
    for judge in (program.evaluate, program.partial):
        assert "secret" not in str(failure_of(judge, call(**{**ARGUMENTS, **strange})))


@pytest.mark.parametrize("variables", [{}, {"request": None}, {"request": Hostile()}, {"request": {"args": Hostile()}}])
def test_variables_that_are_not_what_they_should_be(variables):
    program = cel.compile("request.args.x == 1 && request.args.y in request.args.z")
    assert failure_of(program.evaluate, variables) is not None
    failure_of(program.partial, variables)


SECRET = "sk-live-51HxQ"

TELLTALE = [
    ("request.args.x == 1 && request.args.x < 3", {"x": SECRET}),
    ("request.args.x.y == 1", {"x": SECRET}),
    ("request.args.x[0] == 1", {"x": SECRET}),
    ("request.args.x[request.args.y] == 1", {"x": {}, "y": SECRET}),
    ("request.args[request.args.y] == 1", {"y": SECRET}),
    ("int(request.args.x) == 1", {"x": SECRET}),
    ("double(request.args.x) == 1.0", {"x": SECRET}),
    ("bool(request.args.x)", {"x": SECRET}),
    ("timestamp(request.args.x) == timestamp(0)", {"x": SECRET}),
    ("duration(request.args.x) == duration('1s')", {"x": SECRET}),
    ("ip(request.args.x).isLoopback()", {"x": SECRET}),
    ("'a'.matches(request.args.x)", {"x": SECRET + "("}),
    ("'a'.startsWith(request.args.x)", {"x": [SECRET]}),
    ("request.args.x + 1 == 2", {"x": SECRET}),
    ("-request.args.x == 2", {"x": SECRET}),
    ("!request.args.x", {"x": SECRET}),
    ("request.args.x || request.args.x", {"x": SECRET}),
    ("request.args.x.format([1]) == ''", {"x": SECRET + "%q"}),
    ("request.args.x.all(c, true)", {"x": SECRET}),
    ("request.args.x.all(c, c > 1)", {"x": [SECRET]}),
    ("request.args.x.transformMap(k, v, v > 1).size() == 1", {"x": {SECRET: SECRET}}),
    ("{request.args.x: 1, request.args.x: 2}.size() == 1", {"x": SECRET}),
    ("timestamp(0).getHours(request.args.x) == 1", {"x": SECRET}),
    ("base64.decode(request.args.x) == b''", {"x": SECRET}),
    ("SECRET.x == 1", {"x": SECRET}),
    ("request.args.x.matches('a')", {"x": SECRET + "\ud800"}),
    ("request.args.x", {"x": Hostile()}),
]


@pytest.mark.parametrize(("source", "arguments"), TELLTALE, ids=[source for source, _ in TELLTALE])
def test_an_error_tells_nothing_of_the_values(source, arguments):
    """Not in its text, not in the errors behind it, not in the frames that a traceback would show."""
    program = cel.compile(source)
    for judge in (program.evaluate, program.partial):
        error = failure_of(judge, call(**arguments))
        if error is None:
            continue
        assert SECRET not in "".join(traceback.format_exception(error))
        assert SECRET not in repr(error)
        assert error.__context__ is None
        assert error.__cause__ is None
        frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
        assert frames == ["failure_of", judge.__name__]


def test_a_failure_leaves_no_garbage_behind():
    """An error that waits for the collector keeps the arguments alive, and costs the next call a pause."""
    program = cel.compile("request.args.x == 1 || request.args.y == 2 || request.args.z.all(x, x.y == 1)")
    variables = call(z=[1, 2, 3])
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            assert failure_of(program.evaluate, variables) is not None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_evaluating_near_the_end_of_the_stack_is_an_error_and_no_crash():
    program = cel.compile("!" * 100 + "(x == 1)")

    def descend(levels):
        return descend(levels - 1) if levels else program.evaluate({"x": 2})

    used = len(traceback.extract_stack())
    for spare in (20, 40, 90):
        with pytest.raises(cel.EvaluationError, match="RecursionError"):
            descend(sys.getrecursionlimit() - used - spare)

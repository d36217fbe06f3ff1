"""What the independent implementation is asked, and where it has no opinion."""

import sys

import pytest

from mcp_guard.cel import second_opinion
from tests.cel.situations import call

ALIKE = [
    "a.b == 1 && c || d",
    "1 +",
    "a - 1 - -1 - - 1",
    "x.all(y, y > 0) ? [1, 2u] : {'a': 3.5}",
    "Type{a: 1}",
    r"'\u00e9\x41' + r'\d'",
    "-9223372036854775808",
    ".a(b)",
]

APART = [
    ("a.?b", "cel-python does not parse this"),
    ("[1, 2,]", "cel-python does not parse this"),
    ("a.`b-c`", "cel-python does not parse this"),
    ("a.in", "cel-python parses what is refused here"),
    ("!-x", "cel-python parses what is refused here"),
    ("while", "cel-python parses what is refused here"),
    ("1.", "cel-python parses what is refused here"),
    ("'''a\nb'''", "cel-python reads this as another expression"),
]


@pytest.mark.parametrize("source", ALIKE)
def test_two_parsers_agree(source):
    assert second_opinion.difference(source) is None


@pytest.mark.parametrize(("source", "expected"), APART)
def test_two_parsers_differ(source, expected):
    assert second_opinion.difference(source) == expected


ARGUMENTS = {
    "n": 1,
    "x": "a",
    "list": [1, 2],
    "texts": ["a", "b"],
    "mixed": [1, "a"],
    "map": {"k": 1},
    "ratio": 1.5,
    "nan": float("nan"),
    "flag": True,
    "nothing": None,
}

ANSWERS = [
    ("request.args.n == 1", True),
    ("request.args.n > 1", False),
    ('request.args.x in ["a", "b"]', True),
    ("request.args.list.all(i, i > 0)", True),
    ("request.args.list.map(i, i + 1)", [2, 3]),
    ("request.args.texts.exists(t, t.startsWith('b'))", True),
    ("has(request.args.missing)", False),
    ("size(request.args.x)", 1),
    ("request.args.map", {"k": 1}),
    ("request.args.ratio * 2.0", 3.0),
    ("request.args.missing == 1 || true", True),
    ("request.args.x.matches('^a$')", True),
]


@pytest.mark.parametrize(("source", "expected"), ANSWERS)
def test_an_answer_that_can_be_compared(source, expected):
    answer = second_opinion.answer(source, call(**ARGUMENTS))
    assert answer.comparable
    assert not answer.failed
    assert answer.value == expected
    assert type(answer.value) is type(expected)


def test_an_error_can_be_compared():
    answer = second_opinion.answer("request.args.missing == 1", call(**ARGUMENTS))
    assert (answer.comparable, answer.failed) == (True, True)


DEVIATIONS = [
    "request.args.n == 1.0",  # types of numbers
    "request.args.n < 1.5",
    "request.args.ratio == 1",
    "request.args.n in [1.0]",
    "request.args.flag == 1",  # a bool against a number
    "request.args.nothing == 1",  # null against a number
    "request.args.nan == request.args.nan",
    "has(request.args.missing.x)",  # a missing parent
    "has(request.args.x.y)",
    "'a' in request.args.x",  # in and loops over strings
    "request.args.x.all(c, true)",
    "request.args.map.all(k, true)",
    "request.args.list[-1] == 2",
    "size(request.args.nothing)",
    "request.args.mixed.map(i, i + 1).size() == 2 || true",  # failures within loops
    "request.args.mixed.all(i, i > 0)",
    "int(' 12 ')",
    "int(request.args.x) == 1",
    "request.args.x.lowerAscii() == 'a'",  # extensions
    "request.args.?x.orValue('') == 'a'",
    "cel.bind(x, 1, x == 1)",
    "request.args.list.exists(i, v, v == 1)",
    "'''a\nb''' == 'a'",  # what it reads differently
    "ip('10.0.0.1').isLoopback()",
    "1 +",
]


@pytest.mark.parametrize("source", DEVIATIONS)
def test_there_is_no_opinion_where_it_deviates_by_design(source):
    assert not second_opinion.answer(source, call(**ARGUMENTS)).comparable


def test_asking_leaves_the_process_as_it_was():
    before = sys.getrecursionlimit()
    second_opinion.answer("request.args.n == 1", call(**ARGUMENTS))
    assert sys.getrecursionlimit() == before

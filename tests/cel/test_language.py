"""The language itself, by the sections of its specification: what an expression comes to, without any variables."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from mcp_guard import cel
from mcp_guard.cel.values import OptionalValue, TypeValue

U = cel.UInt
ERROR = "error"
MAX, MIN = 2**63 - 1, -(2**63)

LITERALS = [
    ("0", 0),
    ("-0", 0),
    ("0x1F", 31),
    ("0x" + "0" * 5000 + "1", 1),
    ("0" * 5000 + "7u", U(7)),
    ("-0xf", -15),
    ("9223372036854775807", MAX),
    ("-9223372036854775808", MIN),
    ("18446744073709551615u", U(2**64 - 1)),
    ("0x10U", U(16)),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("1.5E-3", 0.0015),
    ("true", True),
    ("null", None),
    ('"a"', "a"),
    ("'a\"b'", 'a"b'),
    (r'"\a\b\f\n\r\t\v\\\?\"\'\`"', "\a\b\f\n\r\t\v\\?\"'`"),
    (r'"\x41\u00e9\U0001F431\101"', "Aé🐱A"),
    (r"r'a\nb'", r"a\nb"),
    (r'R"""a\"""', "a\\"),
    ('"""a\n"b"\r\nc"""', 'a\n"b"\nc'),
    ("'''a\nb'''", "a\nb"),
    ('b"é"', "é".encode()),
    (r'b"\xff\377\n"', b"\xff\xff\n"),
    (r'br"\x"', rb"\x"),
    (r"rb'\x'", rb"\x"),
    ("[1, [2], []]", [1, [2], []]),
    ("[1, 2,]", [1, 2]),
    ('{"a": 1, 2: "b", 3u: null, true: [],}', {"a": 1, 2: "b", U(3): None, True: []}),
    ("// a comment\n1 // another", 1),
]

ARITHMETIC = [
    ("1 + 2 * 3 - 4", 3),
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("7 / -2", -3),
    ("7 % 3", 1),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("1 / 0", ERROR),
    ("1 % 0", ERROR),
    ("9223372036854775807 + 1", ERROR),
    ("-9223372036854775808 - 1", ERROR),
    ("-9223372036854775808 / -1", ERROR),
    ("-9223372036854775808 % -1", ERROR),
    ("-(-9223372036854775808)", ERROR),
    ("4611686018427387904 * 2", ERROR),
    ("1u - 2u", ERROR),
    ("18446744073709551615u + 1u", ERROR),
    ("-1u", ERROR),
    ("1 + 1u", ERROR),
    ("1 + 1.0", ERROR),
    ("5u / 2u * 2u % 3u", U(1)),
    ("1.5 + 2.0 * 2.0", 5.5),
    ("1.0 / 0.0", math.inf),
    ("-1.0 / 0.0", -math.inf),
    ("1.0 / -0.0", -math.inf),
    ("1e300 * 1e300", math.inf),
    ("1.5 % 1.0", ERROR),
    ('"a" + "b"', "ab"),
    ('b"a" + b"b"', b"ab"),
    ("[1] + ['a']", [1, "a"]),
    ('"a" - "b"', ERROR),
    ("true + true", ERROR),
    ("1 - 2 - 3", -4),
    ("-3 - -3", 0),
    ("--3", 3),
]

COMPARISONS = [
    ("1 == 1u && 1u == 1.0 && 1.0 == 1", True),
    ("1 < 1.5 && 1u < 2 && -1 < 0u", True),
    ("true == 1", False),
    ("0 == false", False),
    ("true in [0, 1]", False),
    ("1 in [true, 1.0]", True),
    ("true < 2", ERROR),
    ("false < true", True),
    ('"a" < "b" && "B" < "a" && "é" > "z"', True),
    ('b"a" < b"b"', True),
    ('"a" < 1', ERROR),
    ("null == null", True),
    ("null < null", ERROR),
    ("null == 0", False),
    ("[1] < [2]", ERROR),
    ("[1, 2.0] == [1.0, 2]", True),
    ('{"a": 1} == {"a": 1.0}', True),
    ("{1: 2} == {1.0: 2}", ERROR),
    ("{1: 2} == {1u: 2}", True),
    ("{true: 2} == {1: 2}", False),
    ("{1: 1, 1u: 2}", ERROR),
    ('{"a": 1, "a": 2}', ERROR),
    ("{[]: 1}", ERROR),
    ("(0.0 / 0.0) == (0.0 / 0.0)", False),
    ("0.0 == -0.0", True),
    ("9007199254740993 == 9007199254740992.0", False),
    ("9223372036854775807 < 9223372036854775808.0", True),
    ("type(1) == int && type(type(1)) == type", True),
    ("1 == [1]", False),
    ("1 != 'a'", True),
    ("1 == 1 == true", True),
    ("2 in {1: 'a', 2: 'b'} && !(true in {1: 'a'})", True),
    ("{1: 'a'}[1.0]", "a"),
    ("{1: 'a'}[true]", ERROR),
    ("{true: 'a'}[1]", ERROR),
    ("{'a': 1}['b']", ERROR),
    ("[1, 2][1u]", 2),
    ("[1, 2][2]", ERROR),
    ("[1, 2][-1]", ERROR),
    ("'abc'[0]", ERROR),
]

LOGIC = [
    ("true || 1 / 0 == 1", True),
    ("1 / 0 == 1 || true", True),
    ("false && 1 / 0 == 1", False),
    ("1 / 0 == 1 && false", False),
    ("1 / 0 == 1 || false", ERROR),
    ("1 && false", False),
    ("1 && true", ERROR),
    ("'a' || true", True),
    ("!1", ERROR),
    ("!!true", True),
    ("true ? 1 : 1 / 0", 1),
    ("1 ? 2 : 3", ERROR),
    ("false ? 1 : true ? 2 : 3", 2),
    ("true || false && false", True),
    ("(true || false) && false", False),
    ("1 / 0 == 1 || 2 / 0 == 1 || true || 1 / 0 == 1", True),
]

MACROS = [
    ("[1, 2].all(x, x > 0)", True),
    ("[1, 'a', 3].all(x, x < 3)", False),
    ("[1, 'a'].all(x, x < 3)", ERROR),
    ("[1, 'a', 3].exists(x, x > 2)", True),
    ("[1, 'a'].exists(x, x > 2)", ERROR),
    ("[].exists(x, true)", False),
    ("[1, 2].all(x, 1)", ERROR),
    ("[1, 2, 3].exists_one(x, x > 2)", True),
    ("[3, 'a'].exists_one(x, x > 2)", ERROR),
    ("{'a': 1}.all(k, k == 'a')", True),
    ("'abc'.all(c, true)", ERROR),
    ("[1, 2, 3].map(x, x * x)", [1, 4, 9]),
    ("[1, 2, 3].map(x, x > 1, x * x)", [4, 9]),
    ("[1, 2, 3].filter(x, x > 1)", [2, 3]),
    ("[1].filter(x, 1)", ERROR),
    ("{'a': 1, 'b': 2}.filter(k, k != 'a')", ["b"]),
    ("[[1, 2], [3]].map(x, x.map(x, x + 1))", [[2, 3], [4]]),
    ("[1].map(x, [2].map(y, x + y))", [[3]]),
    ("[1, 2].map(x, x).map(x, x)", [1, 2]),
    ("['a'].transformList(i, v, v + string(i))", ["a0"]),
    ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
    ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v)", {"b": 2}),
    ("{'a': 'b'}.transformMapEntry(k, v, {v: k})", {"b": "a"}),
    ("['x', 'x'].transformMapEntry(i, v, {v: i})", ERROR),
    ("[5, 6].exists(i, v, i == 1 && v == 6)", True),
    ("cel.bind(x, 2, x * x)", 4),
    ("cel.bind(x, 1 / 0, true)", True),
    ("cel.bind(x, 1 / 0, x == 1 || true)", True),
    ("cel.bind(x, 1, cel.bind(x, x + 1, x) + x)", 3),
    ("has({'a': null}.a)", True),
    ("has({}.a)", False),
    ("has({}.a.b)", ERROR),
    ("has('a'.b)", ERROR),
]

CONVERSIONS = [
    ("int(3.99) + int(-3.99)", 0),
    ("int('0x10')", ERROR),
    ("int('')", ERROR),
    ("int('+5')", 5),
    ("int(18446744073709551615u)", ERROR),
    ("uint(-1)", ERROR),
    ("uint('7')", U(7)),
    ("uint(3.9)", U(3)),
    ("uint(-0.5)", U(0)),
    ("double('1e3')", 1000.0),
    ("double('-Infinity')", -math.inf),
    ("double('1e')", ERROR),
    ("double('١')", ERROR),
    ("double(true)", ERROR),
    ("string(1.0) + string(-7) + string(3u) + string(true)", "1-73true"),
    ("string(b'\\xff')", ERROR),
    ("bytes('é')", "é".encode()),
    ("bool('T')", True),
    ("bool('maybe')", ERROR),
    ("bool(1)", ERROR),
    ("size('é🐱') + size(b'abc') + size([1]) + size({})", 6),
    ("size(1)", ERROR),
    ("size(null)", ERROR),
    ("type('')", TypeValue("string")),
    ("[int, uint, double, bool, string, bytes, list, map, null_type, type].size()", 10),
    ("dyn(1) == dyn('a')", False),
]

TEXT = [
    ("'tacocat'.charAt(7)", ""),
    ("'tacocat'.charAt(8)", ERROR),
    ("'tacocat'.indexOf('ac')", 1),
    ("'tacocat'.indexOf('a', 3)", 5),
    ("'tacocat'.indexOf('a', 30)", ERROR),
    ("'tacocat'.lastIndexOf('a', 3)", 1),
    ("'tacocat'.lastIndexOf('a', null)", ERROR),
    ("'TacoCÆt'.lowerAscii() + 'é'.upperAscii()", "tacocÆté"),
    ("'a-b-c'.replace('-', '+', 1)", "a+b-c"),
    ("'ab'.replace('', '-')", "-a-b-"),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("'a,b'.split(',', 0)", []),
    ("'abc'.split('', 2)", ["a", "bc"]),
    ("'abc'.split('')", ["a", "b", "c"]),
    ("'tacocat'.substring(4)", "cat"),
    ("'tacocat'.substring(4, 3)", ERROR),
    ("'tacocat'.substring(0, null)", ERROR),
    (r"'\u00a0 \u1680x\u200b'.trim()", "x\u200b"),
    ("'abc'.reverse()", "cba"),
    ("['a', 'b'].join('-') + [].join()", "a-b"),
    ("[1].join()", ERROR),
    (r"strings.quote('a\n\"b\\')", r'"a\n\"b\\"'),
    ("'%s is %d%%'.format(['x', 3])", "x is 3%"),
    ("'%.2f %e %x %X %o %b'.format([1.255, 1000.0, 255, 'k', 8, 5])", "1.25 1.000000e+03 ff 6B 10 101"),
    ("'%s'.format([{'b': [1, null], 'a': 2.5}])", "{a: 2.5, b: [1, null]}"),
    ("'%d'.format([1.5])", ERROR),
    ("'%s %s'.format(['x'])", ERROR),
    ("'%.1000000000f'.format([1.0])", ERROR),
    ("'%'.format([])", ERROR),
    ("base64.encode(b'hello') + string(base64.decode('aGVsbG8'))", "aGVsbG8=hello"),
    ("base64.decode('a$b')", ERROR),
]

OPTIONALS = [
    ("optional.of(1).orValue(2) + optional.none().orValue(2)", 3),
    ("optional.of(1).orValue(1 / 0)", 1),
    ("optional.none().or(optional.of(3)).value()", 3),
    ("optional.none().value()", ERROR),
    ("optional.ofNonZeroValue('').hasValue()", False),
    ("optional.of(null).hasValue()", True),
    ("{'a': {'b': 1}}.?a.?b.value()", 1),
    ("{'a': {}}.?a.b.hasValue()", False),
    ("{'a': 1}.?a.b", ERROR),
    ("[7][?0].value()", 7),
    ("[7][?1].hasValue()", False),
    ("[7][?-1].hasValue()", False),
    ("optional.of([7])[0].value()", 7),
    ("[?optional.none(), 1, ?optional.of(2)]", [1, 2]),
    ("{?'a': optional.none(), ?'b': optional.of(2)}", {"b": 2}),
    ("[?1]", ERROR),
    ("optional.of(2).optMap(x, x * 2).value()", 4),
    ("optional.of(2).optFlatMap(x, optional.none()).hasValue()", False),
    ("optional.unwrap([optional.of(1), optional.none()])", [1]),
    ("optional.of(1) == optional.of(1.0) && optional.none() == optional.none()", True),
    ("has({'a': 1}.?b.c)", False),
    ("type(optional.none()) == optional_type", True),
]

TIMES = [
    ("timestamp('2026-11-21T08:00:00Z')", datetime(2026, 11, 21, 8, tzinfo=UTC)),
    ("timestamp('2026-11-21T08:00:00.5+02:00')", datetime(2026, 11, 21, 6, 0, 0, 500_000, tzinfo=UTC)),
    ("string(timestamp('2026-11-21T08:00:00.123456789Z'))", "2026-11-21T08:00:00.123456789Z"),
    ("timestamp('2026-11-21')", ERROR),
    ("timestamp('2026-02-30T00:00:00Z')", ERROR),
    ("timestamp('2026-11-21T08:00:00')", ERROR),
    ("timestamp('٢٠26-11-21T08:00:00Z')", ERROR),
    ("timestamp(0)", datetime(1970, 1, 1, tzinfo=UTC)),
    ("timestamp(-62135596801)", ERROR),
    ("int(timestamp('1969-12-31T23:59:59.5Z'))", -1),
    ("duration('1h30m')", timedelta(minutes=90)),
    ("duration('-1.5s')", timedelta(seconds=-1.5)),
    ("string(duration('1.000000001s'))", "1.000000001s"),
    ("string(duration('-90m'))", "-5400s"),
    ("duration('1d')", ERROR),
    ("duration('')", ERROR),
    ("duration('300000h') + duration('2600000h')", ERROR),
    ("timestamp(0) + duration('1h') - timestamp(0) == duration('60m')", True),
    ("duration('1s') + duration('1ns') > duration('1s')", True),
    ("timestamp(0) == timestamp('1970-01-01T02:00:00+02:00')", True),
    ("timestamp(0) == duration('0s')", False),
    ("timestamp(0) < duration('0s')", ERROR),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", ERROR),
    ("timestamp('2026-11-21T08:00:00Z').getDayOfWeek()", 6),
    ("timestamp('2026-11-21T23:30:00Z').getDate('+01:00')", 22),
    ("timestamp('2026-07-01T12:00:00Z').getHours('America/New_York')", 8),
    ("timestamp('9999-12-31T23:59:59Z').getHours('+11:00')", ERROR),
    ("timestamp(0).getHours('Nowhere' + '/City')", ERROR),
    ("duration('3730.25s').getMinutes() + duration('3730.25s').getMilliseconds()", 312),
    ("duration('1h').getDate()", ERROR),
]

NETWORKS = [
    ("string(ip('2001:DB8::1'))", "2001:db8::1"),
    ("ip('1.2.3')", ERROR),
    ("ip('fe80::1%eth0')", ERROR),
    ("ip('::ffff:1.2.3.4')", ERROR),
    ("ip('::ffff:102:304') == ip('1.2.3.4')", True),
    ("ip('1.2.3.4').family() + ip('::1').family()", 10),
    ("isIP('1.2.3.4') && !isIP('x') && !isCIDR('1.2.3.4/33') && isCIDR('::/0')", True),
    ("cidr('10.0.0.7/8').containsIP('10.255.0.1')", True),
    ("cidr('10.0.0.0/8').containsIP(ip('::ffff:a00:1'))", True),
    ("cidr('10.0.0.0/8').containsIP('11.0.0.1')", False),
    ("cidr('10.0.0.0/8').containsIP('2001:db8::1')", False),
    ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", True),
    ("cidr('10.0.0.0/8').containsCIDR('0.0.0.0/0')", False),
    ("cidr('10.0.0.0/8').containsCIDR('::ffff:a01:0/112')", True),
    ("cidr('10.0.0.0/8').containsCIDR('::ffff:0:0/90')", False),
    ("cidr('::ffff:a00:0/104').containsIP('10.255.0.1')", True),
    ("cidr('::/0').containsIP('10.0.0.1')", False),
    ("cidr('::ffff:a00:0/104') == cidr('10.0.0.0/8')", True),
    ("string(cidr('10.1.2.3/8').masked())", "10.0.0.0/8"),
    ("cidr('10.0.0.0/08')", ERROR),
    ("cidr('10.0.0.0/ 8')", ERROR),
    ("ip('224.0.0.5').isLinkLocalMulticast() && !ip('8.8.8.8').isLoopback()", True),
    ("ip('10.0.0.1').isGlobalUnicast() && !ip('0.0.0.0').isGlobalUnicast()", True),
    ("type(ip('::1')) == net.IP && type(cidr('::/0')) == net.CIDR", True),
]


def value_of(source):
    try:
        return cel.compile(source).evaluate({})
    except cel.EvaluationError:
        return ERROR


def same(found, expected):
    if type(found) is not type(expected):
        return isinstance(found, datetime | timedelta) and found == expected
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, dict):
        return found == expected and all(same(found[key], expected[key]) for key in expected)
    return found == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        *LITERALS,
        *ARITHMETIC,
        *COMPARISONS,
        *LOGIC,
        *MACROS,
        *CONVERSIONS,
        *TEXT,
        *OPTIONALS,
        *TIMES,
        *NETWORKS,
    ],
)
def test_an_expression_comes_to(source, expected):
    found = value_of(source)
    assert same(found, expected), found


def test_an_optional_may_be_the_result():
    found = cel.compile("optional.of(3)").evaluate({})
    assert isinstance(found, OptionalValue)
    assert found.value == 3


REFUSED = [
    # source, line, column, part of the message
    ("", 1, 1, "ends too early"),
    ("1 +", 1, 4, "ends too early"),
    ("1 2", 1, 3, "the expression ends here"),
    ("a.", 1, 3, "ends too early"),
    ("a.in", 1, 3, "a field name belongs"),
    ("a.true", 1, 3, "a field name belongs"),
    ("(1", 1, 3, "`)` belongs"),
    ("[1", 1, 3, "`]` belongs"),
    ("{1: }", 1, 5, "a value belongs"),
    ("{1}", 1, 3, "`:` and a value belong"),
    ("f(1,)", 1, 5, "another argument belongs"),
    ("true ? 1", 1, 9, "`:`"),
    ("a = 1", 1, 3, "no meaning"),
    ("a & b", 1, 3, "no meaning"),
    ("a and b", 1, 3, "the expression ends here"),
    ("not a", 1, 5, "the expression ends here"),
    ("while", 1, 1, "reserved"),
    ("'abc", 1, 1, "does not end"),
    ("'a\nb'", 1, 1, "ends on its line"),
    (r"'\d'", 1, 2, "no escape"),
    (r"'ab\x4'", 1, 4, "no escape"),
    (r"'\ud800'", 1, 2, "surrogate"),
    (r"'\U00110000'", 1, 2, "no character"),
    (r"b'\u0041'", 1, 3, "no escape"),
    (r"'\400'", 1, 2, "no character"),
    ("9223372036854775808", 1, 1, "too large"),
    ("-9223372036854775809", 1, 2, "too large"),
    ("18446744073709551616u", 1, 1, "too large"),
    ("1e400", 1, 1, "too large"),
    ("0x", 1, 1, "hexadecimal"),
    ("12abc", 1, 1, "runs into a name"),
    ("1_000", 1, 1, "runs into a name"),
    ("!-x", 1, 2, "a value belongs"),
    ("\n\n  a b", 3, 5, "the expression ends here"),
    ("a\u00a0b", 1, 2, "U+00A0"),
    ("é", 1, 1, "no meaning"),
    ("a.`b c\n`", 1, 3, "backticks"),
    ("has(a)", 1, 5, "takes a field"),
    ("[1].all(x.y, true)", 1, 11, "a plain name"),
    ("x.matches('(')", 1, 11, "no regular expression"),
    ("Type{a: 1}", 1, 1, "no type"),
]


@pytest.mark.parametrize(("source", "line", "column", "message"), REFUSED)
def test_what_is_no_expression_is_refused_with_its_place(source, line, column, message):
    with pytest.raises(cel.CompileError) as caught:
        cel.compile(source)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column), caught.value


def test_a_variable_may_have_a_dotted_name_and_the_longest_counts():
    program = cel.compile("a.b.c")
    assert program.evaluate({"a.b.c": 1, "a.b": {"c": 2}}) == 1
    assert program.evaluate({"a.b": {"c": 2}}) == 2


def test_a_dot_before_a_name_passes_by_the_variables_of_loops():
    assert cel.compile("[1].map(x, .x + x)").evaluate({"x": 10}) == [11]


def test_the_values_that_come_in_are_those_that_go_out():
    at, span = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)
    assert cel.compile("[a, b, c]").evaluate({"a": at, "b": span, "c": U(3)}) == [at, span, 3]
    assert cel.compile("a + b").evaluate({"a": at, "b": span}) == at + span
    assert cel.compile("a == b").evaluate({"a": at, "b": at.astimezone()}) is True


def test_a_time_without_a_zone_is_no_value():
    with pytest.raises(cel.EvaluationError, match="unsupported"):
        cel.compile("a == a").evaluate({"a": datetime(2026, 1, 1)})

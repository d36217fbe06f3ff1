"""What is refused when a policy is loaded: where it points, what it says, and the hint it gives."""

import pytest

from mcp_guard import cel
from mcp_guard.cel.types import BOOL, BYTES, DURATION, DYN, INT, STRING, TIMESTAMP, list_of, map_of, optional_of
from tests.cel.situations import POLICY_VARIABLES

REFUSED = [
    # source, column, part of the message, part of the hint
    ('agnt.slug == "x"', 1, "no variable `agnt`", "`agent`"),
    ('args.path == "x"', 1, "no variable `args`", "`request.args`"),
    ('tool.name == "x"', 1, "no variable `tool`", "`mcp.tool`"),
    ('zzz == "x"', 1, "no variable `zzz`", "there are `agent`"),
    ('agent.slg == "x"', 7, "`agent` has no field `slg`", "`slug`"),
    ('agent["slg"] == "x"', 6, "`agent` has no field `slg`", "`slug`"),
    ('mcp.tool.title == "x"', 10, "`mcp.tool` has no field `title`", "it has `name`"),
    ("has(agent.owner)", 1, "`agent` has no field `owner`", ""),
    ('request.arguments.x == "x"', 9, "`request` has no field `arguments`", "`args`"),
    ("agent.slug.size == 3", 12, "a string has no fields", "`.size(…)`"),
    ("agent.slug", 7, "gives a string", "compare"),
    ("size(agent.tags)", 1, "gives an int", "compare"),
    ("agent", 1, "gives an agent", ""),
    ("null", 1, "gives null", ""),
    ("request.args.?x", 15, "gives an optional_type(dyn)", "orValue"),
    # comparisons that never hold
    ("agent.slug == 3", 12, "between a string and an int never holds", "int(x)"),
    ("agent.slug != 3", 12, "always holds", "int(x)"),
    ('agent.tags == "x"', 12, "never holds", "x in list"),
    ('agent.verified == "true"', 16, "between a bool and a string", ""),
    ("agent.slug == null", 12, "between a string and null", ""),
    ("[1] == ['a']", 5, "never holds", ""),
    ('{"a": 1} == {"a": "x"}', 10, "never holds", ""),
    ('type(request.args.x) == "string"', 22, "between a type and a string", "no quotes"),
    ("3 in agent.tags", 3, "an int is never in a list(string)", ""),
    ('agent.slug in ["a", 3]', 21, "a string is never equal to an int", ""),
    ("agent.slug in []", 15, "nothing is ever in what is empty", ""),
    ('"x" in agent.slug', 5, "not into a string", "contains"),
    ("1 in request", 3, "an int is never in a request", ""),
    ("1 in 2", 3, "this is an int", ""),
    ("size(agent.tags) < 0", 18, "never below 0", ""),
    ("size(agent.tags) == -1", 18, "never below 0", ""),
    ("agent.tags.size() >= 0", 19, "never below 0", ""),
    ('agent.slug == "a" && agent.slug == "b"', 33, "never holds", "||"),
    ('"a" == request.args.x && request.args["x"] == "b"', 44, "never holds", "||"),
    ('request.args.x != "a" || request.args.x != "b"', 41, "always holds", "&&"),
    ("agent.tags.exists(t, t == 1)", 24, "never holds", ""),
    ("request.args.all(key, key == 3)", 27, "never holds", ""),
    ("cel.bind(x, agent.slug, x == 3)", 27, "never holds", ""),
    # types
    ("!agent.slug", 8, "`!` needs true or false", ""),
    ("agent.slug && true", 7, "`&&` needs true or false", ""),
    ("true || size(agent.tags)", 9, "`||` needs true or false", ""),
    ("agent.slug ? true : false", 7, "before `?`", ""),
    ("agent.verified ? 1 : true", 16, "an int or a bool", ""),
    ('agent.slug < 3 || agent.slug == "x"', 12, "`<` has no meaning", ""),
    ('1 + "a" == "b"', 3, "`+` has no meaning", "convert"),
    ("1 + 1.0 == 2.0", 3, "`+` has no meaning", "double(x)"),
    ("-agent.slug == 1", 1, "`-` has no meaning for a string", ""),
    ("agent.tags[-1] == 'x'", 12, "negative index", "size(x) - 1"),
    ("agent.tags['a'] == 'x'", 12, "indexed by an int", ""),
    ("agent.slug[0] == 'x'", 11, "a string has no items", ""),
    ("request.args[0] == 1", 14, "keys of this map", ""),
    ("{1.5: 2} == {}", 2, "a double is no key", ""),
    ("agent.slug.exists(t, true)", 12, "over a list or a map", ""),
    ("agent.tags.exists(t, t)", 22, "the test of a loop", ""),
    ("[?1] == []", 3, "`?` needs an optional", ""),
    ("agent.slug.optMap(x, true)", 7, "`?` needs an optional", ""),
    # functions
    ('request.args.x.startWith("a")', 16, "no method `startWith`", "`startsWith`"),
    ('startsWith(agent.slug, "a")', 1, "no function `startsWith`", "x.startsWith"),
    ("agent.slug.int() == 3", 12, "no method `int`", "int(x)"),
    ("frobnicate(3)", 1, "no function `frobnicate`", ""),
    ('agent.slug.startsWith("a", "b")', 12, "takes 1 argument, not 2", ""),
    ("agent.slug.substring() == 'x'", 12, "takes 1 or 2 arguments, not 0", ""),
    ("agent.slug.startsWith(3)", 12, "`string.startsWith(int)` has no meaning", "`string.startsWith(string)`"),
    ("size(3) == 3", 1, "`size(int)` has no meaning", ""),
    ('agent.slug.matches("(")', 20, "no regular expression", "RE2"),
    (r'agent.slug.matches("(?=a)b")', 20, "no regular expression", "RE2"),
    (r'agent.slug.matches("\bfoo\b")', 20, "a backspace", r'r"\b"'),
    ('timestamp("yesterday") < timestamp("2026-01-01T00:00:00Z")', 11, "no timestamp", ""),
    ('duration("1 hour") == duration("1h")', 10, "no duration", ""),
    ('cidr("10.0.0.0/33").containsIP("10.0.0.1")', 6, "no network", ""),
    ('timestamp(request.args.at).getHours("Mars/Base") == 1', 37, "no such time zone", "Europe/Paris"),
    ("has(request)", 5, "`has` takes a field", ""),
    ("agent.tags.all(1, true)", 16, "a plain name", ""),
    ("agent.tags.all(x, x, true)", 12, "same name", ""),
    ("Foo{a: 1} == Foo{a: 1}", 1, "no type `Foo`", "{…}"),
]

ACCEPTED = [
    'agent.slug == "x"',
    'agent["slug"] == "x"',
    "request.args.x",
    "request.args.x == null",
    "request.args.n < 100 && request.args.n > 1.5",
    "request.args.n == 1 || request.args.n == 1.5",
    "1 == 1.0",
    "request.args.x == agent.slug",
    "agent.tags == []",
    "[] == request.args.x",
    "request.args.n in [1, 2u, 3.5]",
    'request.args.x in ["a", 3]',
    "size(agent.tags) > 0",
    "size(agent.tags) == 0",
    'agent.slug == "a" || agent.slug == "b"',
    'agent.slug != "a" && agent.slug != "b"',
    'request.args.x == "a" && request.args.y == "b"',
    'request.args.x[0] == "a" && request.args.x[1] == "b"',
    'request.args.list.exists(x, x.a == "1") && request.args.list.exists(x, x.a == "2")',
    "type(request.args.x) == string",
    "type(ip(request.args.x)) == net.IP",
    "request.args.exists(key, key == 'a')",
    "request.args.list.map(x, x.name) == agent.tags",
    r'agent.slug.matches(r"\bfoo\b")',
    "cel.bind(parts, request.args.path.split('/'), parts.size() > 2 && parts[1] == 'srv')",
    "request.args.?x.orValue('') == ''",
    "[?request.args.?x].size() == 1",
    "timestamp(request.args.at) + duration('1h') > timestamp('2026-01-01T00:00:00Z')",
    "agent.verified ? request.args.x : false",
    "(agent.verified ? [1] : []) == [1]",
]


@pytest.mark.parametrize(("source", "column", "message", "hint"), REFUSED)
def test_a_condition_that_cannot_be_meant_is_refused(source, column, message, hint):
    with pytest.raises(cel.CompileError) as caught:
        cel.compile(source, variables=POLICY_VARIABLES, expect_bool=True)
    error = caught.value
    assert message in error.message
    assert hint in error.hint
    assert (error.line, error.column) == (1, column), error


@pytest.mark.parametrize("source", ACCEPTED)
def test_a_condition_that_hangs_on_its_arguments_is_accepted(source):
    cel.compile(source, variables=POLICY_VARIABLES, expect_bool=True)


def test_without_declarations_nothing_but_the_syntax_is_checked():
    assert cel.compile("anything.goes + 1 == nowhere(3) || true").evaluate({}) is True


def test_the_place_is_the_line_and_the_column_in_it():
    with pytest.raises(cel.CompileError) as caught:
        cel.compile('agent.verified\n  && agent.slgu == "x"', variables=POLICY_VARIABLES)
    assert (caught.value.line, caught.value.column) == (2, 12)


def test_a_variable_of_a_loop_hides_a_declared_one():
    source = "agent.tags.exists(mcp, mcp == 'x')"
    cel.compile(source, variables=POLICY_VARIABLES, expect_bool=True)
    with pytest.raises(cel.CompileError, match="never holds"):
        cel.compile("agent.tags.exists(mcp, .mcp.slug == 1)", variables=POLICY_VARIABLES)


DECLARED = {
    "x": DYN,
    "names": list_of(STRING),
    "ages": map_of(STRING, INT),
    "raw": BYTES,
    "at": TIMESTAMP,
    "span": DURATION,
    "maybe": optional_of(INT),
    "a.b": BOOL,
}

TYPES = [
    ("1 + 2", "int"),
    ("1u + 2u", "uint"),
    ("1.0 / 2.0", "double"),
    ('"a" + "b"', "string"),
    ("raw + b'x'", "bytes"),
    ("at - at", "duration"),
    ("at + span", "timestamp"),
    ("x + 1", "int"),
    ("x + x", "dyn"),
    ("x.a.b[0]", "dyn"),
    ("names[0]", "string"),
    ("names + names", "list(string)"),
    ("names.map(n, size(n))", "list(int)"),
    ("names.filter(n, n != '')", "list(string)"),
    ("names.transformMap(i, n, n)", "map(int, string)"),
    ("ages.map(name, ages[name])", "list(int)"),
    ("ages.transformList(name, age, age)", "list(int)"),
    ("ages.name", "int"),
    ("ages.?name", "optional_type(int)"),
    ("maybe.orValue(3)", "int"),
    ("maybe.optMap(m, string(m))", "optional_type(string)"),
    ("[1, 'a']", "list(dyn)"),
    ("[1, 2]", "list(int)"),
    ("[]", "list(dyn)"),
    ('{"a": 1}', "map(string, int)"),
    ("a.b", "bool"),
    ("type(1)", "type"),
    ("int", "type"),
    ("dyn(1)", "dyn"),
    ("x ? 1 : 2", "int"),
    ("null", "null"),
    ("cel.bind(n, names[0], n)", "string"),
    ('cidr("10.0.0.0/8").ip()', "net.IP"),
]


@pytest.mark.parametrize(("source", "expected"), TYPES)
def test_the_type_of_an_expression(source, expected):
    """A condition has to be a bool, so the error names the type of anything else."""
    if expected in ("bool", "dyn"):
        cel.compile(source, variables=DECLARED, expect_bool=True)
        return
    with pytest.raises(cel.CompileError) as caught:
        cel.compile(source, variables=DECLARED, expect_bool=True)
    assert caught.value.message.endswith((f" a {expected}", f" an {expected}", f" {expected}"))

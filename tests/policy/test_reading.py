"""Bytes to a tree: what YAML and JSON do to people, and what hostile files would do to the guard."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.policy import PolicyError, load
from mcp_guard.policy.tree import MAX_BYTES, MAX_DEPTH
from tests.policy.making import briefly, findings, policy_of, source

HEAD = "version: 1\n"

TRAPS: list[tuple[str, str | bytes, list[str]]] = [
    ("an empty file", "", ["1:1 empty-file"]),
    ("a file of comments", "# nothing\n", ["1:1 empty-file"]),
    ("a null document", "null\n", ["1:1 wrong-type"]),
    ("a list", "- a\n", ["1:1 wrong-type"]),
    ("an open bracket", "version: 1\nrules: [", ["2:9 syntax"]),
    ("a tab for indentation", "version: 1\nrules:\n\t- {name: a, effect: deny}\n", ["3:1 syntax"]),
    ("a colon in an unquoted text", HEAD + "rules:\n  - name: a: b\n    effect: deny\n", ["3:12 syntax"]),
    ("an unquoted star", HEAD + "rules:\n  - {name: a, effect: deny, tools: *}\n", ["3:37 syntax"]),
    ("an alias of nothing", HEAD + "rules: *rules\n", ["2:8 unknown-anchor"]),
    ("an anchor that holds itself", HEAD + "rules: &r [*r]\n", ["2:12 unknown-anchor"]),
    ("a tag", HEAD + "name: !!python/object:os.system x\n", ["2:7 tag"]),
    ("a condition that begins with !", HEAD + "rules:\n  - name: a\n    when: !has(x)\n", ["4:11 tag"]),
    ("two documents", HEAD + "---\nversion: 1\n", ["2:1 several-documents"]),
    ("the same key twice", HEAD + "name: a\nname: b\n", ["3:1 duplicate-key"]),
    (
        "the same key twice in a rule",
        HEAD + "rules:\n  - {name: a, effect: allow, effect: deny}\n",
        ["3:30 duplicate-key"],
    ),
    ("a merge key", HEAD + "x: &x {name: a}\nrules:\n  - <<: *x\n", ["4:5 merge-key"]),
    ("a number for a key", HEAD + "users: {1: {name: a}}\n", ["2:9 key-not-text"]),
    ("a boolean for a key", HEAD + "true: a\n", ["2:1 key-not-text"]),
    ("a list for a key", HEAD + "? [a]\n: b\n", ["2:3 key-not-text"]),
    ("half a surrogate pair", HEAD + 'name: "\\ud800"\n', ["2:10 syntax"]),
    ("a number with a thousand digits", HEAD + f"x: {'9' * 1000}\n", ["2:4 bad-number"]),
    ("a number beyond doubles", HEAD + "x: 1e999\n", ["2:4 bad-number"]),
    ("Latin-1", HEAD.encode() + b"name: caf\xe9\n", ["2:10 encoding"]),
    ("UTF-16", HEAD.encode("utf-16"), ["1:1 encoding"]),
    ("a control character", HEAD + "name: a\x00b\n", ["2:8 syntax"]),
    ("too many bytes", b"#" * (MAX_BYTES + 1), ["1:1 too-large"]),
]


@pytest.mark.parametrize(
    ("text", "found"), [(text, found) for _, text, found in TRAPS], ids=[trap[0] for trap in TRAPS]
)
def test_a_trap_is_refused_at_its_place(text: str | bytes, found: list[str]) -> None:
    assert briefly(text) == found


BOMBS: list[tuple[str, str]] = [
    ("lists in lists", "x: " + "[" * 100_000),
    ("mappings in mappings", "{a: " * 50_000),
    ("blocks in blocks", "".join(" " * depth + "a:\n" for depth in range(300))),
    ("billions of laughs", "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + level)}: &{chr(98 + level)} [{','.join([f'*{chr(97 + level)}'] * 10)}]\n" for level in range(9)
    )),
    ("a chain of aliases, each a level deeper", "a: &a0 [x]\n" + "".join(
        f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 2000)
    )),
    ("a hundred thousand values", "x: [" + "1," * 150_000 + "]"),
]  # fmt: skip


@pytest.mark.parametrize("text", [bomb[1] for bomb in BOMBS], ids=[bomb[0] for bomb in BOMBS])
def test_a_bomb_is_refused_by_its_depth_or_size(text: str) -> None:
    (found,) = findings(text)
    assert found.code in ("too-deep", "too-large", "syntax")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_json_bomb_is_refused_by_its_depth(opening: str) -> None:
    (found,) = findings(opening * 100_000, "policy.json")
    assert found.code == "too-deep"


def test_depth_is_allowed_up_to_the_limit() -> None:
    deep = "[" * (MAX_DEPTH - 5) + "]" * (MAX_DEPTH - 5)
    test = f"  - {{name: t, call: {{server: s, tool: t, args: {{x: {deep}}}}}, expect: deny}}\n"
    assert briefly(HEAD + "rules: [{name: a, effect: deny}]\ntests:\n" + test) == []


LAYOUTS: list[tuple[str, str | bytes]] = [
    ("a byte order mark", "\ufeffversion: 1\nrules: [{name: a, effect: deny}]\n"),
    ("Windows line ends", "version: 1\r\nrules:\r\n  - name: a\r\n    effect: deny\r\n"),
    ("old Macintosh line ends", "version: 1\rrules:\r  - name: a\r    effect: deny\r"),
    ("no line end at the end", "version: 1\nrules: [{name: a, effect: deny}]"),
    ("document marks", "%YAML 1.2\n---\nversion: 1\nrules: [{name: a, effect: deny}]\n...\n"),
    (
        "an alias",
        "version: 1\nrules:\n  - {name: a, effect: deny, tools: &t [x]}\n  - {name: b, effect: deny, tools: *t}\n",
    ),
    ("JSON", '{"version": 1, "rules": [{"name": "a", "effect": "deny"}]}'),
    ("JSON with tabs", '{\n\t"version": 1,\n\t"rules": [{"name": "a", "effect": "deny"}]\n}'),
]


@pytest.mark.parametrize("text", [layout[1] for layout in LAYOUTS], ids=[layout[0] for layout in LAYOUTS])
def test_a_layout_that_is_legal_is_read(text: str) -> None:
    assert policy_of(text).rules[0].id == "a"


PLACES: list[tuple[str, str, str]] = [
    ("after characters beyond ASCII", "version: 1\nname: Grüße 😀\nrulez: []\n", "3:1 unknown-field"),
    ("on a line with characters beyond ASCII", 'version: 1\nsettings: {"grüße 😀": a, x: b}\n', "2:26 unknown-field"),
    ("after Windows line ends", "version: 1\r\n\r\nrulez: []\r\n", "3:1 unknown-field"),
    (
        "after characters that only YAML 1.1 takes for line ends",
        'version: 1\nname: "a\u2028b\u0085c"\nrulez: []\n',
        "3:1 unknown-field",
    ),
]


@pytest.mark.parametrize(("text", "found"), [place[1:] for place in PLACES], ids=[place[0] for place in PLACES])
def test_places_count_as_an_editor_counts(text: str, found: str) -> None:
    assert found in briefly(text)


ARGUMENTS: list[tuple[str, object]] = [
    ("yes", "yes"),
    ("on", "on"),
    ("true", True),
    ("null", None),
    ("~", None),
    ("010", 10),
    ("0o10", 8),
    ("0x1F", 31),
    ("1_000", "1_000"),
    ("1:30", "1:30"),
    ("2026-01-01", "2026-01-01"),
    ("1.5", 1.5),
    ("-1e3", -1000.0),
    (".5", 0.5),
    ("1.", 1.0),
    (".inf", ".inf"),
    ("12345678901234567890", 12345678901234567890),
    ('"1"', "1"),
    ("[a, 'b']", ["a", "b"]),
    ("{a: {b: 1}}", {"a": {"b": 1}}),
]


@pytest.mark.parametrize(("written", "meant"), ARGUMENTS)
def test_a_value_is_read_as_yaml_1_2(written: str, meant: object) -> None:
    text = f"{HEAD}tests:\n  - {{name: t, call: {{server: s, tool: t, args: {{x: {written}}}}}, expect: deny}}\n"
    (test,) = policy_of(text).tests
    assert test.call.arguments["x"] == meant
    assert type(test.call.arguments["x"]) is type(meant)


JSON_TRAPS: list[tuple[str, str, list[str]]] = [
    ("an empty file", " ", ["1:1 empty-file"]),
    ("a comma too many", '{"version": 1,}', ["1:15 syntax"]),
    ("no comma", '{"version": 1 "rules": []}', ["1:15 syntax"]),
    ("no colon", '{"version" 1}', ["1:12 syntax"]),
    ("single quotes", "{'version': 1}", ["1:2 syntax"]),
    ("the same key twice", '{"version": 1, "version": 1}', ["1:16 duplicate-key"]),
    ("something behind the end", '{"version": 1} x', ["1:16 syntax"]),
    ("an open text", '{"name": "a', ["1:10 syntax"]),
    ("a line end in a text", '{"name": "a\nb"}', ["1:12 syntax"]),
    ("not a number", '{"version": NaN}', ["1:13 syntax"]),
    ("a number with a zero before it", '{"version": 01}', ["1:14 syntax"]),
    ("a comment", '{"version": 1} // one', ["1:16 syntax"]),
    ("a list", "[]", ["1:1 wrong-type"]),
    ("an unknown field", '{"version": 1,\n "rulez": []}', ["2:2 unknown-field"]),
]


@pytest.mark.parametrize(("text", "found"), [trap[1:] for trap in JSON_TRAPS], ids=[trap[0] for trap in JSON_TRAPS])
def test_a_trap_in_json_is_refused_at_its_place(text: str, found: list[str]) -> None:
    assert [one for one in briefly(text, "policy.json") if "no-rules" not in one] == found


def test_json_and_yaml_make_the_same_policy() -> None:
    data = {"version": 1, "rules": [{"name": "Smile 😀", "effect": "deny", "tools": ["a", "b"], "message": "\u2028"}]}
    (from_json,) = load([source(json.dumps(data), "policy.json")]).rules
    (from_yaml,) = load([source(json.dumps(data, ensure_ascii=False))]).rules
    assert (from_json.name, from_json.scope, from_json.message) == (from_yaml.name, from_yaml.scope, from_yaml.message)


def test_nothing_to_load_is_an_error_too() -> None:
    with pytest.raises(PolicyError, match="no policy file"):
        load([])


YAMLISH = st.text(st.sampled_from("version: 1\nrules-[]{}&*!|>'\"#%@`,?\t 😀\x85\u2028\ufeff~tagse"), max_size=120)


@settings(max_examples=300, deadline=None)
@given(YAMLISH | st.text(max_size=60) | st.binary(max_size=60), st.sampled_from(["a.yaml", "a.json"]))
def test_whatever_the_bytes_only_a_policy_error_comes_out(text: str | bytes, path: str) -> None:
    given_text = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    with suppress(PolicyError):
        load([source(given_text, path)])


SECTIONS = ["name", "agents", "servers", "users", "rules", "settings", "tests"]
FIELDS = [
    *SECTIONS,
    "id",
    "effect",
    "status",
    "when",
    "tools",
    "tags",
    "clients",
    "call",
    "args",
    "expect",
    "rule",
    "x",
]
WORDS = [
    1,
    2,
    1.5,
    True,
    None,
    "",
    " ",
    "a",
    "tag:a",
    "*",
    "deny",
    "allow",
    "active",
    "request.args.x == 1",
    "A b",
    "same",
]
almost_policies = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries(
        {"version": st.just(1)},
        optional=dict.fromkeys(SECTIONS, almost_policies),
    )
)
def test_whatever_the_fields_hold_only_a_policy_error_comes_out(document: object) -> None:
    with suppress(PolicyError):
        load([source(json.dumps(document), "a.json"), source(json.dumps(document), "b.yaml")])


def entry(*fields: str) -> st.SearchStrategy[object]:
    return st.dictionaries(st.sampled_from(fields), almost_policies, max_size=5)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(entry("id", "name", "effect", "tools", "agents", "when", "status", "x"), max_size=4),
    st.lists(entry("name", "call", "expect", "visibility", "rule", "x"), max_size=3),
    st.dictionaries(
        st.sampled_from(["a", "B", " ", ""]), entry("tags", "clients", "tools", "groups", "name", "x"), max_size=3
    ),
)
def test_whatever_rules_and_tests_hold_only_a_policy_error_comes_out(
    rules: object, tests: object, named: object
) -> None:
    document = {"version": 1, "rules": rules, "tests": tests, "agents": named, "servers": named, "users": named}
    with suppress(PolicyError):
        load([source(json.dumps(document))])


READABLE = [layout[1] for layout in LAYOUTS if layout[0] != "JSON with tabs"]  # tabs between tokens: libyaml alone


@pytest.mark.parametrize("text", READABLE)
def test_without_the_c_library_the_same_is_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = policy_of(text).rules
    monkeypatch.delattr("yaml.CSafeLoader")
    assert policy_of(text).rules[0].place == with_it[0].place


@pytest.mark.parametrize("text", [trap[1] for trap in TRAPS] + [bomb[1] for bomb in BOMBS])
def test_without_the_c_library_the_same_is_refused(text: str | bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = {found.code for found in findings(text)}
    monkeypatch.delattr("yaml.CSafeLoader")
    assert {found.code for found in findings(text)} == with_it

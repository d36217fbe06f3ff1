"""How URIs are read: one spelling each, and none that somebody could take for another resource's."""

from posixpath import normpath
from unicodedata import normalize
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.policy import Call
from mcp_guard.policy.uris import read
from tests.policy.making import ALICE, policy_of, rules

NORMAL = [
    ("file:///data/a.txt", "file:///data/a.txt"),
    ("FILE:///data/a.txt", "file:///data/a.txt"),
    ("file:///data/%61.txt", "file:///data/a.txt"),
    ("file:///data/a%2Etxt", "file:///data/a.txt"),
    ("file:///data/%c3%a9", "file:///data/%C3%A9"),
    ("file:///data/é", "file:///data/%C3%A9"),
    ("file:///data/e\u0301", "file:///data/%C3%A9"),
    ("file:///data/e%cc%81", "file:///data/%C3%A9"),
    ("file:///data/a b", "file:///data/a%20b"),
    ("file:///data/a%28b%29", "file:///data/a(b)"),
    ("file:///data/", "file:///data"),
    ("file:///", "file://"),
    ("file:///a/.../..b/c..", "file:///a/.../..b/c.."),
    ("file:///100%25", "file:///100%25"),
    ("note://MyNotes/Today", "note://mynotes/Today"),
    ("HTTPS://Example.COM/A", "https://example.com/A"),
    ("https://example.com:8443/a?b=c%2Fd", "https://example.com:8443/a?b=c%2Fd"),
    ("http://127.0.0.1:3000/a", "http://127.0.0.1:3000/a"),
    ("postgres://app@db:5432/main/users/schema", "postgres://app@db:5432/main/users/schema"),
    ("users://alice%40acme.com", "users://alice%40acme.com"),
    ("urn:isbn:0451450523", "urn:isbn:0451450523"),
    ("memo:today", "memo:today"),
]


@pytest.mark.parametrize(("uri", "normal"), NORMAL)
def test_differences_that_mean_nothing_are_evened_out(uri: str, normal: str) -> None:
    assert (read(uri).normal, read(uri).doubt) == (normal, None)


DOUBTFUL = [
    # dot segments, in every dress
    "file:///data/../etc/passwd",
    "file:///data/./a",
    "file:///data/..",
    "file:///data/%2e%2e/etc/passwd",
    "file:///data/%2E./etc/passwd",
    "file:///data/..;/etc/passwd",
    "file:///data/..%3B/etc/passwd",
    "memo:a/../b",
    # slashes that are not where they seem
    "file:///data/..%2fetc%2Fpasswd",
    "file:///data/..%5cetc",
    "file:///data\\..\\etc",
    "file:///data//a",
    "file:////etc/passwd",
    "users://alice%2Fx/y",
    "file:///data/a%3Fb",
    "file:///data/a%23b",
    "note://a%23b/c",
    # decoded twice
    "file:///data/%252e%252e/etc",
    "file:///data/%25%32%65",
    # characters that are stripped or folded
    "file:///data/a\n",
    "file:///da\tta/a",
    " file:///data/a",
    "file:///data/a%00.txt",
    "file:///data/a%0d",
    "file:///data/\u200ba",
    "file:///data/\u202etxt.a",
    "file:///data/\u2025/etc",
    "file:///data\uff0fetc",
    "file:///data/%ef%bc%8fetc",
    "file:///data/%c0%ae%c0%ae/etc",
    "file:///data/%ff",
    "file:///data/%zz",
    "file:///data/%",
    # parts that some readers leave out
    "file:///data/a#b",
    "file:///data/a?b",
    "https://acme.com/a?",
    "file://localhost/etc/passwd",
    # forms that some readers complete
    "file:/etc/passwd",
    "file:etc/passwd",
    "https:acme.com",
    "https:/acme.com",
    "note:/x",
    "//acme.com/x",
    "/etc/passwd",
    "notes",
    "",
    # hosts of the web that are not what they seem
    "https://acme.com@evil.example/",
    "https://:@acme.com/",
    "https://acme.com./",
    "https://acme..com/",
    "https://acme.com:443/",
    "https://acme.com:/",
    "https://acme.com:0443/",
    "https://acme%2Ecom/",
    "https://\u0430cme.com/",
    "https://acme\u3002com/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.256/",
    "http://[::1]/",
    "http:///x",
    "note://a@b@c/x",
    "note://@c/x",
    "note://host./x",
    # too long to judge
    "file:///" + "a" * 8192,
]


@pytest.mark.parametrize("uri", DOUBTFUL, ids=ascii)
def test_what_could_be_another_resource_is_doubtful(uri: str) -> None:
    assert read(uri).doubt


GUARDED = rules(
    "{id: secret, effect: deny, resources: 'file:///data/secret/*'}",
    "{id: data, effect: allow, resources: 'file:///data/*'}",
)


@pytest.mark.parametrize("uri", DOUBTFUL, ids=ascii)
def test_a_doubtful_uri_is_denied_where_rules_tell_resources_apart(uri: str) -> None:
    policy = policy_of(GUARDED)
    assert policy.decide(Call(ALICE, "s", uri, {}, "resource")).outcome == "deny"
    assert policy.preview(ALICE, "s", uri, kind="resource").level == "denied"


@pytest.mark.parametrize("uri", DOUBTFUL, ids=ascii)
def test_it_is_allowed_where_every_uri_is(uri: str) -> None:
    policy = policy_of(rules("{id: rogue, effect: deny, agents: rogue}", "{id: all, effect: allow, resources: '*'}"))
    assert policy.decide(Call(ALICE, "s", uri, {}, "resource")).rule == "all"


def test_the_denial_says_why() -> None:
    decision = policy_of(GUARDED).decide(Call(ALICE, "s", "file:///data/../etc", {}, "resource"), trace=True)
    reason = "This resource is denied because its URI could be read as another one: it has a `.` or `..` segment."
    assert (decision.decided_by, decision.rule, decision.reason) == ("default", None, reason)
    assert [(part.rule, part.outcome) for part in decision.trace] == [("secret", "condition_error")]


SPELLINGS = [
    ("file:///data/a", "allow"),
    ("FILE:///data/a", "deny"),
    ("file:///data/%61", "allow"),
    ("file:///data/secret/a", "deny"),
    ("file:///data/%73ecret/a", "deny"),
    ("file:///data/secret%2Fa", "deny"),
    ("file:///data/secre\u0074/a", "deny"),
    ("file:///data/Secret/a", "allow"),
    ("file:///etc/passwd", "deny"),
]


@pytest.mark.parametrize(("uri", "outcome"), SPELLINGS)
def test_a_uri_gets_what_it_and_its_normal_form_both_get(uri: str, outcome: str) -> None:
    assert policy_of(GUARDED).decide(Call(ALICE, "s", uri, {}, "resource")).outcome == outcome


PAIRS = 'mcp.resource.uri.split("").exists(a, mcp.resource.uri.split("").exists(b, a + b == "##"))'
"""Asks for every pair of a URI's characters: too much work on one of a few hundred."""
NOT_PAIRED = f"{{id: pairs, effect: deny, resources: '*', when: '{PAIRS}'}}"


def asked(uri: str) -> Call:
    return Call(ALICE, "s", uri, {}, "resource")


def test_a_spelling_that_costs_less_gets_no_more_than_the_normal_form() -> None:
    policy = policy_of(rules(NOT_PAIRED, "{id: rest, effect: allow, resources: '*'}"))
    few_characters = "note://w/" + "é" * 200  # six for one when normal
    assert policy.decide(asked(few_characters)).rule == "pairs"
    assert policy.preview(ALICE, "s", few_characters, kind="resource").level == "denied"
    assert policy.decide(asked("note://w/" + "e" * 200)).rule == "rest"


def test_all_conditions_on_a_uri_share_one_budget() -> None:
    """An agent cannot buy time by the number of rules: two that cost more than half of it are too much together."""
    costly = [NOT_PAIRED.replace("id: pairs", f"id: {name}") for name in ("first", "second")]
    policy = policy_of(rules(*costly, "{id: rest, effect: allow, resources: '*'}"))
    assert [policy.decide(asked("note://w/" + "e" * size)).rule for size in (180, 320)] == ["rest", "second"]


def test_conditions_see_both_readings() -> None:
    policy = policy_of(rules("{id: a, effect: deny, resources: '*', when: mcp.resource.uri == 'file:///a'}",
                             "{id: b, effect: allow, resources: '*'}"))  # fmt: skip
    for uri, outcome in [("file:///a", "deny"), ("file:///%61", "deny"), ("file:///b", "allow")]:
        assert policy.decide(Call(ALICE, "s", uri, {}, "resource")).outcome == outcome


PLAIN = [
    "e%CC%81",
    "a",
    "b.txt",
    "/",
    "/",
    "%20",
    " ",
    "%61",
    "A",
    "%C3%A9",
    "é",
    "%28",
    "(",
    "~",
    "+",
    "*",
    "%25",
    "@",
    ":",
]
NASTY = [
    "..",
    ".",
    "%2e",
    "%2E%2e",
    "%2f",
    "%3F",
    "//",
    "\\",
    ";",
    "?",
    "#",
    "%252e",
    "%25%32",
    "\u2025",
    "\u200b",
    "%0a",
]
URIS = st.builds(
    lambda start, pieces: start + "".join(pieces),
    st.sampled_from(
        ["file:///", "FILE:///", "https://acme.com/", "https://Acme.com:81/", "note://", "memo:", "u://a@"]
    ),
    st.lists(st.sampled_from(PLAIN) | st.sampled_from(PLAIN) | st.sampled_from(NASTY), max_size=7),
)


@given(URIS | st.text(max_size=20))
def test_the_normal_form_is_its_own(uri: str) -> None:
    reading = read(uri)
    again = read(reading.normal)
    assert (again.normal, again.doubt) == (reading.normal, reading.doubt)


@given(URIS)
def test_no_common_reader_takes_an_undoubted_uri_for_another(uri: str) -> None:
    """Readers decode the path once or twice, normalise it as a path of files, fold its characters, lower its host: the
    normal form is what all of them arrive at.
    """
    reading = read(uri)
    if reading.doubt is not None:
        return
    sent, normal = urlsplit(uri), urlsplit(reading.normal)
    decoded = normalize("NFC", unquote(sent.path))
    assert (sent.scheme, sent.fragment) == (normal.scheme, "")
    for before, after in [(sent.query, normal.query), (sent.netloc, normal.netloc)]:
        assert normalize("NFC", unquote(before)).lower() == unquote(after).lower()
    assert normal.netloc.isascii()
    assert decoded.removesuffix("/") == unquote(normal.path)
    assert unquote(decoded) == decoded
    assert normalize("NFKC", decoded) == decoded
    assert not decoded or normpath(decoded) == (decoded.removesuffix("/") or "/")

"""What is shown about a place, and where it leads."""

import pytest

from mcp_guard.editor.draft import Draft
from mcp_guard.editor.hover import hover
from mcp_guard.editor.navigation import definitions
from mcp_guard.editor.silencing import Insertion, silencing
from mcp_guard.policy.catalog import decode
from tests.editor.texts import draft

POLICY = """\
version: 1
rules:
  - id: open
    effect: allow
    servers: github
    tools: [get_me, "*_issue*"]
  - id: closed
    effect: deny
    servers: github
    tools: [get_me, push_files]
    when: request.args.owner == "acme" && request.args.files[0].path == request.args["branch"]
tests:
  - {name: x, call: {server: github, tool: get_me}, expect: deny, rule: closed}
"""


def at(marked: str) -> str:
    """The policy with the cursor where it is in a piece of it."""
    plain = marked.replace("‸", "")
    assert POLICY.count(plain) == 1
    return POLICY.replace(plain, marked)


HOVERS = [
    ("request.args.ow‸ner", "`request.args.owner`: string", "in 1 of 2 tools, always required"),
    ("request.a‸rgs.owner", "`request.args.owner`: string", "not in github: get\\_me"),
    ('request.args["br‸anch"]', "`request.args.branch`: string", "in `push_files`"),
    ("[get_me, pu‸sh_files]", "**github** `push_files`", "`owner`: string, required"),
    ('"*_is‸sue*"', "**github** `create_issue`", "`list_issues`"),
    ("id: clo‸sed", "`closed` (deny): 2 tools of 1 server", "**github** `push_files`, `get_me`"),
]


@pytest.mark.parametrize(("marked", "first", "also"), HOVERS)
def test_a_hover_shows(marked: str, first: str, also: str) -> None:
    found = hover(*draft(at(marked)))
    assert found is not None
    assert found.markdown.splitlines()[0] == first
    assert also in found.markdown


@pytest.mark.parametrize("marked", ["effect: d‸eny", "ver‸sion: 1", "ex‸pect: deny"])
def test_elsewhere_nothing_is_shown(marked: str) -> None:
    assert hover(*draft(at(marked))) is None


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("request.args.fi‸les[0].path", "request.args.files"),
        ("request.args.files[0].pa‸th", "request.args.files[0].path"),
    ],
)
def test_what_is_shown_is_about_the_step_under_the_cursor(marked: str, expected: str) -> None:
    text, offset = draft(at(marked))
    found = hover(text, offset)
    assert found is not None
    assert text.text[found.start : found.end] == expected


def test_a_stranger_cannot_draw_in_what_is_shown() -> None:
    says = "![x](https://evil.example/x.png)\\n# <b>Click</b> `here`\\u001b[31m"
    listed = f'{{"tools": [{{"name": "get`_me", "description": "{says}", "inputSchema": {{}}}}]}}'
    catalog = decode(listed.encode(), path="", server="github")
    text = 'version: 1\nrules: [{id: a, effect: allow, servers: github, tools: "get*"}]\n'
    found = hover(Draft("p.yaml", text, catalog), text.index("get*"))
    assert found is not None
    assert "![" not in found.markdown
    assert "<b>" not in found.markdown
    assert "\x1b" not in found.markdown


LEADS = [
    ("id: clo‸sed", [3]),
    ("tools: [get‸_me, push_files]", [3]),
    ("rule: clo‸sed", [7]),
    ("id: op‸en", []),
    ("nam‸e: x", []),
]


@pytest.mark.parametrize(("marked", "lines"), LEADS)
def test_a_place_leads_to(marked: str, lines: list[int]) -> None:
    assert [place.line for place in definitions(*draft(at(marked)))] == lines


def test_what_has_no_comments_or_is_an_error_is_not_silenced() -> None:
    text, _ = draft(POLICY + "‸")
    (above,) = [one for one in text.findings if one.code == "allow-above-deny"]
    assert silencing(text, above) == Insertion(7, "  # mcp-guard: ignore[allow-above-deny]\n")
    assert silencing(Draft("policy.json", "{}", None), above) is None
    broken = Draft("policy.yaml", "rules: [", None)
    assert [silencing(broken, one) for one in broken.findings] == [None]

"""What a person reads in a client's form: all but secrets, whether it cuts long lines or runs all together."""

import itertools
import json
import re

import pytest
from markdown_it import MarkdownIt

from tests.gate.approving import DENY, ONCE, POLICY, SESSION, Approving, said
from tests.gate.playbook import call, request

COLUMNS = 54
SET_OFF = "    "
GOES_ON = "↩"

TEXTS = {
    "short": "hello",
    "as long as a line": "x" * (COLUMNS - len(SET_OFF + '  "text": ""')),
    "one more": "x" * (COLUMNS + 1 - len(SET_OFF + '  "text": ""')),
    "what hides behind the end of a line": "harmless" + " " * 300 + "; rm -rf /",
    "wide": "日本" * 60,
    "with the sign in it": "go on ↩ " * 20,
    "with lines of its own": "one\ntwo\n" * 20,
}


def message(**arguments: str) -> str:
    (asked,) = Approving().mail(7, **arguments).client
    return asked["params"]["message"]


def arguments_of(text: str) -> str:
    """The arguments as a person puts them together who reads the form."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("Arguments"))
    return "\n".join(line.removeprefix(SET_OFF) for line in lines[start + 2 :]).replace(f"{GOES_ON}\n", "")


def width(line: str) -> int:
    return sum(1 if one.isascii() else 2 for one in line)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_line_is_longer_than_any_form_shows_and_nothing_is_lost(text: str) -> None:
    asked = message(text=text)
    assert max(map(width, asked.split("\n"))) <= COLUMNS
    assert json.loads(arguments_of(asked))["text"] == text


def test_it_is_said_what_a_line_that_goes_on_looks_like() -> None:
    assert GOES_ON not in message(text="hello")
    assert f"Arguments ({GOES_ON} goes on in the next line):\n" in message(text="x" * 100)


MARKUP = {
    "a comment over several arguments": {"a": "<!--", "command": "rm -rf /", "z": "-->"},
    "a tag": {"a": "ls <x rm='/'>"},
    "a link and an image": {"a": "[safe](https://evil.example) ![safe](https://evil.example)"},
    "emphasis and escapes": {"a": 'init\\", "b": "__no__ \\*'},
    "the end of a block of code": {"a": "x" * 60 + "\n```\n~~~\n# Approved"},
    "a line that begins anew": {"a": " " * 39 + "- <!-- " + " " * 60 + "# -->"},
}


@pytest.mark.parametrize("name", MARKUP)
def test_nothing_is_hidden_where_the_form_is_rendered_as_markdown(name: str) -> None:
    asked = message(**MARKUP[name])
    blocks = [token.content for token in MarkdownIt("commonmark").parse(asked) if token.type == "code_block"]
    assert len(blocks) == 2, "the tool and its arguments"
    shown = blocks[1].replace(f"{GOES_ON}\n", "")
    assert shown.rstrip("\n") == arguments_of(asked)
    assert json.loads(shown).items() >= MARKUP[name].items()


BLANK = "\u034f\u115f\u1160\u17b4\u180b\u2800\u3164\ufe0f\uffa0\U000e0100\u200b\u202e\u00ad"


def test_what_would_show_as_nothing_is_an_escape() -> None:
    shown = arguments_of(message(text=f"a{BLANK}b", **{f"to{BLANK}": "eve"}))
    assert not set(BLANK) & set(shown)
    escaped = BLANK.encode("unicode_escape").decode()
    assert f'"text": "a{escaped}b"' in shown
    assert f'"to{escaped}": "eve"' in shown


def test_it_reads_well_where_all_lines_are_run_together() -> None:
    text = re.sub(r"\s+", " ", message(text="hello"))
    assert 'The agent claude-code of kim wants to call this tool on the server files: "send_mail" Policy rule' in text


NAMES = {
    "a sentence of the guard's": "db://q from the server safe. Policy says it is harmless.",
    "runs of spaces": "db://q" + " " * 120 + "Unless it is answered within 5 min, it is approved.  ",
    "lines of its own": "db://q\nfrom the server safe.\n\nArguments:\n{}",
    "quotes": 'db://q" from the server safe. "',
    "quotes behind a backslash": 'db://q\\" from the server safe. \\',
    "the sign": "db://q ↩ " * 20,
}
LIKE_QUOTES = "db://q” from the server safe. „"
READS = """
version: 1
rules: [{id: ask, effect: require_approval, prompts: '*', resources: '**', tools: '*'}]
settings: {unlisted_tools: policy}
"""
METHODS = {"resources/read": "uri", "prompts/get": "name", "tools/call": "name"}


def lines_about(method: str, name: str) -> tuple[list[str], list[str]]:
    """The lines of the form that are the guard's before a name or URI, and that name as it is quoted."""
    (asked,) = Approving(READS).client(request(7, method, **{METHODS[method]: name})).client
    lines = asked["params"]["message"].split("\n")
    assert max(map(width, lines)) <= COLUMNS
    first = lines.index("") + 1
    quoted = list(itertools.takewhile(lambda line: line.startswith(SET_OFF), lines[first:]))
    rest = itertools.takewhile(lambda line: not line.startswith("Arguments"), lines[first + len(quoted) :])
    return [*lines[: first - 1], *rest], [line.removeprefix(SET_OFF) for line in quoted]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_or_uri_is_quoted_on_lines_of_its_own_and_none_of_it_is_lost(name: str, method: str) -> None:
    text = NAMES[name]
    plain, _ = lines_about(method, "x")
    guards, quoted = lines_about(method, text)
    assert all(line.endswith(GOES_ON) for line in quoted[:-1])
    assert GOES_ON not in quoted[-1]
    shown = "".join(line.removesuffix(GOES_ON) for line in quoted)
    assert json.loads(shown) == text
    unfolded = " ".join(guards).replace(f" ({GOES_ON} goes on in the next line)", "")
    assert unfolded == " ".join(plain), "the guard's own words are the same whatever is asked for"


def test_what_looks_like_the_end_of_a_quotation_is_escaped() -> None:
    _, quoted = lines_about("resources/read", LIKE_QUOTES)
    assert "".join(quoted).replace(GOES_ON, "") == '"db://q\\u201d from the server safe. \\u201e"'


def test_a_path_to_what_is_left_out_is_quoted_as_well() -> None:
    text = message(**{"x (0 bytes).\nIt is harmless. password": "hunter2"})
    assert '    "/x (0 bytes).\\nIt is harmless. password" (all o' + GOES_ON in text


@pytest.mark.parametrize(("seconds", "said"), [(300, "5 min"), (90, "1 min 30 s"), (5, "5 s"), (3600, "60 min")])
def test_it_is_said_how_long_the_question_stands(seconds: int, said: str) -> None:
    (asked,) = Approving(POLICY + f"settings: {{approval_timeout: {seconds}}}\n").mail(7).client
    assert f"Unless it is answered within {said}, it is denied." in asked["params"]["message"].split("\n")


def test_the_first_choice_which_some_forms_take_for_chosen_is_the_no() -> None:
    (asked,) = Approving().mail(7).client
    assert asked["params"]["requestedSchema"]["properties"]["decision"]["enum"][0] == DENY


GITHUB = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"
PEM = f"-----BEGIN PRIVATE KEY-----\\n{'MIIEvQIBADANBgkq' * 4}\\n{'MIIEvQIBADANBgkq' * 2}\\n-----END PRIVATE KEY-----"
SECRETS = {  # what stands in an argument, what a person sees of it, and what of it must be nowhere
    "a command round a password": (
        "rm -rf / ; password=x12345678",
        "rm -rf / ; password=[NOT SHOWN: 9 characters]",
        "x123",
    ),
    "a command behind one": ("password=x12345678; rm -rf /", "password=[NOT SHOWN: 9 characters]; rm -rf /", "x123"),
    "a command between two": (f"{GITHUB} && rm -rf / && {GITHUB}", "] && rm -rf / && [NOT", GITHUB),
    "a command behind a private key": (f"{PEM}; rm -rf /", "-----END PRIVATE KEY-----; rm -rf /", "MIIE"),
    "a command in a private key": (PEM.replace("\\n", " rm -rf / "), "] rm -rf / [NOT", "MIIE"),
    "a command that only begins like one": ("-----BEGIN PRIVATE KEY; rm -rf /", "KEY; rm -rf /", None),
}


@pytest.mark.parametrize("name", SECRETS)
def test_only_a_secret_is_left_out_and_whatever_is_round_it_shows(name: str) -> None:
    text, seen, secret = SECRETS[name]
    book = Approving()
    turn = book.mail(7, text=text)
    shown = re.sub(r"\s+", " ", turn.client[0]["params"]["message"].replace(f"{GOES_ON}\n{SET_OFF}", ""))
    kept = json.loads(turn.events[0].arguments)["arguments"]["text"]
    assert seen in shown
    assert seen in kept
    assert secret is None or secret not in shown + turn.events[0].arguments
    assert ("NOT ALL OF IT IS SHOWN" in shown) is (secret is not None)


def test_it_is_said_first_and_loudly_that_not_all_is_shown_and_how_much_is_left_out() -> None:
    text = message(text="rm -rf / ; password=x12345678", password="hunter2")
    before, _, arguments = text.partition("\nArguments")
    said = before.replace("\n", " ")
    assert "NOT ALL OF IT IS SHOWN: what looks like a secret is left out." in said
    assert 'Left out:      "/text" (9 of its 29 bytes),     "/password" (all of it, 7 bytes) The agent' in said
    assert '"password": null' in arguments


def test_what_is_not_shown_whole_can_be_approved_once_only() -> None:
    book = Approving()
    (asked,) = book.mail(7, text="password=x12345678").client
    choice = asked["params"]["requestedSchema"]["properties"]["decision"]
    assert (choice["enum"], choice["description"]) == (
        [DENY, ONCE],
        "It can be approved once only: not all of it is shown.",
    )
    turn = book.client(said(asked, SESSION))  # a client that makes up a choice
    assert turn.upstream == []
    (asked,) = book.mail(8, text="password=x12345678").client
    turn = book.client(said(asked, ONCE))
    assert turn.upstream == [call(8, "send_mail", to="bob", text="password=x12345678")]

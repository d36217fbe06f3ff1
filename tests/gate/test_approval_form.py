"""What a person reads in a client's form: also where the form cuts long lines, or runs all lines together."""

import json
import re

import pytest

from tests.gate.approving import DENY, POLICY, Approving

COLUMNS = 54
GOES_ON = "↩"

TEXTS = {
    "short": "hello",
    "as long as a line": "x" * (COLUMNS - len('  "text": ""')),
    "one more": "x" * (COLUMNS + 1 - len('  "text": ""')),
    "what hides behind the end of a line": "harmless" + " " * 300 + "; rm -rf /",
    "wide": "日本" * 60,
    "with the sign in it": "go on ↩ " * 20,
    "with lines of its own": "one\ntwo\n" * 20,
}


def message(**arguments: str) -> str:
    (asked,) = Approving().mail(7, **arguments).client
    return asked["params"]["message"]


def width(line: str) -> int:
    return sum(1 if one.isascii() else 2 for one in line)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_line_is_longer_than_any_form_shows_and_nothing_is_lost(text: str) -> None:
    lines = message(text=text).split("\n")
    assert max(map(width, lines)) <= COLUMNS
    start = next(number for number, line in enumerate(lines) if line.startswith("Arguments"))
    shown = "\n".join(lines[start + 1 :]).replace(f"{GOES_ON}\n", "")
    assert json.loads(shown)["text"] == text


def test_it_is_said_what_a_line_that_goes_on_looks_like() -> None:
    assert GOES_ON not in message(text="hello")
    assert f"Arguments ({GOES_ON} goes on in the next line):\n" in message(text="x" * 100)


def test_it_reads_well_where_all_lines_are_run_together() -> None:
    text = re.sub(r"\s+", " ", message(text="hello"))
    assert "The agent claude-code of kim wants to call send_mail on the server files. Policy rule" in text


@pytest.mark.parametrize(("seconds", "said"), [(300, "5 min"), (90, "1 min 30 s"), (5, "5 s"), (3600, "60 min")])
def test_it_is_said_how_long_the_question_stands(seconds: int, said: str) -> None:
    (asked,) = Approving(POLICY + f"settings: {{approval_timeout: {seconds}}}\n").mail(7).client
    assert f"Unless it is answered within {said}, it is denied." in asked["params"]["message"].split("\n")


def test_the_first_choice_which_some_forms_take_for_chosen_is_the_no() -> None:
    (asked,) = Approving().mail(7).client
    assert asked["params"]["requestedSchema"]["properties"]["decision"]["enum"][0] == DENY

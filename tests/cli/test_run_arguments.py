"""The two readings of `run`'s arguments: the quick one and the full one agree, or the quick one leaves it alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from mcp_guard.cli import run as run_module
from mcp_guard.cli.guard import server_slug
from mcp_guard.cli.run_arguments import CHOICES, NUMBERS, REPEATED, TEXTS, RunArguments, parse

FULL = get_command(run_module.app)
OPTIONS = {option for parameter in FULL.params for option in parameter.opts if option.startswith("--")} - {"--help"}


def read_in_full(words: list[str], monkeypatch: pytest.MonkeyPatch) -> RunArguments | None:
    """What the full command line makes of the words, or None where it refuses them."""
    taken: list[RunArguments] = []
    monkeypatch.setattr(run_module, "start", lambda arguments: taken.append(arguments) or 0)
    try:
        FULL.main(words, standalone_mode=False)
    except SystemExit:
        return taken[0]
    except Exception:
        return None
    return None


def test_both_know_the_same_options():
    assert {*REPEATED, *TEXTS, *CHOICES, *NUMBERS} == OPTIONS


VALUES = st.sampled_from(
    ["a", "x.yaml", "-x", "--", "--db", "5", "0", "-1", "007", "٣", "enforce", "observe", "full", "", "a b"]
)
WORDS = st.lists(st.tuples(st.sampled_from([*sorted(OPTIONS), "--bogus", "stray", "-h"]), VALUES), max_size=4).map(
    lambda pairs: [word for pair in pairs for word in pair]
)


@given(WORDS, st.lists(VALUES, max_size=3))
def test_what_the_quick_reading_understands_the_full_one_reads_alike(options, command):
    words = [*options, "--", *command]
    quick = parse(words)
    if quick is not None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            assert quick == read_in_full(words, monkeypatch)


def test_the_quick_reading_understands_the_usual_form():
    words = "--policy a --policy b --server s --agent g --user u --group x --group y --db d --mode observe --retain 30"
    more = "--audit-arguments hashed --max-message 8 -- npx -y server -- x"
    command = ("npx", "-y", "server", "--", "x")
    expected = RunArguments(("a", "b"), "s", "g", "u", ("x", "y"), "d", "observe", 30, "hashed", 8, command)
    assert parse([*words.split(), *more.split()]) == expected


OTHER_FORMS = ("", "--help", "--policy a", "--policy -- cat", "--mode sometimes -- cat", "--", "--db a --db b -- cat")


@pytest.mark.parametrize("words", OTHER_FORMS)
def test_the_quick_reading_leaves_everything_else_to_the_full_one(words):
    assert parse(words.split()) is None


SLUGS = [
    ("npx -y @modelcontextprotocol/server-filesystem /data", "filesystem"),
    ("npx -y @modelcontextprotocol/server-everything@2026.1.1 stdio", "everything"),
    ("uvx mcp-server-git --repository /r", "git"),
    ("uv tool run mcp-server-fetch", "fetch"),
    ("python -m mcp_server_time", "time"),
    ("/usr/local/bin/github-mcp-server stdio", "github"),
    ("node ./dist/index.js", "index"),
    ("python3 /srv/My~Tool.py", "my-tool"),
    ("server", "server"),
    ("mcp-", "mcp"),
    ("/", "server"),
]


@pytest.mark.parametrize(("command", "slug"), SLUGS)
def test_a_server_without_a_slug_gets_one_from_its_command(command, slug):
    assert server_slug(tuple(command.split())) == slug

"""Tokens of `serve`: what a file may hold, and that no error and no credential quotes one."""

from pathlib import Path

import pytest

from mcp_guard.cli.bearer_tokens import is_exposed, read_tokens
from mcp_guard.errors import GuardError
from mcp_guard.transports.http_server.access import digest_of

FILE = """\
# the token of the house

aaaaaaaaaaaaaaaaaaaa
bbbbbbbbbbbbbbbbbbbb user=bob group=staff group=admins
  cccccccccccccccccccc agent=ci-bot user=ci@acme.com
"""


def test_each_line_is_a_token_and_what_it_proves(tmp_path: Path):
    file = tmp_path / "tokens"
    file.write_text(FILE)
    first, second, third = read_tokens(str(file), None, {})
    assert [first.name, second.name, third.name] == ["token 3", "token 4", "token 5"]
    assert (first.user, first.agent, first.groups) == (None, None, ())
    assert (second.user, second.groups) == ("bob", ("staff", "admins"))
    assert (third.user, third.agent) == ("ci@acme.com", "ci-bot")
    assert second.digest == digest_of("b" * 20)
    assert "bbbb" not in repr(second)


def test_a_token_may_be_one_of_the_api(tmp_path: Path):
    file = tmp_path / "tokens"
    file.write_text("aaaaaaaaaaaaaaaaaaaa role=auditor\nbbbbbbbbbbbbbbbbbbbb role=security user=ann\n")
    auditor, security = read_tokens(str(file), None, {})
    assert (auditor.role, security.role, security.user) == ("auditor", "security", "ann")


def test_a_token_of_the_environment_is_one_more(tmp_path: Path):
    file = tmp_path / "tokens"
    file.write_text("a" * 20)
    found = read_tokens(str(file), "TOKEN", {"TOKEN": f" {'z' * 20}\n"})
    assert [credential.digest for credential in found] == [digest_of("a" * 20), digest_of("z" * 20)]


SECRET = "sssssssssssssssssssss"
WRONG = [
    ("nothing", "\n# nothing\n", "holds no token"),
    ("too short", "short", "1: the token is shorter"),
    ("beyond ASCII", "ü" * 20, "not plain ASCII"),
    ("twice", f"{SECRET}\n{SECRET} user=x\n", "stands there twice"),
    ("an unknown fact", f"{SECRET} rank=admin", "1: the token is followed by what is not"),
    ("an unknown role", f"{SECRET} role=admin", "1: the token has a role that there is not"),
    ("a role for a client", f"{SECRET} role=security agent=cursor", "1: the token has a role, so it is no client's"),
    ("a fact without a value", f"{SECRET} user=", "1: the token is followed by what is not"),
    ("an agent that none can be", f"{SECRET} agent=Cursor", "1: the token is followed by an agent=SLUG that is none"),
    ("two users", f"{SECRET} user=a user=b", "1: the token is followed by what is not"),
    ("a token of two words", f"{SECRET} {SECRET}", "1: the token is followed by what is not"),
]


@pytest.mark.parametrize(("what", "text", "says"), WRONG, ids=[case[0] for case in WRONG])
def test_what_is_wrong_with_a_file_is_said_without_any_of_it(tmp_path: Path, what: str, text: str, says: str):
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(GuardError) as error:
        read_tokens(str(file), None, {})
    assert says in error.value.message
    assert SECRET not in error.value.message + error.value.hint


def test_a_file_that_others_may_read_is_noticed(tmp_path: Path):
    file = tmp_path / "tokens"
    file.write_text("a" * 20)
    file.chmod(0o600)
    assert not is_exposed(str(file))
    file.chmod(0o640)
    assert is_exposed(str(file))

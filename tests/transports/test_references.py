"""References in configured texts: what stands for them, and that nothing that cannot be resolved passes for empty."""

from pathlib import Path

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.transports.references import MOST, resolve, resolve_remote


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCP_TEST_TOKEN", "t0ken")
    monkeypatch.delenv("MCP_TEST_MISSING", raising=False)
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    return file


TEXTS = [
    ("plain", "plain"),
    ("Bearer ${MCP_TEST_TOKEN}", "Bearer t0ken"),
    ("${env:MCP_TEST_TOKEN}", "t0ken"),
    ("${MCP_TEST_TOKEN}${MCP_TEST_TOKEN}", "t0kent0ken"),
    ("${file:SECRET}", "s3cret"),
    ("a $$ b $${MCP_TEST_TOKEN}", "a $ b ${MCP_TEST_TOKEN}"),
    ("$MCP_TEST_TOKEN", "$MCP_TEST_TOKEN"),
    ("5$", "5$"),
    ("-w %{MCP_TEST_TOKEN} 100%", "-w %{MCP_TEST_TOKEN} 100%"),
]


@pytest.mark.parametrize(("text", "value"), TEXTS)
def test_a_reference_stands_for_what_it_names(text: str, value: str, secret: Path) -> None:
    assert resolve(text.replace("SECRET", str(secret)), "here") == value


def test_what_a_reference_stands_for_is_not_read_again(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_TEST_TOKEN", "${file:/etc/passwd}")
    assert resolve("${MCP_TEST_TOKEN}", "here") == "${file:/etc/passwd}"


REMOTE_TEXTS = [
    ("Bearer %{MCP_TEST_TOKEN}", "Bearer t0ken"),
    ("Bearer ${MCP_TEST_TOKEN}", "Bearer t0ken"),
    ("%{file:SECRET}", "s3cret"),
    ("a %%{MCP_TEST_TOKEN} $$ 5%% %7B", "a %{MCP_TEST_TOKEN} $ 5%% %7B"),
]


@pytest.mark.parametrize(("text", "value"), REMOTE_TEXTS)
def test_for_a_remote_server_a_reference_may_be_written_so_that_no_client_replaces_it(
    text: str, value: str, secret: Path
) -> None:
    assert resolve_remote(text.replace("SECRET", str(secret)), "here") == value


FAULTS = [
    ("${MCP_TEST_MISSING}", "the environment variable MCP_TEST_MISSING is not set"),
    ("${}", "refers to nothing"),
    ("${a b}", "refers to nothing"),
    ("${file:/no/such/file}", "cannot read '/no/such/file': No such file or directory"),
    ("${file:}", "cannot read ''"),
    ("${file:/etc/\x00}", "cannot read"),
    ("${file:/dev/zero}", f"holds more than {MOST} bytes"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_a_reference_that_leads_nowhere_is_an_error_that_says_where_it_was(
    text: str, message: str, secret: Path
) -> None:
    with pytest.raises(GuardError, match="here") as raised:
        resolve(text, "here")
    assert message in raised.value.message
    assert raised.value.hint


def test_what_is_not_text_is_not_shown(secret: Path) -> None:
    secret.write_bytes(b"\xffs3cret")
    with pytest.raises(GuardError) as raised:
        resolve(f"${{file:{secret}}}", "here")
    assert "s3cret" not in str(raised.value)

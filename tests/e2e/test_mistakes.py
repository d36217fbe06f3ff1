"""Mistakes at the start: a line that says what is wrong and one that says how to mend it, status 2, nothing started."""

from pathlib import Path

import pytest

from tests.e2e.guard import Guard
from tests.e2e.wire import GoneError, wire


def outcome(command: list[str]) -> tuple[int, str]:
    """The status and the stderr of a guard that does not come to serve; its stdout must be empty."""
    with wire(command) as connection:
        with pytest.raises(GoneError):
            connection.receive()
        return connection.wait(), connection.stderr()


@pytest.fixture
def upstream(tmp_path: Path) -> list[str]:
    """A server that leaves a mark when it is started."""
    return ["touch", str(tmp_path / "started")]


def test_a_policy_with_a_typo(guard: Guard, upstream: list[str], tmp_path: Path) -> None:
    guard.policy.write_text("version: 1\nrules:\n  - name: all\n    efect: allow\n")
    status, said = outcome(guard.command(upstream))
    assert status == 2
    assert f"{guard.policy}:4:5: error[unknown-field]" in said
    assert "    efect: allow" in said
    assert "effect" in said
    assert not (tmp_path / "started").exists()
    assert "Traceback" not in said


NO_AGENTS = ["AB", "a b", "ab", "-ab", "", " cursor", "bot/é", "a" * 101]


@pytest.mark.parametrize("way", ["run", "serve"])
@pytest.mark.parametrize("agent", NO_AGENTS)
def test_an_agent_that_none_can_be(guard: Guard, upstream: list[str], tmp_path: Path, agent: str, way: str) -> None:
    command = [way if word == "run" else word for word in guard.command(upstream, "--agent", agent)]
    status, said = outcome(command)
    assert (status, "cannot be the slug of an agent" in said, "3 to 100" in said) == (2, True, True)
    assert not (tmp_path / "started").exists()
    assert not guard.database.exists()


def test_a_policy_that_is_not_there(guard: Guard, upstream: list[str], tmp_path: Path) -> None:
    guard.policy.unlink()
    status, said = outcome(guard.command(upstream))
    assert (status, str(guard.policy) in said) == (2, True)
    assert not (tmp_path / "started").exists()


def test_a_directory_for_a_database(guard: Guard, upstream: list[str], tmp_path: Path) -> None:
    guard.database.mkdir()
    status, said = outcome(guard.command(upstream))
    assert (status, str(guard.database) in said, "Traceback" in said) == (2, True, False)
    assert not (tmp_path / "started").exists()


def test_a_database_of_something_else(guard: Guard, upstream: list[str], tmp_path: Path) -> None:
    guard.database.write_bytes(b"%PDF-1.7\n" * 1000)
    status, said = outcome(guard.command(upstream))
    assert (status, str(guard.database) in said, "Traceback" in said) == (2, True, False)
    assert not (tmp_path / "started").exists()


def test_a_server_that_is_not_there(guard: Guard) -> None:
    status, said = outcome(guard.command(["no-such-server", "--flag"]))
    assert (status, "no-such-server" in said, "Traceback" in said) == (2, True, False)


@pytest.mark.parametrize("options", [["--polcy", "x"], ["--mode", "observ"], ["--retain", "never"]])
def test_an_option_that_is_wrong(guard: Guard, upstream: list[str], tmp_path: Path, options: list[str]) -> None:
    status, said = outcome(guard.command(upstream, *options))
    assert (status, "Traceback" in said) == (2, False)
    assert options[0] in said or options[1] in said
    assert not (tmp_path / "started").exists()

"""`--against-git`: the policy as it was, and what is said where git cannot tell."""

import subprocess
from pathlib import Path

import pytest

from mcp_guard.cli.app import main
from mcp_guard.cli.git_revision import file_at
from mcp_guard.errors import GuardError
from tests.insight.scenes import OFFICE_POLICY, STRICTER_POLICY, an_office

IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")


def git(directory: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(directory), *IDENTITY, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A policy in a directory of a repository, committed once, then changed; a second one never committed."""
    directory = tmp_path / "repository" / "policies"
    directory.mkdir(parents=True)
    git(directory, "init", "-q", "-b", "trunk")
    (directory / "policy.yaml").write_text(OFFICE_POLICY)
    git(directory, "add", ".")
    git(directory, "commit", "-q", "-m", "Add the policy")
    git(directory, "tag", "v1")
    (directory / "policy.yaml").write_text(STRICTER_POLICY)
    git(directory, "commit", "-q", "-a", "-m", "Tighten it")
    (directory / "new.yaml").write_text(OFFICE_POLICY)
    return directory


@pytest.mark.parametrize("revision", ["v1", "HEAD~1", "trunk~1"])
def test_a_file_is_read_as_it_was(repository: Path, revision: str) -> None:
    assert file_at(str(repository / "policy.yaml"), revision).decode() == OFFICE_POLICY
    assert file_at(str(repository / "policy.yaml"), "HEAD").decode() == STRICTER_POLICY


def test_a_link_to_a_file_is_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(repository / "policy.yaml")
    assert file_at(str(tmp_path / "link.yaml"), "v1").decode() == OFFICE_POLICY


MISTAKES = [
    ("policy.yaml", "v2", "git knows no revision 'v2'"),
    ("policy.yaml", "--output=stolen", "is no git revision"),
    ("policy.yaml", "", "is no git revision"),
    ("policy.yaml", "v1:policies/policy.yaml", "git knows no revision"),
    ("new.yaml", "HEAD", "is not in git at HEAD"),
]


@pytest.mark.parametrize(("name", "revision", "message"), MISTAKES)
def test_what_git_cannot_tell_is_said(repository: Path, name: str, revision: str, message: str) -> None:
    with pytest.raises(GuardError, match=message) as raised:
        file_at(str(repository / name), revision)
    assert raised.value.hint
    assert not (repository / "stolen").exists()


def test_outside_of_a_repository_files_can_be_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "policy.yaml").write_text(OFFICE_POLICY)
    with pytest.raises(GuardError, match="is in no git repository") as raised:
        file_at(str(tmp_path / "policy.yaml"), "HEAD")
    assert "--against FILE" in raised.value.hint


def test_without_git_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GuardError, match="git is not installed"):
        file_at(str(tmp_path / "policy.yaml"), "HEAD")


def test_a_replay_compares_with_a_revision(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = an_office(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "replay",
                "--policy",
                str(repository / "policy.yaml"),
                "--against-git",
                "v1",
                "--db",
                path,
                "--fail-on-change",
            ]
        )
    out = capsys.readouterr().out
    assert ended.value.code == 1
    assert out.splitlines()[0].endswith("compared with git v1: 29 unchanged, 16 changed")

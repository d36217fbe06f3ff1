"""A policy file as it was at a revision of its git repository. Reads only: nothing is checked out, no filter is run."""

import os
import subprocess

from mcp_guard.errors import GuardError

_TIMEOUT = 30.0  # seconds


def file_at(path: str, revision: str) -> bytes:
    """The file's bytes at that revision (`HEAD~1`, a branch, a tag, a hash). Raises GuardError."""
    directory, name = os.path.split(os.path.realpath(path))
    if not revision or revision.startswith("-"):
        raise GuardError(f"{revision!r} is no git revision", "give a branch, a tag, a hash, or `HEAD~1`")
    _git(
        directory, ["rev-parse", "--show-toplevel"], f"{path} is in no git repository", "compare files: --against FILE"
    )
    commit = _git(
        directory,
        ["rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"],
        f"git knows no revision {revision!r} in the repository of {path}",
        "give a branch, a tag, a hash, or `HEAD~1`; `git log --oneline` lists them",
    )
    commit_hash = commit.decode("ascii", "replace").strip()
    return _git(
        directory,
        ["cat-file", "blob", f"{commit_hash}:./{name}"],
        f"{path} is not in git at {revision}",
        f"`git log --oneline -- {path}` lists the revisions that have it",
    )


def _git(directory: str, words: list[str], failure: str, hint: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", directory, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise GuardError("git is not installed", "install it, or compare two files: --against FILE") from None
    except (OSError, subprocess.TimeoutExpired):
        raise GuardError("git cannot be run", "compare two files: --against FILE") from None
    if done.returncode:
        raise GuardError(failure, hint)
    return done.stdout

"""Policies to compare: the files that are asked, and what they are compared with, another file or a git revision."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mcp_guard import user_directories
from mcp_guard.cli.output import bad_input

if TYPE_CHECKING:
    from mcp_guard.insight.candidates import Candidate
    from mcp_guard.policy import Policy, Source


class Compared(NamedTuple):
    """A policy that another is compared with, and what a person calls it."""

    candidate: "Candidate"
    name: str


def policy_paths(given: Sequence[str] | None) -> list[str]:
    """The files that were given, else the user's own policy file, which `run` takes too. Ends where there is none."""
    if given:
        return list(given)
    path = user_directories.policy()
    if not os.path.isfile(path):
        bad_input("no policy is given", f"give one with --policy FILE, or put one at {path}")
    return [path]


def read_sources(paths: Sequence[str]) -> "list[Source]":
    """The files of one policy. Raises GuardError for one that cannot be read."""
    from mcp_guard.cli.policy_files import PolicyFiles
    from mcp_guard.policy import Source

    return [Source(path, text) for path, text in PolicyFiles(paths).read()]


def load_policy(paths: Sequence[str]) -> "Policy":
    """The policy that the files make. Raises GuardError, PolicyError."""
    from mcp_guard.policy import load

    return load(read_sources(paths))


def candidate(paths: Sequence[str]) -> "Candidate":
    """The files of one policy, to be asked. Raises GuardError for one that cannot be read."""
    from mcp_guard.insight.candidates import Candidate

    return Candidate(tuple(read_sources(paths)))


def compared_with(paths: Sequence[str], against: Sequence[str] | None, revision: str | None) -> Compared | None:
    """What the policy in `paths` is to be compared with, or None where nothing was said. Raises GuardError."""
    if against and revision is not None:
        bad_input("--against and --against-git exclude each other", "give one of them")
    if against:
        return Compared(candidate(against), ", ".join(against))
    if revision is None:
        return None
    from mcp_guard.cli.git_revision import file_at
    from mcp_guard.insight.candidates import Candidate
    from mcp_guard.policy import Source

    files = tuple(Source(f"{path}@{revision}", file_at(path, revision)) for path in paths)
    return Compared(Candidate(files), f"git {revision}")

"""Asking the person at the terminal before something of theirs is changed."""

import sys

import typer

from mcp_guard.errors import GuardError


def agreed(question: str, *, yes: bool) -> bool:
    """Whether the person says yes. Raises GuardError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise GuardError("nothing is changed without asking, and nobody can be asked here", "give --yes, or --dry-run")
    return typer.confirm(question)

"""One thing that was looked at: how it stands, and what to do about it.

The invariant: what a hint says to type into a shell runs what it seems to. Names and paths are other people's.
"""

import re
import shlex
from typing import Literal

import msgspec

from mcp_guard.cli.output import short

Level = Literal["ok", "note", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """`what` says how `subject` stands, in one line without secrets; `hint` what to do, and is empty where nothing is.

    An `error` keeps something from working or from being guarded; a `warning` may be meant; a `note` only tells.
    """

    level: Level
    subject: str
    what: str
    hint: str = ""


_PLAIN = re.compile(r"~?[A-Za-z0-9_./:@%+=,-]+")


def typed(word: str) -> str:
    """A word of a command as it is typed into a shell: plain, or in quotes that keep the shell from reading it."""
    return word if _PLAIN.fullmatch(word) else shlex.quote(word)


def typed_path(path: str) -> str:
    """A path as it is typed into a shell, from the home directory where that is plain."""
    return short(path) if _PLAIN.fullmatch(short(path)) else typed(path)

"""What stdin's words and stdout may be: not UTF-8, closed, a full disk. None of that ends a command with a traceback.

The invariant: what was recorded, and what somebody typed, may be any text; that a terminal cannot show it is no reason
to stop. A JSON document stays one.
"""

import codecs
import errno
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from mcp_guard.errors import GuardError

_PLAIN = {"·": "-", "…": "~", "⋯": "~", "›": ">", "→": ">", "↩": "<", "–": "-"}
_ERRORS = "mcp-guard-plain"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """What a terminal without these characters shows in their place."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    cannot = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in cannot), error.end


codecs.register_error(_ERRORS, _plainly)


def prepare() -> None:
    """Have stdout take any text, whatever its encoding; what is printed to one that is closed goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  (it stays open as long as the process)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # where a test has put something else there
        reconfigure(errors=_ERRORS)


@contextmanager
def to_stdout() -> Generator[None]:
    """Whatever is printed here is written at the end. Raises GuardError where stdout takes no more (a full disk)."""
    try:
        try:
            yield
        finally:
            _flush()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _let_go()
        raise GuardError(f"stdout cannot be written: {error.strerror}", "make room, or send it elsewhere") from None


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        _let_go()


def _let_go() -> None:
    """What is still to be written goes nowhere: the end of the process would fail as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_text(words: Sequence[str]) -> None:
    """Raise GuardError for a word that is no text in the encoding of this shell. The command of a server may be."""
    for word in words[: words.index("--")] if "--" in words else words:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = word.encode("utf-8", "backslashreplace").decode()
            raise GuardError(f"`{shown}` is not UTF-8", "write it in UTF-8; a file needs a name in UTF-8") from None

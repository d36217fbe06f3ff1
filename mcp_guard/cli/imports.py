"""When `run` imports what: a client waits for its start.

Before the upstream runs, only what has to be known by then is imported; what the first messages will need is imported
while the upstream boots, so that nobody waits for it when they come.
"""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module

_TYPING_EXTENSIONS = "typing_extensions"
_compile_now = re.compile

FIRST_NEEDED = (
    "mcp_guard.store.registry.snapshots",  # how the agent stands, when it has said who it is
    "mcp_guard.store.registry.instances",  # that it is connected
    "mcp_guard.store.catalog",  # what the server lists
)


def msgspec_alone() -> None:
    """Import msgspec without `typing_extensions`: all that it takes from there has been in `typing` since Python 3.11.

    That package is there as somebody else's dependency, and loads a dozen modules (`inspect`, `ast`, `socket`): a
    seventh of a first start.
    """
    if _TYPING_EXTENSIONS in sys.modules:
        return
    sys.modules[_TYPING_EXTENSIONS] = None  # pyright: ignore[reportArgumentType]  (Python's way to say "not there")
    try:
        with suppress(ImportError), patterns_later():  # else it is imported later, where it is first used
            import_module("msgspec")
    finally:
        del sys.modules[_TYPING_EXTENSIONS]


def yaml() -> None:
    """Import the YAML library. The guard uses its parser in C; the one in Python, with its tables, comes along."""
    with patterns_later():
        import_module("yaml")


@contextmanager
def patterns_later() -> Generator[None]:
    """What is imported meanwhile has its regular expressions compiled when it first uses them. It uses few, and to
    compile all of them takes longer than all else that its import does: a fifth of a first start.
    """
    re.compile = _Pattern  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        re.compile = _compile_now


class _Pattern:
    """A regular expression that is not compiled yet."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._pattern, self._flags = pattern, flags

    def __getattr__(self, name: str) -> object:
        return getattr(_compile_now(self._pattern, self._flags), name)  # which knows it again the next time


def first_needed() -> None:
    """Import what the first messages will need and nothing before them does."""
    for name in FIRST_NEEDED:
        import_module(name)

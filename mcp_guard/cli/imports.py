"""When `run` imports what: a client waits for its start.

Before the upstream runs, only what has to be known by then is imported; what the first messages will need is imported
while the upstream boots, so that nobody waits for it when they come.
"""

import sys
from contextlib import suppress
from importlib import import_module

_TYPING_EXTENSIONS = "typing_extensions"

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
        with suppress(ImportError):  # one that cannot do without is imported later, where it is first used
            import_module("msgspec")
    finally:
        del sys.modules[_TYPING_EXTENSIONS]


def first_needed() -> None:
    """Import what the first messages will need and nothing before them does."""
    for name in FIRST_NEEDED:
        import_module(name)

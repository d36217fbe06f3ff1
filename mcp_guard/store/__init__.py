"""The one SQLite file: the audit log, written before a call goes on and read by anyone who asks.

`Store` writes, `reader` reads, `known_policy` asks one question before anything is open. Nothing else in the package
opens the file. What is named here is imported when it is first used: the question comes before all else at start-up.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp_guard.store.errors import StoreError
    from mcp_guard.store.known import known_policy
    from mcp_guard.store.location import default_database
    from mcp_guard.store.registry.live import LiveRegistry, SameClient
    from mcp_guard.store.store import Store
    from mcp_guard.store.writing import OutdatedError

__all__ = ["LiveRegistry", "OutdatedError", "SameClient", "Store", "StoreError", "default_database", "known_policy"]

_HOMES = {
    "LiveRegistry": "registry.live",
    "OutdatedError": "writing",
    "SameClient": "registry.live",
    "Store": "store",
    "StoreError": "errors",
    "default_database": "location",
    "known_policy": "known",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

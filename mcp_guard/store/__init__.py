"""The one SQLite file: the audit log, written before a call goes on and read by anyone who asks.

`Store` writes, `reader` reads, `known_policy` asks one question before anything is open. Nothing else in the package
opens the file.
"""

from mcp_guard.store.errors import StoreError
from mcp_guard.store.known import known_policy
from mcp_guard.store.location import default_database
from mcp_guard.store.store import Store

__all__ = ["Store", "StoreError", "default_database", "known_policy"]

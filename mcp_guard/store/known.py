"""One question asked before anything is open: has this policy been in force here before?"""

import os
import sqlite3
from contextlib import closing

_KNOWN = """
    SELECT 1 FROM events
    WHERE type = 'policy.loaded' AND policy_hash = ? AND json_extract(data, '$.version') = ? LIMIT 1
"""


def known_policy(path: str, policy_hash: str, version: str) -> bool:
    """Whether a guard of this version has recorded that it loaded the policy with this hash.

    Creates nothing, waits for nobody; False on any trouble.
    """
    try:
        with closing(read_only(path, timeout=0.0)) as connection:
            return connection.execute(_KNOWN, (policy_hash, version)).fetchone() is not None
    except (OSError, ValueError, sqlite3.Error):
        return False


def read_only(path: str, timeout: float) -> sqlite3.Connection:
    """A connection that can only read, and creates no file beside the database.

    Where no write-ahead log is there, nobody has the database open and the file holds everything: it is read as it is,
    also from a directory that nobody may write. Raises OSError, sqlite3.Error.
    """
    path = os.path.realpath(path)
    os.stat(path)
    mode = "mode=ro" if os.path.exists(path + "-wal") else "immutable=1"
    return sqlite3.connect(uri(path, mode), uri=True, timeout=timeout, isolation_level=None)


def uri(path: str, query: str) -> str:
    """An absolute path as SQLite's URI (sqlite.org/uri.html): only what would end the path is escaped."""
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{escaped}?{query}"

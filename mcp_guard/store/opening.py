"""The database opened for writing, made or brought up to date where need be; whoever wants to write begins here."""

import sqlite3
from types import NoneType

from mcp_guard.store import files
from mcp_guard.store.errors import store_error
from mcp_guard.store.known import uri
from mcp_guard.store.schema import prepare

BUSY_TIMEOUT = 1.0  # seconds that a call waits for other writers

# What is no text, number or bytes is looked for among the adapters, and where there is none, asked to adapt itself,
# by way of an exception: that costs a row more than all the rest of its binding.
_nothing: dict[None, None] = {}
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(NoneType, _nothing.get)  # None for None


def made(path: str) -> None:
    """See to it that there is a database of this version at `path`. Raises StoreError."""
    files.refuse_unusable(path)
    files.make_directory(path)
    with files.alone(path):
        files.create_missing(path)
        try:
            writable(path).close()
        except sqlite3.Error as error:
            raise store_error(path, error) from error


def writable(path: str) -> sqlite3.Connection:
    """A connection that may write, on a database of this version. Raises StoreError, sqlite3.Error."""
    connection = sqlite3.connect(
        uri(path, "mode=rw"), uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        prepare(connection, path)
        connection.execute("BEGIN IMMEDIATE")  # a file that cannot be written is found now, not at the first call
        connection.execute("SELECT max(seq) FROM events").fetchone()  # nor is damage where rows will go
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA busy_timeout = 0")  # from here on, waiting is `record`'s
    except BaseException:
        connection.close()
        raise
    return connection

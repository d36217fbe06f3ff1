"""What a credential proves, whichever kind it is: a virtual key by the registry alone, a signed token by its keys."""

import sqlite3
from typing import TYPE_CHECKING

from mcp_guard.store.registry import credentials
from mcp_guard.store.registry.credentials import Proof
from mcp_guard.store.rows import timestamp

if TYPE_CHECKING:
    from mcp_guard.identity.key_sets import KeySets


def prove(connection: sqlite3.Connection, text: str, now: int, key_sets: "KeySets | None" = None) -> Proof:
    """What a credential proves at `now` (microseconds since the epoch). Without `key_sets`, keys of issuers are fetched
    while everything waits. What tokens need is imported only where one is met.

    Raises CredentialError, KeysPendingError, sqlite3.Error.
    """
    if text.count(".") < 2:  # no token has fewer, and no key has any
        return credentials.prove(connection, text, timestamp(now))
    from mcp_guard.identity.key_sets import KeySets
    from mcp_guard.store.registry import tokens

    return tokens.prove(connection, text, now, key_sets or KeySets())

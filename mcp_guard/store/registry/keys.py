"""Signing keys in the registry: what they sign proves to be an agent, until they are retired.

Only the public half of a key is kept. The private one is given to the person who made it, once, and is theirs to guard:
whoever has it can be any agent. Keys are rotated by adding one, signing with it, and retiring the former.
"""

import sqlite3

from mcp_guard.identity.keys import Key, new_pair, of_pem
from mcp_guard.store.registry.book import Book, ConflictError, NotFoundError, Row

_COLUMNS = "id, public, created_at, retired_at"
_IN_USE = "SELECT id, public FROM signing_keys WHERE retired_at IS NULL"


def add(book: Book) -> tuple[str, Row]:
    """A new signing key: its private half as PEM, which is kept nowhere, and what is kept."""
    private, public = new_pair()
    key = book.new_id()
    with book.changing() as change:
        change.insert("signing_keys", id=key, public=public, created_at=change.at)
        change.tell("key.added", None, {}, rule=key)
    return private, get(book, key)


def listed(book: Book) -> list[Row]:
    """All signing keys, latest first."""
    return book.rows(f"SELECT {_COLUMNS} FROM signing_keys ORDER BY created_at DESC, id DESC")


def get(book: Book, key: str) -> Row:
    """One signing key. Raises NotFoundError."""
    found = book.one(f"SELECT {_COLUMNS} FROM signing_keys WHERE id = ?", (key,))
    if found is None:
        raise NotFoundError(
            f"there is no signing key `{key}`", "`mcp-guard agents keys list` shows those that there are"
        )
    return found


def by_public(book: Book, public: str) -> Row:
    """The signing key with this public half. Raises NotFoundError, ConflictError where it is retired."""
    found = book.one(f"SELECT {_COLUMNS} FROM signing_keys WHERE public = ?", (public,))
    if found is None:
        raise NotFoundError(
            "that private key is none that this registry knows", "make one: mcp-guard agents keys add --out FILE"
        )
    if found["retired_at"] is not None:
        raise ConflictError(f"the signing key `{found['id']}` is retired", "sign with one that is in use")
    return found


def retire(book: Book, key: str) -> Row:
    """From the next call on, nothing that this key signed is accepted. Raises NotFoundError, ConflictError."""
    if get(book, key)["retired_at"] is not None:
        raise ConflictError(f"the signing key `{key}` is retired already")
    with book.changing() as change:
        change.execute("UPDATE signing_keys SET retired_at = ? WHERE id = ?", (change.at, key))
        change.tell("key.retired", None, {}, rule=key)
    return get(book, key)


def in_use(connection: sqlite3.Connection) -> tuple[Key, ...]:
    """The signing keys that are not retired. Raises BadKeyError, sqlite3.Error."""
    return tuple(of_pem(key, public) for key, public in connection.execute(_IN_USE).fetchall())

"""OIDC issuers in the registry: whose tokens are believed, for which audience, and which claims say who somebody is."""

import re
import sqlite3

import msgspec

from mcp_guard.identity.issuers import DAY, Issuer
from mcp_guard.identity.key_sets import is_url, may_be_fetched
from mcp_guard.store.registry.book import Book, ConflictError, InvalidError, NotFoundError, Row

_SELECT = "SELECT id, issuer, settings, created_at FROM issuers"
_NAME = re.compile(r"[\x21-\x7e]{1,1000}")
_CLAIM = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
LONGEST = 366 * DAY  # seconds for which tokens may be good, at the very most


def add(book: Book, issuer: Issuer) -> Row:
    """Trust an issuer; `id` is given to it here. Raises InvalidError, ConflictError."""
    _check(issuer)
    settings = msgspec.to_builtins(msgspec.structs.replace(issuer, id="", issuer=""))
    kept = {name: value for name, value in settings.items() if name not in ("id", "issuer")}
    if book.one(f"{_SELECT} WHERE issuer = ?", (issuer.issuer,)) is not None:
        raise ConflictError(f"the issuer {issuer.issuer} is trusted already", "remove it first, to change it")
    made = book.new_id()
    with book.changing() as change:
        text = msgspec.json.encode(kept).decode()
        change.insert("issuers", issuer=issuer.issuer, id=made, settings=text, created_at=change.at)
        change.tell("issuer.added", None, {"issuer": issuer.issuer, **kept}, rule=made)
    return get(book, issuer.issuer)


def listed(book: Book) -> list[Row]:
    """All issuers, by name."""
    return [_shown(row) for row in book.rows(f"{_SELECT} ORDER BY issuer")]


def get(book: Book, issuer: str) -> Row:
    """One issuer. Raises NotFoundError."""
    found = book.one(f"{_SELECT} WHERE issuer = ?", (issuer,))
    if found is None:
        hint = "`mcp-guard agents issuers list` shows those that there are"
        raise NotFoundError(f"the issuer {issuer} is none that is trusted here", hint)
    return _shown(found)


def remove(book: Book, issuer: str) -> Row:
    """From the next call on, nothing of this issuer is accepted. Raises NotFoundError."""
    known = get(book, issuer)
    with book.changing() as change:
        change.execute("DELETE FROM issuers WHERE issuer = ?", (issuer,))
        change.tell("issuer.removed", None, {"issuer": issuer}, rule=known["id"])
    return known


def find(connection: sqlite3.Connection, issuer: str) -> Issuer | None:
    """The issuer of that name, if it is trusted. Raises sqlite3.Error."""
    found = connection.execute(f"{_SELECT} WHERE issuer = ?", (issuer,)).fetchone()
    return None if found is None else _of_row(*found[:3])


def trusted(connection: sqlite3.Connection) -> list[Issuer]:
    """All issuers that are trusted, by name. Raises sqlite3.Error."""
    return [_of_row(*row[:3]) for row in connection.execute(f"{_SELECT} ORDER BY issuer").fetchall()]


def _of_row(made: str, issuer: str, settings: str) -> Issuer:
    return msgspec.convert({**_settings(settings), "id": made, "issuer": issuer}, Issuer)


def _shown(row: Row) -> Row:
    return {"issuer": row["issuer"], **_settings(row["settings"]), "created_at": row["created_at"], "id": row["id"]}


def _settings(text: str) -> dict[str, object]:
    return msgspec.json.decode(text, type=dict[str, object])


def _check(issuer: Issuer) -> None:
    """Whether tokens of such an issuer can be believed at all. Raises InvalidError."""
    if _NAME.fullmatch(issuer.issuer) is None or not may_be_fetched(issuer.issuer):
        raise InvalidError(f"`{issuer.issuer}` is no issuer: it is an https URL, just as its tokens have it in `iss`")
    if _CLAIM.fullmatch(issuer.audience) is None:
        raise InvalidError("an audience is a text of 1 to 256 characters, just as tokens have it in `aud`")
    if is_url(issuer.keys) and not may_be_fetched(issuer.keys):
        raise InvalidError("the keys of an issuer are fetched over https only", "or give a file")
    named = [name for name in (issuer.agent_claim, issuer.user_claim, issuer.groups_claim) if name is not None]
    if any(_CLAIM.fullmatch(name) is None for name in named):
        raise InvalidError("a claim is named by a text of 1 to 256 characters")
    if issuer.agent_claim is None and issuer.user_claim is None:
        raise InvalidError("a token has to say an agent, or a user, or both")
    if not 0 < issuer.longest <= LONGEST:
        raise InvalidError("tokens are good for at most a year, and more than nothing")

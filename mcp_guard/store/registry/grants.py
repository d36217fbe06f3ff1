"""Grants in the registry: what an agent is given, or forbidden, beside the policy, for good or until a moment."""

from typing import get_args

from mcp_guard.governance.snapshot import GrantEffect
from mcp_guard.store.registry.book import Book, Change, ConflictError, InvalidError, NotFoundError, Row
from mcp_guard.store.registry.checks import check_agent, check_pattern, expiry, kept_reason
from mcp_guard.store.rows import timestamp

EFFECTS: tuple[str, ...] = get_args(GrantEffect)
APPROVE: GrantEffect = "approve"  # stands beside what is allowed or denied: it only spares the asking
_SAME = "SELECT id, expires_at FROM grants WHERE agent = ? AND pattern = ? AND (effect = 'approve') = ?"
_COLUMNS = "id, agent, pattern, effect, granted_by, reason, granted_at, expires_at"


def listed(book: Book, *, agent: str | None = None, expired: bool = False) -> list[Row]:
    """The grants, by agent and pattern; the expired ones only where they are asked for."""
    now = timestamp(book.now)
    found = book.rows(f"SELECT {_COLUMNS} FROM grants ORDER BY agent, pattern")
    return [
        row
        for row in found
        if (agent is None or row["agent"] == agent)
        and (expired or row["expires_at"] is None or row["expires_at"] > now)
    ]


def get(book: Book | Change, grant_id: str) -> Row:
    """One grant. Raises NotFoundError."""
    found = book.one(f"SELECT {_COLUMNS} FROM grants WHERE id = ?", (grant_id,))
    if found is None:
        raise NotFoundError(f"there is no grant `{grant_id}`", "`mcp-guard grants list` shows those that there are")
    return found


def add(book: Book, agent: str, pattern: str, effect: str, *, reason: str = "", expires: int | None = None) -> Row:
    """Give an agent a tool, forbid it, or approve ahead what a person would be asked about. `expires` is microseconds
    since the epoch. An expired grant of the same pattern makes room. Raises InvalidError, ConflictError.
    """
    check_agent(agent)
    check_pattern(pattern)
    reason = kept_reason(reason)
    if effect not in EFFECTS:
        raise InvalidError(f"`{effect}` is no effect of a grant", f"it is one of {', '.join(EFFECTS)}")
    with book.changing() as change:
        grant_id = insert(change, book, agent, pattern, effect, reason=reason, expires=expires)
    return get(book, grant_id)


def insert(
    change: Change, book: Book, agent: str, pattern: str, effect: str, *, reason: str, expires: int | None
) -> str:
    """The same within a transaction; gives the id. Raises InvalidError, ConflictError."""
    grant_id = book.new_id()
    if effect == APPROVE and expires is None:
        raise InvalidError("a standing approval needs an end", "what a person says once is not for good")
    until = expiry(change, expires)
    known = change.one(_SAME, (agent, pattern, effect == APPROVE))
    if known is not None:
        if known["expires_at"] is None or known["expires_at"] > change.at:
            raise ConflictError(
                f"the agent `{agent}` has a grant of `{pattern}` already: {known['id']}",
                f"revoke it first: mcp-guard grants revoke {known['id']}",
            )
        change.execute("DELETE FROM grants WHERE id = ?", (known["id"],))
    change.insert(
        "grants",
        id=grant_id,
        agent=agent,
        pattern=pattern,
        effect=effect,
        granted_by=book.actor,
        reason=reason,
        granted_at=change.at,
        expires_at=until,
    )
    change.tell(
        "grant.added", agent, {"effect": effect, "reason": reason, "expires_at": until}, tool=pattern, rule=grant_id
    )
    return grant_id


def revoke(book: Book, grant_id: str, reason: str = "") -> Row:
    """Take a grant back; gives it as it was. Raises NotFoundError."""
    with book.changing() as change:
        known = get(change, grant_id)
        change.execute("DELETE FROM grants WHERE id = ?", (grant_id,))
        change.tell("grant.revoked", known["agent"], {"reason": reason}, tool=known["pattern"], rule=grant_id)
    return known

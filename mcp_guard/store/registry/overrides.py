"""Overrides in the registry: what is stopped for now, or put behind a person's approval; and the emergency brake."""

from typing import get_args

from mcp_guard.governance.snapshot import OverrideEffect
from mcp_guard.store.registry.book import Book, InvalidError, NotFoundError, Row
from mcp_guard.store.registry.checks import check_agent, check_pattern, expiry, kept_reason
from mcp_guard.store.rows import timestamp

EFFECTS: tuple[str, ...] = get_args(OverrideEffect)
_COLUMNS = "id, agent, pattern, effect, brake, reason, created_by, created_at, expires_at"


def listed(book: Book, *, agent: str | None = None, expired: bool = False) -> list[Row]:
    """The overrides, oldest first; the expired ones only where they are asked for. `agent` finds those for every agent
    as well.
    """
    now = timestamp(book.now)
    found = [_shown(row) for row in book.rows(f"SELECT {_COLUMNS} FROM overrides ORDER BY created_at, id")]
    return [
        row
        for row in found
        if (agent is None or row["agent"] in (agent, None))
        and (expired or row["expires_at"] is None or row["expires_at"] > now)
    ]


def get(book: Book, override_id: str) -> Row:
    """One override. Raises NotFoundError."""
    found = book.one(f"SELECT {_COLUMNS} FROM overrides WHERE id = ?", (override_id,))
    if found is None:
        raise NotFoundError(f"there is no override `{override_id}`", "`mcp-guard overrides list` shows those there are")
    return _shown(found)


def add(
    book: Book,
    agent: str | None,
    pattern: str,
    effect: str,
    *,
    reason: str = "",
    expires: int | None = None,
    brake: bool = False,
) -> Row:
    """Stop tools, or put them behind a person's approval, for one agent or for every one (`agent` None). `expires` is
    microseconds since the epoch. Raises InvalidError.
    """
    if agent is not None:
        check_agent(agent)
    check_pattern(pattern)
    reason = kept_reason(reason)
    if effect not in EFFECTS:
        raise InvalidError(f"`{effect}` is no effect of an override", f"it is one of {', '.join(EFFECTS)}")
    override_id = book.new_id()
    with book.changing() as change:
        until = expiry(change, expires)
        change.insert(
            "overrides",
            id=override_id,
            agent=agent,
            pattern=pattern,
            effect=effect,
            brake=int(brake),
            reason=reason,
            created_by=book.actor,
            created_at=change.at,
            expires_at=until,
        )
        if brake:
            change.tell("calls.stopped", agent, {"reason": reason, "expires_at": until}, rule=override_id)
        else:
            change.tell(
                "override.added",
                agent,
                {"effect": effect, "reason": reason, "expires_at": until},
                tool=pattern,
                rule=override_id,
            )
    return get(book, override_id)


def remove(book: Book, override_id: str, reason: str = "") -> Row:
    """Take an override away; gives it as it was. Raises NotFoundError."""
    known = get(book, override_id)
    with book.changing() as change:
        if change.execute("DELETE FROM overrides WHERE id = ?", (override_id,)) == 0:
            raise NotFoundError(f"there is no override `{override_id}`")
        if known["brake"]:
            change.tell("calls.resumed", known["agent"], {"reason": reason}, rule=override_id)
        else:
            change.tell("override.removed", known["agent"], {"reason": reason}, tool=known["pattern"], rule=override_id)
    return known


def stop(book: Book, agent: str | None, *, reason: str = "", expires: int | None = None) -> Row:
    """The emergency brake: deny everything, prompts and resources too, to one agent or to every one."""
    return add(book, agent, "*", "deny", reason=reason, expires=expires, brake=True)


def resume(book: Book, agent: str | None, reason: str = "") -> list[Row]:
    """Release the brake of one agent, or (`agent` None) every brake; gives what was released.

    Raises NotFoundError where there is nothing to release.
    """
    with book.changing() as change:
        found = [row for row in listed(book, expired=True) if row["brake"] and (agent is None or row["agent"] == agent)]
        if not found:
            whom = "nothing" if agent is None else f"the agent `{agent}` itself"
            hint = "" if agent is None else "where everything is stopped, `mcp-guard resume --all` lets it go on"
            raise NotFoundError(f"{whom} is not stopped" if agent else "nothing is stopped", hint)
        for row in found:
            change.execute("DELETE FROM overrides WHERE id = ?", (row["id"],))
            change.tell("calls.resumed", row["agent"], {"reason": reason}, rule=row["id"])
    return found


def _shown(row: Row) -> Row:
    return {**row, "brake": bool(row["brake"])}

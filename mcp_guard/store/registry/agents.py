"""Agents in the registry: created, described, quarantined, restored, deleted; and registered when they first connect.

A deleted agent stays for the record, and calls nothing.
"""

import json
from collections.abc import Sequence
from typing import cast, get_args

from mcp_guard.events import EventType
from mcp_guard.governance.snapshot import AgentStatus, RiskLevel
from mcp_guard.store.registry.book import Book, Change, ConflictError, InvalidError, NotFoundError, Row, kept_text
from mcp_guard.store.registry.checks import check_agent

RISKS: tuple[str, ...] = get_args(RiskLevel)
STATUSES: tuple[str, ...] = get_args(AgentStatus)
_COLUMNS = "slug, name, description, owner, tags, risk, status, reviewed, eval_minimum, created_at, updated_at"
_LONGEST = {"name": 200, "description": 2_000, "owner": 200}  # characters
_MOST_TAGS, _LONGEST_TAG = 50, 100


def listed(book: Book, *, status: str | None = None, tag: str | None = None, deleted: bool = False) -> list[Row]:
    """The agents, by slug; the deleted ones only where they are asked for. Raises InvalidError."""
    if status is not None and status not in STATUSES:
        raise InvalidError(f"`{status}` is no status of an agent", f"it is one of {', '.join(STATUSES)}")
    found = [_shown(row) for row in book.rows(f"SELECT {_COLUMNS} FROM agents ORDER BY slug")]
    return [
        row
        for row in found
        if (status is None or row["status"] == status)
        and (tag is None or tag in row["tags"])
        and (deleted or status == "deleted" or row["status"] != "deleted")
    ]


def get(book: Book, slug: str) -> Row:
    """One agent. Raises NotFoundError."""
    return _shown(_known(book, slug))


def create(book: Book, slug: str, **fields: object) -> Row:
    """A new agent, or a deleted one created again. `fields`: name, description, owner, tags, risk.

    Raises InvalidError, ConflictError.
    """
    check_agent(slug)
    given = _checked(fields)
    with book.changing() as change:
        known = change.one("SELECT status FROM agents WHERE slug = ?", (slug,))
        if known is not None and known["status"] != "deleted":
            raise ConflictError(
                f"there is an agent `{slug}` already", f"change it with `mcp-guard agents update {slug}`"
            )
        if known is not None:
            change.execute("DELETE FROM agents WHERE slug = ?", (slug,))
        change.insert("agents", slug=slug, reviewed=1, created_at=change.at, updated_at=change.at, **given)
        change.tell("agent.created", slug, fields)
    return get(book, slug)


def update(book: Book, slug: str, **fields: object) -> Row:
    """Change what is said of an agent; it counts as reviewed from then on. Raises NotFoundError, InvalidError."""
    given = _checked(fields)
    with book.changing() as change:
        _known(change, slug)
        assignments = ", ".join(f"{name} = :{name}" for name in (*given, "updated_at"))
        values = {**given, "updated_at": change.at, "slug": slug}
        change.execute(f"UPDATE agents SET {assignments}, reviewed = 1 WHERE slug = :slug", values)
        change.tell("agent.updated", slug, fields)
    return get(book, slug)


def quarantine(book: Book, slug: str, reason: str = "") -> Row:
    """From the next call on, deny everything to an agent. Raises NotFoundError."""
    return _set_status(book, slug, "quarantined", reason)


def restore(book: Book, slug: str, reason: str = "") -> Row:
    """End a quarantine, or bring a deleted agent back. Raises NotFoundError."""
    return _set_status(book, slug, "active", reason)


def delete(book: Book, slug: str, reason: str = "") -> Row:
    """Take an agent out of the registry; it stays for the record, and calls nothing. Raises NotFoundError."""
    return _set_status(book, slug, "deleted", reason)


_TOLD: dict[AgentStatus, EventType] = {
    "quarantined": "agent.quarantined",
    "active": "agent.restored",
    "deleted": "agent.deleted",
}


def _set_status(book: Book, slug: str, status: AgentStatus, reason: str) -> Row:
    with book.changing() as change:
        before = _known(change, slug)["status"]
        if before == "deleted" and status == "quarantined":  # it calls nothing, and is not to come back by this
            hint = f"bring it back first: mcp-guard agents restore {slug}"
            raise ConflictError(f"the agent `{slug}` was deleted, and calls nothing", hint)
        if before == status:
            raise ConflictError(f"the agent `{slug}` is {status} already")
        change.execute("UPDATE agents SET status = ?, updated_at = ? WHERE slug = ?", (status, change.at, slug))
        change.tell(_TOLD[status], slug, {"before": before, "reason": reason})
    return get(book, slug)


def _known(asked: Book | Change, slug: str) -> Row:
    """Where the agent is not there, the error says which may have been meant."""
    found = asked.one(f"SELECT {_COLUMNS} FROM agents WHERE slug = ?", (slug,))
    if found is not None:
        return found
    from mcp_guard.policy.diagnostics import closest

    slugs = asked.one("SELECT json_group_array(slug) AS slugs FROM agents")
    near = closest(slug, json.loads(slugs["slugs"]) if slugs else ())
    hint = f"did you mean `{near}`?" if near else "`mcp-guard agents list` shows those that there are"
    raise NotFoundError(f"there is no agent `{slug}`", hint)


def _shown(row: Row) -> Row:
    return {**row, "tags": json.loads(row["tags"]), "reviewed": bool(row["reviewed"])}


def _checked(fields: dict[str, object]) -> dict[str, object]:
    """The columns for what is said of an agent. Raises InvalidError."""
    columns: dict[str, object] = {}
    for name, value in fields.items():
        if name == "tags":
            columns[name] = json.dumps(_tags(value))
        elif name == "risk":
            if value not in RISKS:
                raise InvalidError(f"`{value}` is no risk level", f"it is one of {', '.join(RISKS)}")
            columns[name] = value
        elif name in _LONGEST and isinstance(value, str) and len(value) <= _LONGEST[name]:
            columns[name] = kept_text(value)
        elif name in _LONGEST:
            raise InvalidError(f"the {name} must be a text of at most {_LONGEST[name]} characters")
        else:
            raise InvalidError(f"an agent has no field `{name}`")
    return columns


def _tags(value: object) -> list[str]:
    given = cast("Sequence[object]", value) if isinstance(value, list | tuple) else [None]
    tags = [tag for tag in dict.fromkeys(given) if isinstance(tag, str) and 0 < len(tag) <= _LONGEST_TAG]
    if len(tags) < len(set(given)) or len(tags) > _MOST_TAGS:
        raise InvalidError(f"tags are at most {_MOST_TAGS} texts of up to {_LONGEST_TAG} characters")
    return [kept_text(tag) for tag in tags]

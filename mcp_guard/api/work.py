"""What each route does: a thin line from what was asked to a function of the registry. Nothing is decided here.

Lists come in pages by a key that never changes (a slug, or an id, which begins with the time it was made at), so that
a page is right also where rows came or went since the one before.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import sha256

from msgspec import UNSET, UnsetType

from mcp_guard.api.routes import Asked, Work
from mcp_guard.api.values import AgentChange, NewAgent
from mcp_guard.store.registry import (
    agents,
    approvals,
    budgets,
    credentials,
    evals,
    grants,
    instances,
    overrides,
    telemetry,
)
from mcp_guard.store.registry.book import Book, Row
from mcp_guard.store.registry.snapshots import moment

_LONGEST_KEY = 400  # characters; see `queries.Paged`
_TOOLS = "SELECT server, tool, listed, description, first_seen, last_seen, versions, hash, definition FROM tools"


def paged(rows: Iterable[Row], asked: Asked, key: Callable[[Row], str], *, newest_first: bool = False) -> Row:
    """The page of these rows that was asked for."""
    limit, after = asked.query.limit, _said(asked.query.after)
    ordered = sorted(((_place(key(row)), row) for row in rows), key=lambda one: one[0], reverse=newest_first)
    left = [(name, row) for name, row in ordered if after is None or (name < after if newest_first else name > after)]
    page = left[:limit]
    return {"items": [row for _, row in page], "next": page[-1][0] if len(left) > limit else None}


def _place(key: str) -> str:
    """A key as it stands in a query: servers may call their tools anything, and nothing behind it is to be out of
    reach.
    """
    return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}#{sha256(key.encode()).hexdigest()}"


def _slug(row: Row) -> str:
    return row["slug"]


def _id(row: Row) -> str:
    return row["id"]


def _said(value: str | UnsetType) -> str | None:
    """A parameter of a query, or None where it was left out."""
    return None if value is UNSET else value


def one(get: Callable[[Book, str], object]) -> Work:
    """What a function of the registry does with the one that the path names."""
    return lambda book, asked: get(book, _named(asked))


def because(change: Callable[[Book, str, str], object]) -> Work:
    """The same, with the reason that the body gives."""
    return lambda book, asked: change(book, _named(asked), asked.body.reason)


def away(remove: Callable[[Book, str, str], object]) -> Work:
    """The same, with the reason that the query gives."""
    return lambda book, asked: remove(book, _named(asked), asked.query.reason)


def _named(asked: Asked) -> str:
    (name,) = asked.path.values()
    return name


def expires(at: datetime | None) -> int | None:
    """A moment of a request, in microseconds since the epoch."""
    return None if at is None else moment(at.isoformat())


# Agents


def list_agents(book: Book, asked: Asked) -> Row:
    """The agents, by slug."""
    query = asked.query
    found = agents.listed(book, status=_said(query.status), tag=_said(query.tag), deleted=query.deleted)
    return paged(found, asked, _slug)


def create_agent(book: Book, asked: Asked) -> Row:
    """A new agent."""
    return agents.create(book, asked.body.slug, **_given(asked.body))


def update_agent(book: Book, asked: Asked) -> Row:
    """What is said of an agent, anew."""
    return agents.update(book, asked.path["slug"], **_given(asked.body))


_SAID = ("name", "description", "owner", "tags", "risk")


def _given(body: NewAgent | AgentChange) -> dict[str, object]:
    return {name: value for name in _SAID if (value := getattr(body, name)) is not UNSET}


def require_eval(book: Book, asked: Asked) -> Row:
    """The pass rate that an agent must have reached."""
    evals.require(book, asked.path["slug"], asked.body.minimum)
    return agents.get(book, asked.path["slug"])


# Keys


def list_credentials(book: Book, asked: Asked) -> Row:
    """The keys, latest first."""
    return paged(credentials.listed(book, agent=_said(asked.query.agent)), asked, _id, newest_first=True)


def issue_credential(book: Book, asked: Asked) -> Row:
    """A new key of an agent, shown this once."""
    slug = agents.get(book, asked.path["slug"])["slug"]
    key, kept = credentials.issue(book, slug, expires=expires(asked.body.expires_at))
    return {**kept, "token": key}


# Instances


def list_instances(book: Book, asked: Asked) -> Row:
    """The instances, latest first."""
    return paged(
        instances.listed(book, agent=_said(asked.query.agent), ended=asked.query.ended), asked, _id, newest_first=True
    )


# Grants, overrides, budgets, evaluations


def list_permissions(book: Book, asked: Asked) -> Row:
    """The grants, oldest first."""
    return paged(grants.listed(book, agent=_said(asked.query.agent), expired=asked.query.expired), asked, _id)


def add_permission(book: Book, asked: Asked) -> Row:
    """A new grant."""
    body = asked.body
    return grants.add(book, body.agent, body.pattern, body.effect, reason=body.reason, expires=expires(body.expires_at))


def list_overrides(book: Book, asked: Asked) -> Row:
    """The overrides, oldest first."""
    return paged(overrides.listed(book, agent=_said(asked.query.agent), expired=asked.query.expired), asked, _id)


def add_override(book: Book, asked: Asked) -> Row:
    """A new override."""
    body = asked.body
    return overrides.add(
        book, body.agent, body.pattern, body.effect, reason=body.reason, expires=expires(body.expires_at)
    )


def stop(book: Book, asked: Asked) -> Row:
    """The emergency brake."""
    body = asked.body
    return overrides.stop(book, body.agent, reason=body.reason, expires=expires(body.expires_at))


def resume(book: Book, asked: Asked) -> list[Row]:
    """The brake released."""
    return overrides.resume(book, asked.body.agent, asked.body.reason)


def list_budgets(book: Book, asked: Asked) -> Row:
    """The budgets, oldest first."""
    return paged(budgets.listed(book, agent=_said(asked.query.agent)), asked, _id)


def set_budget(book: Book, asked: Asked) -> Row:
    """A budget, in the place of the one before."""
    body = asked.body
    unit = "usd" if body.window == "month" else "calls"
    return budgets.put(book, body.agent, body.window, unit, body.amount, enforced=body.enforced, alerts=body.alerts)


def list_evals(book: Book, asked: Asked) -> Row:
    """The evaluations, latest first."""
    return paged(evals.listed(book, agent=_said(asked.query.agent)), asked, _id, newest_first=True)


def record_eval(book: Book, asked: Asked) -> Row:
    """How an agent did."""
    return evals.record(book, asked.body.agent, asked.body.pass_rate, asked.body.suite)


# Approvals and spending


def list_approvals(book: Book, asked: Asked) -> Row:
    """The calls that a person is asked about, oldest first."""
    query = asked.query
    page = paged(approvals.brief(book, status=_said(query.status), agent=_said(query.agent)), asked, _id)
    return {**page, "items": [approvals.get(book, row["id"]) for row in page["items"]]}


def approve(book: Book, asked: Asked) -> Row:
    """Let a call run."""
    body = asked.body
    return approvals.approve(book, asked.path["id"], body.scope, expires=expires(body.expires_at), comment=body.comment)


def deny(book: Book, asked: Asked) -> Row:
    """Deny a call."""
    return approvals.deny(book, asked.path["id"], comment=asked.body.comment)


def list_spending(book: Book, asked: Asked) -> Row:
    """What models cost, oldest day first."""
    query = asked.query
    found = telemetry.listed(book, agent=_said(query.agent), unattributed=query.unattributed)
    return paged(({**one, "id": f"{one['day']}:{one['agent'] or ''}:{one['model']}"} for one in found), asked, _id)


# Tools


def list_tools(book: Book, asked: Asked) -> Row:
    """The catalog of tools, by server and name."""
    import json

    query = asked.query
    found = [
        {**row, "listed": bool(row["listed"]), "definition": json.loads(row["definition"])}
        for row in book.rows(_TOOLS)
        if _said(query.server) in (None, row["server"]) and (query.gone or row["listed"])
    ]
    return paged(found, asked, lambda row: f"{row['server']}:{row['tool']}")

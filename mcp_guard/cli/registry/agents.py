"""`mcp-guard agents`: which agents there are, what is said of them, and whether they may call anything."""

from typing import Annotated

import typer

from mcp_guard.cli.registry.shared import (
    AsJson,
    Database,
    Expires,
    Reason,
    expiry,
    group,
    open_book,
    show_one,
    show_rows,
)

app = group()

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The agent.")]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="The name that people read.")]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="What it is and does.")]
Owner = Annotated[str | None, typer.Option(metavar="TEXT", help="Who answers for it.")]
Risk = Annotated[str | None, typer.Option(metavar="LEVEL", help="low, medium, high or critical.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag; repeatable. Replaces those before.")
]

_COLUMNS = {
    "slug": "AGENT",
    "status": "STATUS",
    "risk": "RISK",
    "owner": "OWNER",
    "tags": "TAGS",
    "reviewed": "REVIEWED",
    "created_at": "SINCE",
}

_KEYS = {
    "id": "ID",
    "agent": "AGENT",
    "created_by": "BY",
    "created_at": "SINCE",
    "expires_at": "UNTIL",
    "revoked_at": "REVOKED",
}


@app.callback()
def _group() -> None:  # pyright: ignore[reportUnusedFunction]  (typer calls it)
    """Which agents there are, and whether they may call anything."""


@app.command("list", epilog="Example: mcp-guard agents list --status quarantined")
def list_agents(
    status: Annotated[str | None, typer.Option(help="Only: active, quarantined or deleted.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only those with this tag.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the agents. One that connected without being registered has not been reviewed."""
    from mcp_guard.store.registry import agents

    with open_book(db) as book:
        rows = agents.listed(book, status=status, tag=tag)
    show_rows(rows, _COLUMNS, as_json=as_json, none="no agents yet: each registers itself when it first connects")


@app.command(epilog="Example: mcp-guard agents show claude-code")
def show(slug: Slug, db: Database = None, as_json: AsJson = False) -> None:
    """Show one agent: what is said of it, its connections, grants, overrides and budgets, and what it did lately."""
    from mcp_guard.cli.output import print_json
    from mcp_guard.cli.registry.profile import print_profile
    from mcp_guard.store.registry import profile

    with open_book(db) as book:
        found = profile.of(book, slug)
    print_json(found) if as_json else print_profile(found)


@app.command(epilog="Example: mcp-guard agents create claude-code --name 'Claude Code' --risk high --tag trusted")
def create(
    slug: Slug,
    name: Name = None,
    description: Description = None,
    owner: Owner = None,
    risk: Risk = None,
    tag: Tags = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Register an agent, or a deleted one again."""
    from mcp_guard.store.registry import agents

    with open_book(db) as book:
        made = agents.create(book, slug, **_fields(name, description, owner, risk, tag))
    show_one(made, as_json=as_json)


@app.command(epilog="Example: mcp-guard agents update cursor --owner platform-team")
def update(
    slug: Slug,
    name: Name = None,
    description: Description = None,
    owner: Owner = None,
    risk: Risk = None,
    tag: Tags = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Change what is said of an agent. From then on it counts as reviewed."""
    from mcp_guard.store.registry import agents

    with open_book(db) as book:
        changed = agents.update(book, slug, **_fields(name, description, owner, risk, tag))
    show_one(changed, as_json=as_json)


@app.command(epilog="Example: mcp-guard agents quarantine cursor --reason 'looks at mail it should not'")
def quarantine(slug: Slug, reason: Reason = "", db: Database = None, as_json: AsJson = False) -> None:
    """From the next call on, deny everything to an agent."""
    from mcp_guard.store.registry import agents

    with open_book(db) as book:
        changed = agents.quarantine(book, slug, reason)
    show_one(changed, as_json=as_json)


@app.command(epilog="Example: mcp-guard agents restore cursor")
def restore(slug: Slug, reason: Reason = "", db: Database = None, as_json: AsJson = False) -> None:
    """End a quarantine, or bring a deleted agent back."""
    from mcp_guard.store.registry import agents

    with open_book(db) as book:
        changed = agents.restore(book, slug, reason)
    show_one(changed, as_json=as_json)


@app.command(epilog="Example: mcp-guard agents delete old-bot")
def delete(slug: Slug, reason: Reason = "", db: Database = None, as_json: AsJson = False) -> None:
    """Take an agent out of the registry. It stays for the record, and calls nothing any more."""
    from mcp_guard.store.registry import agents

    with open_book(db) as book:
        changed = agents.delete(book, slug, reason)
    show_one(changed, as_json=as_json)


@app.command(epilog="Example: mcp-guard agents token claude-code --expires 30d")
def token(slug: Slug, expires: Expires = None, db: Database = None, as_json: AsJson = False) -> None:
    """Make a key by which a client proves to be this agent. It is shown now and never again."""
    from mcp_guard.cli.output import print_json
    from mcp_guard.store.registry import credentials

    with open_book(db) as book:
        key, kept = credentials.issue(book, slug, expires=expiry(expires))
    if as_json:
        print_json({**kept, "token": key})
        return
    typer.echo(key)
    typer.echo("Put it into the client's launching config as MCP_GUARD_TOKEN; it is not shown again.", err=True)


@app.command(epilog="Example: mcp-guard agents tokens claude-code")
def tokens(
    slug: Annotated[str | None, typer.Argument(metavar="[SLUG]", help="Only this agent's.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the keys that were made, without the keys themselves."""
    from mcp_guard.store.registry import credentials

    with open_book(db) as book:
        rows = credentials.listed(book, agent=slug)
    show_rows(rows, _KEYS, as_json=as_json, none="no keys")


@app.command("revoke-token", epilog="Example: mcp-guard agents revoke-token 01M7YXWRSC4FE8VAYJT0G6F8X3")
def revoke_token(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `agents tokens` shows it.")],
    reason: Reason = "",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key worth nothing, from the next call on."""
    from mcp_guard.store.registry import credentials

    with open_book(db) as book:
        gone = credentials.revoke(book, key, reason)
    show_one(gone, as_json=as_json)


def _fields(
    name: str | None, description: str | None, owner: str | None, risk: str | None, tags: list[str] | None
) -> dict[str, object]:
    """What was given, by the names of the fields."""
    fields = {"name": name, "description": description, "owner": owner, "risk": risk, "tags": tags}
    return {field: value for field, value in fields.items() if value is not None}

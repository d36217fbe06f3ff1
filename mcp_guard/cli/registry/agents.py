"""`mcp-guard agents`: which agents there are, what is said of them, and whether they may call anything."""

from typing import Annotated

import typer

from mcp_guard.cli.options import AsJson, Database
from mcp_guard.cli.output import bad_input
from mcp_guard.cli.registry import issuers, keys, tokens
from mcp_guard.cli.registry.shared import Reason, group, look, open_book, show_one, show_rows

app = group("Which agents there are, and whether they may call anything.")
app.add_typer(tokens.app)
app.add_typer(keys.app, name="keys")
app.add_typer(issuers.app, name="issuers")

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
_NONE = "no agents yet: each registers itself when it first connects"
_NONE_SUCH = "no agents match; `mcp-guard agents list --status deleted` shows those that were deleted"


@app.command("list", epilog="Example: mcp-guard agents list --status quarantined")
def list_agents(
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="Only: active, quarantined or deleted.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only those with this tag.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the agents. One that connected without being registered has not been reviewed."""
    from mcp_guard.store.registry import agents

    with look(db) as book:
        rows = agents.listed(book, status=status, tag=tag)
        none = _NONE if rows or not agents.listed(book, deleted=True) else _NONE_SUCH
    show_rows(rows, _COLUMNS, as_json=as_json, none=none)


@app.command(epilog="Example: mcp-guard agents show claude-code")
def show(slug: Slug, db: Database = None, as_json: AsJson = False) -> None:
    """Show one agent: what is said of it, its connections, grants, overrides and budgets, and what it did lately."""
    from mcp_guard.cli.output import print_json
    from mcp_guard.cli.registry.profile import print_profile
    from mcp_guard.store.registry import profile

    with look(db) as book:
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

    with open_book(db, anew=True) as book:
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
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all its tags away.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Change what is said of an agent. From then on it counts as reviewed."""
    from mcp_guard.store.registry import agents

    if no_tags and tag:
        bad_input("--no-tags and --tag exclude each other", "--tag alone replaces the tags that there were")
    with open_book(db) as book:
        changed = agents.update(book, slug, **_fields(name, description, owner, risk, [] if no_tags else tag))
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


def _fields(
    name: str | None, description: str | None, owner: str | None, risk: str | None, tags: list[str] | None
) -> dict[str, object]:
    """What was given, by the names of the fields."""
    fields = {"name": name, "description": description, "owner": owner, "risk": risk, "tags": tags}
    return {field: value for field, value in fields.items() if value is not None}

"""`mcp-guard access`: what an agent may do under a policy, tool by tool. Reads options, asks, prints."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_guard.cli.catalogs import unknown_server
from mcp_guard.cli.house import House
from mcp_guard.cli.options import OWN_POLICY, AsJson, Database
from mcp_guard.cli.output import EXIT_DONE, bad_input
from mcp_guard.slugs import check_pinned

if TYPE_CHECKING:
    from mcp_guard.policy.catalog import Catalog

app = House()


@app.command(epilog="Example: mcp-guard access --agent claude-code --policy policy.yaml")
def access(
    agent: Annotated[str | None, typer.Option(metavar="SLUG", help="The agent.")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="The user whose agents are meant.")] = None,
    instance: Annotated[
        str | None, typer.Option(metavar="ID", help="A recorded connection, as `instances list --ended` shows it.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group of the user; repeatable.")] = None,
    verified: Annotated[bool, typer.Option("--verified", help="Agent and user are vouched for.")] = False,
    server: Annotated[list[str] | None, typer.Option(metavar="SLUG", help="This server only; repeatable.")] = None,
    policy: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help=f"The policy; several make one list of rules. {OWN_POLICY}")
    ] = None,
    as_json: AsJson = False,
    db: Database = None,
) -> None:
    """Show what an agent may do: each tool as allowed, conditional or denied, and by which rules."""
    from mcp_guard.cli.access_report import print_access, print_json_access
    from mcp_guard.cli.policy_sources import load_policy, policy_paths
    from mcp_guard.insight.subjects import Wanted, access_of, subjects
    from mcp_guard.insight.world import known_tools
    from mcp_guard.store.location import default_database

    if agent is None and user is None and instance is None:
        bad_input(
            "whose access?",
            "give --agent SLUG, --user ID, or --instance ID (`mcp-guard instances list --ended` shows them)",
        )
    if instance is not None and (agent or user or group or verified):
        bad_input("--instance says already who it is", "leave --agent, --user, --group and --verified out")
    check_pinned(agent)
    paths = policy_paths(policy)
    asked, path = load_policy(paths), db or default_database()
    found = subjects(path, asked, Wanted(agent, user, tuple(group or ()), verified, instance))
    if not found:
        bad_input(
            f"the log has no connection {instance}", "`mcp-guard instances list --ended` shows those that there are"
        )
    groups = access_of(asked, found, _narrowed(known_tools(path), server or ()))
    if agent is not None and agent not in asked.declared.agents and not any(one.seen for one in found):
        _note_stranger(path, agent)
    if as_json:
        print_json_access(groups, paths)
    else:
        print_access(groups, ", ".join(paths))
    raise SystemExit(EXIT_DONE)


def _note_stranger(path: str, agent: str) -> None:
    """Tell of an agent that nobody has heard of: it may be mistyped."""
    from mcp_guard.cli.output import say_note
    from mcp_guard.cli.registry.shared import look
    from mcp_guard.store.registry.strangers import strange_agent

    if os.path.exists(path):
        with look(path) as book:
            note = strange_agent(book, agent)
        if note:
            say_note(note)


def _narrowed(catalog: "Catalog", servers: Sequence[str]) -> "Catalog":
    """The catalog of these servers; of all where none is named. Ends the command where one is not known."""
    for server in servers:
        if server not in catalog.servers:
            unknown_server(server, catalog)
    return catalog.only(*servers) if servers else catalog

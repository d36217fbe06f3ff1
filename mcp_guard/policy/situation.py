"""What is known of a call before its arguments are: who calls which tool, and what the policy says of them."""

import msgspec

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.selectors import Selector, tags
from mcp_guard.policy.values import Json, Principal


class Situation(msgspec.Struct, frozen=True):
    """One principal before one tool: for each field of a scope all that may stand for it there, and `facts`, the
    variables of a condition, without `request`.
    """

    agents: tuple[Selector, ...]
    users: tuple[Selector, ...]
    groups: tuple[Selector, ...]
    servers: tuple[Selector, ...]
    tools: tuple[Selector, ...]
    tool: str
    facts: dict[str, Json]


def situation(declared: Declarations, principal: Principal, server_slug: str, tool: str) -> Situation:
    """What the policy's declarations say about this principal and this tool."""
    agent, server, user = declared.agent(principal.agent), declared.server(server_slug), declared.user(principal.user)
    groups = tuple(dict.fromkeys((*principal.groups, *user.groups)))
    tool_tags = server.tool_tags(tool)
    instances: tuple[Selector, ...] = (("instance", principal.instance),) if principal.instance else ()
    return Situation(
        agents=(("name", agent.slug), *tags(agent.tags), *instances),
        users=(("name", principal.user),),
        groups=tuple(("name", group) for group in groups),
        servers=(("name", server.slug), *tags(server.tags)),
        tools=(("name", tool), *tags(tool_tags)),
        tool=tool,
        facts={
            "agent": {
                "id": agent.slug,
                "name": agent.name or agent.slug,
                "slug": agent.slug,
                "tags": list(agent.tags),
                "verified": principal.verified,
            },
            "user": {
                "id": principal.user,
                "name": user.name or user.id,
                "email": user.email or (user.id if "@" in user.id else ""),
                "groups": list(groups),
                "verified": principal.user_verified,
            },
            "mcp": {
                "id": server.slug,
                "name": server.name or server.slug,
                "slug": server.slug,
                "tags": list(server.tags),
                "tool": {"name": tool, "tags": list(tool_tags)},
            },
        },
    )

"""What is known of a call before its arguments are: who calls which tool, and what the policy says of them.

For each field of a scope `Caller` and `Tool` give all that may stand for them there, and `facts`: the variables of a
condition. What depends on the tool is kept apart, since an agent is shown many tools of one server.
"""

import msgspec

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.selectors import Selector, tags
from mcp_guard.policy.values import Json, Principal


class Caller(msgspec.Struct, frozen=True):
    """A principal before a server: all but the tool. `facts` has `agent`, `user`, and `mcp` without its `tool`."""

    agents: tuple[Selector, ...]
    users: tuple[Selector, ...]
    groups: tuple[Selector, ...]
    servers: tuple[Selector, ...]
    facts: dict[str, dict[str, Json]]


class Tool(msgspec.Struct, frozen=True):
    """A tool of the server: what may stand for it in a scope, and its `mcp.tool`."""

    name: str
    tools: tuple[Selector, ...]
    facts: dict[str, Json]


def caller(declared: Declarations, principal: Principal, server_slug: str) -> Caller:
    """What the policy's declarations say about this principal before this server."""
    agent, server, user = declared.agent(principal.agent), declared.server(server_slug), declared.user(principal.user)
    groups = tuple(dict.fromkeys((*principal.groups, *user.groups)))
    instances: tuple[Selector, ...] = (("instance", principal.instance),) if principal.instance else ()
    return Caller(
        agents=(("name", agent.slug), *tags(agent.tags), *instances),
        users=(("name", principal.user),),
        groups=tuple(("name", group) for group in groups),
        servers=(("name", server.slug), *tags(server.tags)),
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
            },
        },
    )


def tool(declared: Declarations, server_slug: str, name: str) -> Tool:
    """What the policy's declarations say about a tool of this server."""
    tool_tags = declared.server(server_slug).tool_tags(name)
    return Tool(name, (("name", name), *tags(tool_tags)), {"name": name, "tags": list(tool_tags)})

"""What is known of a call before its arguments are: who asks for what, and what the policy says of them.

For each field of a scope `Caller` and `Offer` give all that may stand for them there, and `facts`: the variables of a
condition. What depends on the offer (a tool, a prompt, a resource) is kept apart, since an agent is shown many of one
server.
"""

import msgspec

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.selectors import Selector, tags
from mcp_guard.policy.values import Json, OfferKind, Principal


class Caller(msgspec.Struct, frozen=True):
    """A principal before a server: all but the offer. `facts` has `agent`, `user`, and `mcp` without the offer."""

    agents: tuple[Selector, ...]
    users: tuple[Selector, ...]
    groups: tuple[Selector, ...]
    servers: tuple[Selector, ...]
    facts: dict[str, dict[str, Json]]


class Offer(msgspec.Struct, frozen=True):
    """What a server offers: a tool or prompt by name, a resource by URI; what may stand for it in a scope; its member
    of `mcp`. `doubt` says why a URI could be read as another one.
    """

    kind: OfferKind
    name: str
    selectors: tuple[Selector, ...]
    facts: dict[str, Json]
    doubt: str | None = None


def caller(declared: Declarations, principal: Principal, server_slug: str) -> Caller:
    """What the policy's declarations say about this principal before this server."""
    agent, server, user = declared.agent(principal.agent), declared.server(server_slug), declared.user(principal.user)
    groups = tuple(dict.fromkeys((*principal.groups, *user.groups)))
    agent_tags = tuple(dict.fromkeys((*agent.tags, *principal.tags)))
    instances: tuple[Selector, ...] = (("instance", principal.instance),) if principal.instance else ()
    return Caller(
        agents=(("name", agent.slug), *tags(agent_tags), *instances),
        users=(("name", principal.user),),
        groups=tuple(("name", group) for group in groups),
        servers=(("name", server.slug), *tags(server.tags)),
        facts={
            "agent": {
                "id": agent.slug,
                "name": agent.name or agent.slug,
                "slug": agent.slug,
                "tags": list(agent_tags),
                "risk": principal.risk,
                "status": principal.status,
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


def offer(declared: Declarations, server_slug: str, kind: OfferKind, name: str) -> Offer:
    """What the policy's declarations say about a tool, prompt or resource of this server."""
    if kind == "resource":
        return Offer(kind, name, (("name", name),), {"uri": name})
    if kind == "prompt":
        return Offer(kind, name, (("name", name),), {"name": name})
    tool_tags = declared.server(server_slug).tool_tags(name)
    return Offer(kind, name, (("name", name), *tags(tool_tags)), {"name": name, "tags": list(tool_tags)})

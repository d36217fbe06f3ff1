"""What a policy says about agents, servers and users: their names, tags and groups. The rules refer to it.

An unknown agent, server or user is legal: it has its slug and no tags. The invariant of `agent_for`: a name that a
client gives itself never becomes a declared agent's slug against that agent's `clients` patterns.
"""

import re
from collections.abc import Mapping

import msgspec

from mcp_guard.policy.globs import Glob
from mcp_guard.slugs import is_agent

SERVER_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?\Z")
UNKNOWN_AGENT = "unknown"
UNRECOGNIZED_PREFIX = "unrecognized-"
SHORT_PREFIX = "client-"  # before a client's name that is too short for an agent's
READ_NAME = 256  # characters of a client's name that are looked at
LONGEST_MADE_SLUG = 64


class Agent(msgspec.Struct, frozen=True):
    """An agent class. `clients` are patterns on the name that a client gives itself."""

    slug: str
    name: str = ""
    tags: tuple[str, ...] = ()
    clients: tuple[Glob, ...] = ()


class Server(msgspec.Struct, frozen=True):
    """An upstream. `tools` gives tags to tools, by pattern on their names."""

    slug: str
    name: str = ""
    tags: tuple[str, ...] = ()
    tools: tuple[tuple[Glob, tuple[str, ...]], ...] = ()
    costs: tuple[tuple[Glob, float], ...] = ()

    def tool_cost(self, tool: str) -> float:
        """What a call of a tool costs, in US dollars: the most of what any pattern says that its name fits."""
        return max((cost for glob, cost in self.costs if glob.matches(tool)), default=0.0)

    def tool_tags(self, tool: str) -> tuple[str, ...]:
        """The tags of a tool: those of every pattern that its name fits, each once."""
        return tuple(dict.fromkeys(tag for glob, tags in self.tools if glob.matches(tool) for tag in tags))


class User(msgspec.Struct, frozen=True):
    """A user of an agent."""

    id: str
    name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()


class Declarations(msgspec.Struct, frozen=True):
    """The three sections, by slug or id. What is not declared is made up on the spot, without tags or groups."""

    agents: Mapping[str, Agent] = {}
    servers: Mapping[str, Server] = {}
    users: Mapping[str, User] = {}

    def agent(self, slug: str) -> Agent:
        """The declared agent of this slug, or one that is only a slug."""
        return self.agents.get(slug) or Agent(slug)

    def server(self, slug: str) -> Server:
        """The declared server of this slug, or one that is only a slug."""
        return self.servers.get(slug) or Server(slug)

    def user(self, identity: str) -> User:
        """The declared user of this id, or one that is only an id."""
        return self.users.get(identity) or User(identity)

    def agent_for(self, client_name: str) -> str:
        """The agent slug for the name that a client gives itself (`clientInfo.name`). Always one, never raises.

        The first agent, in the order of the files, with a `clients` pattern that fits. Otherwise the name made into a
        slug (`Claude Code` is `claude-code`), which may be that of an agent declared without `clients`; where it is
        that of an agent whose patterns the name just failed, `unrecognized-` goes before it, and no agent can be
        declared under such a slug.
        """
        seen = client_name[:READ_NAME]
        for agent in self.agents.values():
            if any(glob.matches(seen) for glob in agent.clients):
                return agent.slug
        slug = agent_slug_of(seen)
        declared = self.agents.get(slug)
        if slug.startswith(UNRECOGNIZED_PREFIX) or (declared and declared.clients):
            return UNRECOGNIZED_PREFIX + slug.removeprefix(UNRECOGNIZED_PREFIX)
        return slug


def agent_slug_of(name: str) -> str:
    """A name as the slug of an agent: `Claude Code` is `claude-code`, `x` is `client-x`."""
    slug = slug_of(name)
    return slug if is_agent(slug) else SHORT_PREFIX + slug


def slug_of(name: str, otherwise: str = UNKNOWN_AGENT) -> str:
    """A name as a slug: ASCII letters in lower case, digits, `_`, `-`; all else one dash; `otherwise` if none is left.

    Letters outside ASCII are not folded into it: a look-alike of a name is not that name.
    """
    dashed = re.sub(r"[^A-Za-z0-9_-]+", "-", name).lower()
    return dashed.strip("-_")[:LONGEST_MADE_SLUG].rstrip("-_") or otherwise

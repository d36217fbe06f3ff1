"""What an agent can be called: one rule, however it comes by its name.

An agent that is declared in a policy, pinned by a launching config, proven by a credential or named after its client
obeys it, and so does whoever grants it something. The invariant: whatever connects can be spoken of.
"""

import re

from mcp_guard.errors import GuardError

AGENT_RULE = "3 to 100 characters: a-z, 0-9, `_` and `-`, with a letter or digit at both ends"

_AGENT = re.compile(r"[a-z0-9][a-z0-9_-]{1,98}[a-z0-9]")


def is_agent(slug: str) -> bool:
    """Whether this can be the slug of an agent."""
    return _AGENT.fullmatch(slug) is not None


def check_pinned(agent: str | None) -> None:
    """Whether a launching config may pin this agent (None: it pins none). Raises GuardError."""
    if agent is not None and not is_agent(agent):
        raise GuardError(f"--agent: {agent!r} cannot be the slug of an agent", f"it is {AGENT_RULE}")

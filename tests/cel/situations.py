"""What the tests of the condition language share: the variables of a policy, and one call to judge."""

from mcp_guard.cel.types import BOOL, DYN, STRING, list_of, map_of, record

NAMED = {"id": STRING, "name": STRING, "slug": STRING, "tags": list_of(STRING)}
POLICY_VARIABLES = {
    "agent": record("agent", {**NAMED, "verified": BOOL}),
    "user": record(
        "user", {"id": STRING, "name": STRING, "email": STRING, "groups": list_of(STRING), "verified": BOOL}
    ),
    "mcp": record("mcp", {**NAMED, "tool": record("mcp.tool", {"name": STRING, "tags": list_of(STRING)})}),
    "request": record("request", {"args": map_of(STRING, DYN)}),
}

FACTS = {
    "agent": {"id": "a1", "name": "Claude Code", "slug": "claude-code", "tags": ["trusted", "cli"], "verified": True},
    "user": {"id": "u1", "name": "Alice", "email": "alice@acme.com", "groups": ["admin", "eng"], "verified": False},
    "mcp": {
        "id": "m1",
        "name": "GitHub",
        "slug": "github",
        "tags": ["prod"],
        "tool": {"name": "create_pull_request", "tags": ["writes"]},
    },
}


def call(**arguments):
    """The variables of a call with these arguments."""
    return {**FACTS, "request": {"args": arguments}}

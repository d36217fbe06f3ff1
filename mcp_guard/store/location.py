"""Where the audit log is, where nobody says otherwise."""

import os

VARIABLE = "MCP_GUARD_DB"


def default_database() -> str:
    """The path in `MCP_GUARD_DB`, else `audit.db` in the user's data directory of this system."""
    path = os.environ.get(VARIABLE)
    if path:
        return path
    from mcp_guard import user_directories

    return os.path.join(user_directories.data(), "audit.db")

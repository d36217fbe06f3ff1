"""Many guarded servers as one: names, ids and lists put together, each call judged by its own server's gate."""

from mcp_guard.gate.hub.arm import Guarded, Member, OpenGate
from mcp_guard.gate.hub.desk import Addressed
from mcp_guard.gate.hub.hub import Hub
from mcp_guard.gate.hub.naming import DEFAULT_PREFIX
from mcp_guard.gate.hub.patience import DEFAULT_WAIT, Patience, Tardy

__all__ = ["DEFAULT_PREFIX", "DEFAULT_WAIT", "Addressed", "Guarded", "Hub", "Member", "OpenGate", "Patience", "Tardy"]

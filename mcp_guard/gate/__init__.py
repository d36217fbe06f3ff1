"""JSON-RPC in, decisions and JSON-RPC out: the proxied MCP connection as a machine without I/O."""

from mcp_guard.gate.connection import Connection, Mode
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.outputs import Admitted, Denied, End, Forward, Output, Pending, Record, Refusal, Reply, Unwritten

__all__ = [
    "Admitted",
    "Connection",
    "Denied",
    "End",
    "Forward",
    "Gate",
    "Mode",
    "Output",
    "Pending",
    "Record",
    "Refusal",
    "Reply",
    "Unwritten",
]

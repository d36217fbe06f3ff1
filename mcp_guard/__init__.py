"""mcp-guard: a local policy proxy between an AI agent's client and its MCP servers.

The rooms, bottom to top: `cel` (conditions), `policy` (rules), `events` (what can be recorded), `gate` (JSON-RPC in,
decisions and JSON-RPC out), then the edge: `store`, `transports`, `insight`, `cli`. See ARCHITECTURE.md.
"""

__version__ = "0.1.0"

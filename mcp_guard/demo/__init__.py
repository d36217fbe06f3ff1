"""What `mcp-guard demo` runs: an office as an MCP server, a policy for it, a client with a script."""

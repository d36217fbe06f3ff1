"""The API beside MCP: requests in, answers out."""

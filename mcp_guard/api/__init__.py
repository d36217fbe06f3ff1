"""What `serve` answers beside MCP: the registry as a REST API, metrics, and telemetry that comes in."""

"""What `mcp-guard doctor` looks at, one module a subject. Each gives findings, and changes nothing."""

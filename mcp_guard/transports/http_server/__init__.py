"""The client's side over HTTP: streamable HTTP in both eras, and HTTP with SSE as of 2024-11-05."""

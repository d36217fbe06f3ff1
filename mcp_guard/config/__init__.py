"""The configuration file: `guard.yaml`, or the `mcpServers` JSON that clients write. Pure: bytes in, values out."""

from mcp_guard.config.loading import ConfigError, load
from mcp_guard.config.values import Auth, GuardConfig, HttpServer, ServerConfig, StdioServer

__all__ = ["Auth", "ConfigError", "GuardConfig", "HttpServer", "ServerConfig", "StdioServer", "load"]

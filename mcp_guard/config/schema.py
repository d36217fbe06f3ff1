"""The JSON Schema of a configuration file, for editors."""

from typing import cast

from mcp_guard.config.document import GuardDocument, ServerSection
from mcp_guard.policy.schema import Schema, schema_of


def json_schema() -> Schema:
    """The schema of the guard's own form, as plain data. A server has a command or a URL."""
    schema = schema_of(GuardDocument, "mcp-guard configuration")
    server = cast("dict[str, Schema]", schema["$defs"])[ServerSection.__name__]
    server["oneOf"] = [{"required": ["command"]}, {"required": ["url"]}]
    schema["required"] = ["servers"]
    return schema

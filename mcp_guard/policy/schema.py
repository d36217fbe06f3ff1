"""The JSON Schema of a document, for editors."""

from typing import cast

import msgspec

from mcp_guard.policy.document import CallSection, PolicyDocument
from mcp_guard.policy.expecting import KINDS
from mcp_guard.policy.shapes import Section

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, object]


def json_schema() -> Schema:
    """The schema of a policy file, as plain data."""
    schema = schema_of(PolicyDocument, "mcp-guard policy")
    calls = cast("dict[str, Schema]", schema["$defs"])[CallSection.__name__]
    calls["oneOf"] = [{"required": [field]} for field in KINDS]
    return schema


def schema_of(shape: type[Section], title: str) -> Schema:
    """The schema of a document of this shape, as plain data."""
    (root,), sections = msgspec.json.schema_components([shape], ref_template="#/$defs/{name}")
    top = cast(Schema, sections.pop(shape.__name__, root))
    schema = cast(Schema, _tidied({**top, "$defs": sections}))
    return {"$schema": DIALECT, **schema, "title": title}


def _tidied(part: object) -> object:
    """The schema without titles that say each name again, and with "one text or many" in place of "many"."""
    if isinstance(part, list):
        return [_tidied(item) for item in cast(list[object], part)]
    if not isinstance(part, dict):
        return part
    members = cast(Schema, part)
    replaced = {"type", "items"} if "anyOf" in members else set[str]()
    return {
        name: _tidied(member)
        for name, member in members.items()
        if name not in replaced and not (name == "title" and isinstance(member, str))
    }

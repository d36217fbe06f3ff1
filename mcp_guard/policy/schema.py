"""The JSON Schema of a policy file, for editors."""

from typing import cast

from mcp_guard.policy.document import PolicyDocument

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, object]


def json_schema() -> Schema:
    """The schema, as plain data. A field that may be left out may not be there with nothing in it."""
    schema = cast(Schema, _without_null(PolicyDocument.model_json_schema()))
    return {"$schema": DIALECT, **schema, "title": "mcp-guard policy"}


def _without_null(part: object) -> object:
    """The schema without `null` alternatives, null defaults, and the titles that say each name again."""
    if isinstance(part, list):
        return [_without_null(item) for item in cast(list[object], part)]
    if not isinstance(part, dict):
        return part
    members = cast(Schema, part)
    kept = {
        name: _without_null(member)
        for name, member in members.items()
        if not (name == "default" and member is None) and not (name == "title" and isinstance(member, str))
    }
    return _collapsed(kept)


def _collapsed(members: Schema) -> Schema:
    alternatives = members.get("anyOf")
    if not isinstance(alternatives, list):
        return members
    left = [one for one in cast(list[Schema], alternatives) if one.get("type") != "null"]
    if len(left) > 1:
        return {**members, "anyOf": left}
    return {**left[0], **{name: member for name, member in members.items() if name != "anyOf"}}

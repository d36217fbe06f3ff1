"""The API described (OpenAPI 3.1), from the table that routes requests and the types that read and write bodies."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mcp_guard import __version__
from mcp_guard.api import values as v
from mcp_guard.api.problems import PROBLEM, Problem
from mcp_guard.api.routes import Route

Schema = dict[str, Any]

PATH = "/api/openapi.json"
_REF = "#/components/schemas/{name}"
_ANY = (400, 401, 403, 405, 503)  # what any request may meet
_OF_BODIES = (413, 415, 422)
_MEANINGS = {
    200: "Done",
    201: "Made",
    400: "The request cannot be read",
    401: "A bearer token is needed, or this one is not valid",
    403: "The token has no role, or not the one that is needed",
    404: "There is no such thing",
    405: "This method is not for this path",
    409: "It cannot be, with what is there already",
    413: "The body is too large",
    415: "The body is not JSON by its Content-Type",
    422: "What is asked for can never be",
    503: "The registry cannot be read or written now, or too much waits",
}

EXAMPLES: Mapping[type[v.Input], object] = {
    v.NewAgent: {"slug": "claude-code", "name": "Claude Code", "owner": "platform-team", "risk": "high"},
    v.AgentChange: {"owner": "platform-team", "tags": ["reviewed"]},
    v.Because: {"reason": "looks at mail it should not"},
    v.Minimum: {"minimum": 0.9},
    v.NewCredential: {"expires_at": "2099-01-31T00:00:00Z"},
    v.NewPermission: {
        "agent": "claude-code",
        "pattern": "github:create_*",
        "effect": "allow",
        "reason": "release week",
    },
    v.NewOverride: {"pattern": "delete_*", "effect": "deny", "reason": "freeze"},
    v.Stop: {"agent": None, "reason": "incident 7"},
    v.Resume: {"agent": None, "reason": "all clear"},
    v.NewBudget: {"agent": "claude-code", "window": "hour", "amount": 500},
    v.Approve: {"scope": "once", "comment": "as agreed"},
    v.Deny: {"comment": "not on a Friday"},
    v.NewEvaluation: {"agent": "claude-code", "pass_rate": 0.93, "suite": "nightly"},
}

# What the types do not say: that an approval which is a grant, and only that, has an end; that there are no parts of
# calls; and that what is approved ahead has an end, too.
_RULES: Mapping[str, Schema] = {
    "Approve": {
        "anyOf": [
            {"properties": {"scope": {"enum": ["once", "session"]}, "expires_at": {"type": "null"}}},
            {
                "properties": {"scope": {"const": "grant"}, "expires_at": {"type": "string"}},
                "required": ["scope", "expires_at"],
            },
        ]
    },
    "NewPermission": {
        "anyOf": [
            {"properties": {"effect": {"enum": ["allow", "deny"]}}},
            {
                "properties": {"effect": {"const": "approve"}, "expires_at": {"type": "string"}},
                "required": ["expires_at"],
            },
        ]
    },
    "NewBudget": {
        "anyOf": [
            {"properties": {"window": {"const": "month"}}},
            {"properties": {"window": {"enum": ["minute", "hour", "day"]}, "amount": {"type": "integer"}}},
        ]
    },
}


def described(routes: Sequence[Route]) -> Schema:
    """The description of these routes, as plain data."""
    bodies = [route.takes for route in routes if route.takes is not None]
    answers = [route.gives for route in routes]
    _, components = msgspec.json.schema_components([*bodies, *answers, Problem], ref_template=_REF)
    components = {name: {**schema, **_RULES.get(name, {})} for name, schema in components.items()}
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mcp-guard",
            "version": __version__,
            "summary": "The registry of agents, and what they may do",
            "description": "Every change is in force for the next call of every guard on the same file, and an event "
            "in the audit log. Tokens with the role auditor may read; those with the role security may write as well.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> Schema:
    refuses = {*_ANY, *route.refuses, *(_OF_BODIES if route.takes is not None else ())}
    operation: Schema = {
        "operationId": operation_id(route),
        "summary": route.does,
        "tags": [route.path.split("/")[2]],
        "parameters": [*_variables(route.path), *_parameters(route.query)],
        "responses": {
            str(route.status): {"description": _MEANINGS[route.status], "content": _json(_schema(route.gives))},
            **{str(status): _refusal(status) for status in sorted(refuses)},
        },
        "x-role": route.role,
    }
    if route.takes is not None:
        required = bool(_schema_of(route.takes).get("required"))
        content = {"schema": _schema(route.takes), "examples": {"example": {"value": EXAMPLES[route.takes]}}}
        operation["requestBody"] = {"required": required, "content": {"application/json": content}}
    return operation


def operation_id(route: Route) -> str:
    """A name of an operation: its method and the words of its path."""
    words = [part.strip("{}") for part in route.path.split("/")[2:]]
    return "_".join([route.method.lower(), *(word.replace("-", "_").replace(".", "_") for word in words)])


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _refusal(status: int) -> Schema:
    return {"description": _MEANINGS[status], "content": {PROBLEM: {"schema": _schema(Problem)}}}


def _schema(kind: Any) -> Schema:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


def _schema_of(kind: Any) -> Schema:
    (schema,), components = msgspec.json.schema_components([kind])
    return components[schema["$ref"].rpartition("/")[2]]


def _variables(path: str) -> list[Schema]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    schema = {"type": "string", "minLength": 1, "maxLength": 256}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _parameters(query: type[v.Input]) -> list[Schema]:
    properties: Mapping[str, Schema] = _schema_of(query)["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": one} for name, one in properties.items()]

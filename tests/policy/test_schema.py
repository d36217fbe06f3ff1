"""The JSON Schema says what the loader says, as far as a schema can."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mcp_guard.policy.schema import json_schema
from tests.policy.making import briefly

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
ROOT = Path(__file__).parents[2]
POLICIES = [
    *sorted((ROOT / "policies").glob("*.yaml")),
    ROOT / "examples" / "policy.yaml",
    ROOT / "mcp_guard" / "demo" / "policy.yaml",
    ROOT / "mcp_guard" / "clients" / "starter.yaml",
]

RULE = "version: 1\nrules: [{name: a, effect: allow, SOMETHING}]"
FAULTS = [
    "version: 2",
    "rules: []",
    "version: 1\nrulez: []",
    RULE.replace("SOMETHING", "toolz: a"),
    RULE.replace("SOMETHING", "tools: []"),
    RULE.replace("SOMETHING", "tools: null"),
    RULE.replace("SOMETHING", "tools: 4"),
    RULE.replace("SOMETHING", "when: null"),
    RULE.replace("SOMETHING", "status: on"),
    "version: 1\nrules: [{name: a, effect: null}]",
    "version: 1\nsettings: {unlisted_tools: allow}",
    "version: 1\ntests: [{name: a, call: {server: s}, expect: deny}]",
    "version: 1\ntests: [{name: a, call: {server: s, tool: t, prompt: p}, expect: deny}]",
    "version: 1\nsettings: {ungoverned_prompts: policy}",
    RULE.replace("SOMETHING", "resources: []"),
]
SOUND = [
    "version: 1",
    RULE.replace("SOMETHING", "tools: a"),
    RULE.replace("SOMETHING", "prompts: a, resources: ['a:b']"),
    "version: 1\nsettings: {ungoverned_prompts: deny, ungoverned_resources: allow}",
    "version: 1\ntests: [{name: a, call: {server: s, prompt: p, args: {}}, expect: deny}]",
    "version: 1\ntests: [{name: a, call: {server: s, resource: 'a:b'}, expect: deny}]",
    RULE.replace("SOMETHING", "tools: [a, b], agents: xyz"),
    "version: 1\nagents: {cursor: {tags: [], clients: a}}",
    "version: 1\ntests: [{name: a, call: {server: s, tool: t, args: {a: [1, {b: null}]}}, expect: deny}]",
]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"] == "mcp-guard policy"
    assert "null" not in str(SCHEMA)


@pytest.mark.parametrize("text", FAULTS)
def test_what_the_loader_refuses_an_editor_underlines(text: str) -> None:
    assert briefly(text)
    assert not VALIDATOR.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("text", SOUND + [path.read_text() for path in POLICIES])
def test_what_the_loader_takes_an_editor_takes(text: str) -> None:
    assert [found for found in briefly(text) if "no-rules" not in found] == []
    assert VALIDATOR.is_valid(yaml.safe_load(text))

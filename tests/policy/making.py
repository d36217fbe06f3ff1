"""Policies and calls for tests, in few words."""

from collections.abc import Mapping

from mcp_guard.policy import Call, Diagnostic, Policy, PolicyError, Principal, Source, load
from mcp_guard.policy.values import Json


def source(text: str | bytes, path: str = "policy.yaml") -> Source:
    return Source(path, text if isinstance(text, bytes) else text.encode())


def policy_of(*texts: str) -> Policy:
    """The policy of one file, or of several, called policy.yaml, policy2.yaml, …"""
    names = ["policy.yaml", *(f"policy{number}.yaml" for number in range(2, len(texts) + 1))]
    return load([source(text, name) for text, name in zip(texts, names, strict=True)])


def rules(*given: str) -> str:
    """A policy text of these rules, each in YAML's flow style."""
    return "version: 1\nrules:\n" + "".join(f"  - {rule}\n" for rule in given)


def findings(text: str | bytes, path: str = "policy.yaml") -> tuple[Diagnostic, ...]:
    """Everything that is found wrong in one file."""
    try:
        return load([source(text, path)]).warnings
    except PolicyError as error:
        return error.diagnostics


def briefly(text: str | bytes, path: str = "policy.yaml") -> list[str]:
    """The findings as `line:column code`."""
    return [f"{found.place.line}:{found.place.column} {found.code}" for found in findings(text, path)]


ALICE = Principal(agent="claude-code", user="alice@acme.com")


def call(tool: str = "t", args: Mapping[str, Json] | None = None, *, server: str = "s", by: Principal = ALICE) -> Call:
    return Call(by, server, tool, args or {})

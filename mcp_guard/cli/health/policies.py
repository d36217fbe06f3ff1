"""Whether the policies that guards were told to read can be read, and those that stand in a guard.yaml."""

import os
from collections.abc import Iterator, Sequence

from mcp_guard.cli.guard import load_policy, user_policy
from mcp_guard.cli.health.finding import Finding, typed_path
from mcp_guard.cli.health.guards import Seen, guards
from mcp_guard.cli.output import counted, short
from mcp_guard.cli.policy_files import PolicyFiles
from mcp_guard.errors import GuardError
from mcp_guard.policy.diagnostics import PolicyError


def policy_paths(servers: Sequence[Seen]) -> list[tuple[str, ...]]:
    """Each policy that some guard reads, as its files; the user's own is one where it is there."""
    named = [one.policy or user_policy() for one in guards(servers) if one.config is None or one.policy]
    return list(dict.fromkeys(paths for paths in (*named, user_policy()) if paths))


def check(servers: Sequence[Seen]) -> Iterator[Finding]:
    """A finding for each policy, and for each configuration of several servers."""
    paths = policy_paths(servers)
    for policy in paths:
        yield _policy(policy)
    for config in dict.fromkeys(one.config for one in guards(servers) if one.config is not None):
        yield _config(config)
    if not paths and any(True for _ in guards(servers)):
        hint = "mcp-guard init writes a starter policy; `--policy FILE` names one"
        yield Finding("warning", "policy", "there is none: every call is denied", hint)


def _policy(paths: tuple[str, ...]) -> Finding:
    subject = "policy " + ", ".join(map(short, paths))
    check_it = f"mcp-guard policy check {' '.join(map(typed_path, paths))}"
    try:
        policy = load_policy(PolicyFiles(paths).read())
    except PolicyError as error:
        return Finding("error", subject, f"refused: {counted(len(error.diagnostics), 'finding')}", check_it)
    except GuardError as error:
        return Finding("error", subject, error.message, error.hint)
    if policy.warnings:
        return Finding("warning", subject, f"loads, with {counted(len(policy.warnings), 'warning')}", check_it)
    return Finding("ok", subject, f"loads: {counted(len(policy.rules), 'rule')}")


def _config(path: str) -> Finding:
    from mcp_guard.cli.reading import read_file
    from mcp_guard.config import ConfigError, load
    from mcp_guard.policy import Source

    subject = f"configuration {short(path)}"
    try:
        config = load(Source(path, read_file(path, "configuration")))
    except ConfigError:
        return Finding("error", subject, "refused", f"mcp-guard config check {typed_path(path)}")
    except GuardError as error:
        return Finding("error", subject, error.message, "mcp-guard init --undo takes its guard out")
    return Finding("ok", subject, f"loads: {counted(len(config.servers), 'server')}")


def in_use(servers: Sequence[Seen]) -> list[str]:
    """The paths of all policies and configurations that guards read and that are there."""
    configs = [one.config for one in guards(servers) if one.config is not None]
    return [
        path
        for path in dict.fromkeys((*(p for paths in policy_paths(servers) for p in paths), *configs))
        if os.path.exists(path)
    ]

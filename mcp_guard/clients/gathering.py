"""Several servers of a client behind one guard: what its guard.yaml holds, and the one entry that starts it.

Only what means the same there is taken over. A server with a reference that only its client can fill in, or with a list
of tools that narrows what it offers, stays where it is.
"""

import re
from collections.abc import Mapping

import msgspec

from mcp_guard.clients.json_text import URLS
from mcp_guard.clients.values import ConfigFile, Server
from mcp_guard.clients.wrapping import Launch, Left, wrapping
from mcp_guard.policy.values import Json

GUARD_NAME = "mcp-guard"

_NARROWING = (
    "includeTools", "excludeTools", "enabledTools", "disabledTools", "enabled_tools", "disabled_tools", "tools",
    "default_tools_approval_mode",
)  # fmt: skip
_ELSEWHERE = ("envFile", "sandboxEnabled", "sandbox", "dev")
_REFERENCE = re.compile(r"\$\{(?:env:)?(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|\$(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\$")
_FILLED_IN: dict[str, frozenset[str]] = {  # what a client takes for a variable of its environment
    "claude-code": frozenset({"braced"}),
    "gemini-cli": frozenset({"braced", "bare"}),
    "cursor": frozenset({"env"}),
    "vscode": frozenset({"env"}),
    "windsurf": frozenset({"env"}),
    "claude-desktop": frozenset(),
    "codex": frozenset(),
}


class Gathered(msgspec.Struct, frozen=True):
    """The servers that go behind one guard, the entry that starts it, and what its guard.yaml holds."""

    servers: tuple[str, ...]
    entry: Mapping[str, Json]
    guard: Mapping[str, Json]


def gathered(file: ConfigFile, servers: Mapping[str, tuple[str, Json]], launch: Launch, path: str) -> Gathered | None:
    """Those of the servers (by name: slug and entry) that can go behind one guard; None where none can."""
    kept: dict[str, tuple[str, dict[str, Json]]] = {}
    variables: list[Json] = []
    for name, (slug, server) in servers.items():
        if isinstance(server, dict) and not isinstance(wrapping(server, slug, launch), Left):
            taken = _taken_over(server, file.client)
            if taken is not None:
                kept[name] = slug, taken
                named = server.get("env_vars", [])
                variables += [*(named if isinstance(named, list) else []), *_of_headers(server)]
    if not kept:
        return None
    words: list[Json] = [*launch.program[1:], "run", *launch.options, "--config", path]
    entry: dict[str, Json] = {"command": launch.program[0], "args": words}
    if variables:
        entry["env_vars"] = variables
    if file.client == "gemini-cli" and (names := _referred(kept)):
        entry["env"] = names
    if file.client == "vscode":
        entry = {"type": "stdio", **entry}
    return Gathered(tuple(kept), entry, {"servers": dict(kept.values())})


def _referred(kept: Mapping[str, tuple[str, Json]]) -> dict[str, Json]:
    """The variables that are referred to, each as itself: Gemini CLI gives servers none that looks like a secret."""
    names = (found["braced"] for found in _REFERENCE.finditer(str(kept).replace("$$", "")) if found["braced"])
    return {name: f"${name}" for name in names}


def _of_headers(server: Server) -> list[Json]:
    headers, bearer = server.get("env_http_headers"), server.get("bearer_token_env_var")
    return [*(headers.values() if isinstance(headers, dict) else ()), *([bearer] if bearer else ())]


def _taken_over(server: Server, client: str) -> dict[str, Json] | None:
    """A server in the guard's own form; None where something in it has no like there."""
    cwd = server.get("cwd")
    if any(field in server for field in (*_NARROWING, *_ELSEWHERE)):
        return None
    if server.get("disabled") is True or server.get("enabled") is False:
        return None
    if isinstance(cwd, str) and not re.match(r"/|[A-Za-z]:[/\\]", cwd):
        return None
    fields = {name: server[name] for name in ("command", "args", "env", "cwd") if name in server}
    url = next((server[name] for name in URLS if name in server), None)
    if url is not None:
        fields = {"url": url, **({"transport": "sse"} if server.get("type") == "sse" else {})}
    try:
        taken = {name: _translated(value, client) for name, value in fields.items()}
        headers = _translated(server.get("headers", server.get("http_headers", {})), client)
    except LookupError:
        return None
    assert isinstance(headers, dict)
    more = server.get("env_http_headers", {})
    headers |= {name: f"${{{value}}}" for name, value in more.items()} if isinstance(more, dict) else {}
    if "bearer_token_env_var" in server:
        headers["Authorization"] = f"Bearer ${{{server['bearer_token_env_var']}}}"
    return {**taken, "headers": headers} if headers else taken


def _translated(value: Json, client: str) -> Json:
    """The value with its references as the guard writes them. Raises LookupError for one that it has no like of."""
    if isinstance(value, list):
        return [_translated(one, client) for one in value]
    if isinstance(value, dict):
        return {name: _translated(one, client) for name, one in value.items()}
    return _REFERENCE.sub(lambda found: _reference(found, client), value) if isinstance(value, str) else value


def _reference(found: "re.Match[str]", client: str) -> str:
    known = _FILLED_IN[client]
    kind = "bare" if found["bare"] else "env" if found[0].startswith("${env:") else "braced" if found["braced"] else ""
    if kind in known:
        return f"${{{found['braced'] or found['bare']}}}"
    if found.string[found.start() : found.start() + 2] == "${" and known:
        raise LookupError(found[0])
    return found[0].replace("$", "$$")

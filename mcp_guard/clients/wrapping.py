"""A server's entry with the guard in front: which operations make it so, or why it is left as it is.

A secret stays in the file it is in and under a key whose value the client itself fills in and gives to the guard as an
environment variable (`env`). It is never an argument: those can be read by every process of the machine.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from mcp_guard.clients.json_text import URLS
from mcp_guard.clients.operations import Add, Drop, Operation, Prepend, Put, Rename
from mcp_guard.clients.values import Server
from mcp_guard.policy.values import Json

_HTTP = frozenset({"http", "streamable-http", "streamableHttp", "streamable_http"})
_LOGINS = (
    "oauth", "auth", "headersHelper", "authProviderType", "targetAudience", "targetServiceAccount", "oauth_resource",
    "requestInit", "bearer_token", "experimental_environment",
)  # fmt: skip
_GUARDS = frozenset({"mcp-guard", "mcp_guard"})
_RUNNERS = frozenset({"uvx", "uv", "pipx"})
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Launch(msgspec.Struct, frozen=True):
    """How a guard is started: the program (with what comes before `run`), and the options that all servers share."""

    program: Sequence[str]
    options: Sequence[str]


class Left(msgspec.Struct, frozen=True):
    """Why a server is left as it is. `is_guarded`: because a guard stands before it already."""

    why: str
    is_guarded: bool = False


Wrapping: TypeAlias = "Sequence[Operation] | Left"


def is_guard(server: Server) -> bool:
    """Whether what the client starts is a guard, whoever wrote it there."""
    command, args = server.get("command"), server.get("args")
    if not isinstance(command, str):
        return False
    words = [word for word in args if isinstance(word, str)] if isinstance(args, list) else []
    own = words[: words.index("--")] if "--" in words else words
    program = base_name(command)
    starts = program in _GUARDS or any(
        (program in _RUNNERS and base_name(word) in _GUARDS) or (before == "-m" and word == "mcp_guard")
        for before, word in zip(["", *own], own, strict=False)
    )
    return starts and "run" in own


def base_name(command: str) -> str:
    """The name of a program, on any system, without the ending that Windows gives it."""
    return re.split(r"[/\\]", command)[-1].removesuffix(".exe").lower()


def wrapping(server: Json, slug: str, launch: Launch) -> Wrapping:
    """What puts the guard in front of a server."""
    if not isinstance(server, dict):
        return Left("not a server")
    if is_guard(server):
        return Left("guarded", is_guarded=True)
    url = next((field for field in URLS if field in server), None)
    if "command" in server and url is None:
        return _local(server, slug, launch)
    if url is not None and "command" not in server:
        return _remote(server, url, slug, launch)
    return Left("it has both a command and a URL" if url else "it has neither a command nor a URL")


def _local(server: Server, slug: str, launch: Launch) -> Wrapping:
    command, args = server["command"], server.get("args", [])
    if not isinstance(command, str) or not command.strip():
        return Left("its command is not a text")
    if not isinstance(args, list) or not all(isinstance(word, str) for word in args):
        return Left("its arguments are not a list of texts")
    if " " in command and "/" not in command and "\\" not in command:
        return Left("its command is a whole command line: write the program as `command`, the rest as `args`")
    words = [*launch.program[1:], "run", *launch.options, "--server", slug, "--", command]
    put = Put("command", launch.program[0])
    return [put, Prepend("args", words) if "args" in server else Add("command", "args", list[Json](words))]


def _remote(server: Server, field: str, slug: str, launch: Launch) -> Wrapping:
    url, kind = server[field], server.get("type", server.get("transport", "http"))
    headers = server.get("headers", server.get("http_headers", {}))
    if not isinstance(url, str) or not re.match(r"https?://|\$", url):
        return Left("its URL is none of http")
    if kind != "sse" and kind not in _HTTP:
        return Left("it is reached in a way that the guard does not know")
    login = next((name for name in _LOGINS if name in server), None)
    if login is not None:
        return Left(f"the client logs in to it in a way of its own (`{login}`)")
    if "@" in url.split("://", 1)[-1].split("/")[0]:
        return Left("its URL holds a password: write it as a header")
    if "env" in server or "args" in server:
        return Left("it has a URL and what belongs to a command")
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        return Left("its headers are not texts")
    more = server.get("env_http_headers")
    if not all(_HEADER.match(name) for name in (*headers, *(more if isinstance(more, dict) else ()))):
        return Left("the name of one of its headers is none")
    return _reached(server, field, url, kind == "sse", launch, slug, headers)


def _reached(
    server: Server, field: str, url: str, old: bool, launch: Launch, slug: str, headers: Mapping[str, Json]
) -> Wrapping:
    names = _variables(headers)
    hidden = {"MCP_GUARD_URL": url} if "$" in url or "?" in url else {}
    words = [*launch.program[1:], "run", *launch.options, "--server", slug]
    words += ["--url", "%{MCP_GUARD_URL}" if hidden else url, *(("--transport", "sse") if old else ())]
    passed = _passed(server)
    if passed is None:
        return Left("what it names as variables of the environment are none")
    lines = [*((name, variable) for name, variable in names.items()), *passed.headers]
    words += [word for name, variable in lines for word in ("--header", f"{name}: {variable}")]
    operations: list[Operation] = [Put(field, launch.program[0], "command")]
    operations += [Put(name, "stdio") for name in ("type", "transport") if name in server]
    present = next((name for name in ("headers", "http_headers") if name in server), None)
    if present is not None:
        variables = {name: variable.strip("%{}") for name, variable in names.items()}
        operations.append(Rename(present, "env", variables, hidden))
    added = [Add(field, "args", list[Json](words))]
    if hidden and present is None:
        added.append(Add(field, "env", dict[str, Json](hidden)))
    if passed.variables:
        added.append(Add(field, "env_vars", list[Json](passed.variables)))
    return [*operations, *added, *(Drop(name) for name in passed.fields)]


class _Passed(msgspec.Struct, frozen=True):
    """Codex: headers out of the client's own environment, and the fields that say so."""

    headers: Sequence[tuple[str, str]]
    variables: Sequence[str]
    fields: Sequence[str]


def _passed(server: Server) -> _Passed | None:
    bearer, headers = server.get("bearer_token_env_var"), server.get("env_http_headers", {})
    fields = [name for name in ("bearer_token_env_var", "env_http_headers") if name in server]
    named: dict[str, Json] = {**headers} if isinstance(headers, dict) else {"": None}
    found = [(name, f"%{{{variable}}}", variable) for name, variable in named.items()]
    if "bearer_token_env_var" in server:
        found.append(("Authorization", f"Bearer %{{{bearer}}}", bearer))
    variables = [variable for _, _, variable in found if isinstance(variable, str) and _VARIABLE.match(variable)]
    if len(variables) != len(found):
        return None
    return _Passed([(name, text) for name, text, _ in found], list(dict.fromkeys(variables)), fields)


def _variables(headers: Mapping[str, Json]) -> dict[str, str]:
    """For each header the reference to the variable in which the guard gets its value."""
    found: dict[str, str] = {}
    for name in headers:
        variable = "MCP_GUARD_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
        while f"%{{{variable}}}" in found.values():
            variable += "_"
        found[name] = f"%{{{variable}}}"
    return found

"""Bearer tokens of `serve`: from a file or the environment to credentials. The tokens themselves are kept nowhere.

A line of the file is a token, and what it proves: `TOKEN [user=ID] [agent=SLUG] [group=GROUP]…`; or
`TOKEN role=auditor|security [user=ID]` for one that is the API's, and no MCP client's. Empty lines and lines that begin
with `#` say nothing.
"""

import os
from collections.abc import Mapping

from mcp_guard.errors import GuardError
from mcp_guard.slugs import AGENT_RULE, is_agent
from mcp_guard.transports.http_server.access import Credential, digest_of
from mcp_guard.transports.http_server.requests import Role

SHORTEST = 16  # characters; a token that can be guessed is none
_HINT = "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


def read_tokens(file: str | None, variable: str | None, environment: Mapping[str, str]) -> tuple[Credential, ...]:
    """The credentials of a file and of an environment variable. Raises GuardError, which never quotes a token."""
    credentials = _from_file(file) if file is not None else []
    if variable is not None:
        token = environment.get(variable, "").strip()
        if not token:
            raise GuardError(f"the environment variable {variable} holds no token", "set it, or check --token-env")
        credentials.append(_credential(token, f"token in {variable}", f"the token in {variable}", []))
    return tuple(credentials)


def is_exposed(file: str) -> bool:
    """Whether others on this machine may read a file."""
    return os.name == "posix" and bool(os.stat(file).st_mode & 0o077)


def _from_file(file: str) -> list[Credential]:
    try:
        with open(file, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise GuardError(f"{file}: cannot read the tokens: {reason}", "check the path after --token-file") from None
    credentials = [
        _credential(words[0], f"token {number}", f"{file}:{number}: the token", words[1:])
        for number, line in enumerate(lines, 1)
        if (words := line.split()) and not words[0].startswith("#")
    ]
    if not credentials:
        raise GuardError(f"{file}: holds no token", _HINT)
    if len({credential.digest for credential in credentials}) < len(credentials):
        raise GuardError(f"{file}: a token stands there twice", "each client, or each user, gets its own")
    return credentials


def _credential(token: str, name: str, where: str, facts: list[str]) -> Credential:
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable():
        raise GuardError(f"{where} is shorter than {SHORTEST} characters, or not plain ASCII", _HINT)
    known: dict[str, str] = {}
    groups: list[str] = []
    for fact in facts:
        key, equals, value = fact.partition("=")
        if not (equals and value) or key not in ("user", "agent", "group", "role") or key in known:
            raise GuardError(f"{where} is followed by what is not user=ID, agent=SLUG, group=GROUP or role=ROLE")
        if key == "group":
            groups.append(value)
        else:
            known[key] = value
    role = _role(known.get("role"), where)
    if role is not None and (groups or "agent" in known):
        raise GuardError(f"{where} has a role, so it is no client's: it cannot have agent=SLUG or group=GROUP as well")
    if "agent" in known and not is_agent(known["agent"]):
        raise GuardError(f"{where} is followed by an agent=SLUG that is none", f"it is {AGENT_RULE}")
    return Credential(name, digest_of(token), known.get("user"), known.get("agent"), tuple(groups), role)


def _role(text: str | None, where: str) -> Role | None:
    if text is None or text == "auditor" or text == "security":
        return text
    raise GuardError(f"{where} has a role that there is not", "it is auditor (reads) or security (reads and writes)")

"""The servers in the clients' configurations, and what each guard among them was told: what the other checks go by."""

from collections.abc import Iterator, Sequence

import msgspec

from mcp_guard.cli.run_arguments import RunArguments, parse
from mcp_guard.clients import files, records, syntaxes
from mcp_guard.clients.values import ConfigFile, Scope, Section, Server, sections
from mcp_guard.clients.wrapping import is_guard
from mcp_guard.errors import GuardError
from mcp_guard.policy.tree import UnreadableError


class Seen(msgspec.Struct, frozen=True):
    """A server in a client's file. `arguments`: those of its guard, None where none stands before it; `unclear`: where
    there is one whose arguments cannot be read; `foreign`: where it came with a project, which then says what its
    program, policy and log are.
    """

    file: ConfigFile
    scope: Scope
    name: str
    server: Server
    arguments: RunArguments | None
    unclear: bool = False
    foreign: bool = False

    @property
    def command(self) -> Sequence[str]:
        """The program of the server itself and its arguments; empty for one that is reached at a URL."""
        if self.arguments is not None:
            return self.arguments.command
        command, args = self.server.get("command"), self.server.get("args", [])
        words = args if isinstance(args, list) else []
        return (command, *(word for word in words if isinstance(word, str))) if isinstance(command, str) else ()


def seen(found: Sequence[ConfigFile]) -> tuple[list[Seen], dict[str, str]]:
    """All servers of these files; and for each file that cannot be read, why."""
    servers: list[Seen] = []
    unread: dict[str, str] = {}
    for file in found:
        try:
            data = syntaxes.data(file.syntax, files.read(file.path).text, file.path)
        except UnreadableError as error:
            place = error.diagnostic.place
            unread[file.path] = f"{error.diagnostic.message} (line {place.line}, column {place.column})"
            continue
        except GuardError as error:
            unread[file.path] = error.message
            continue
        servers += [
            _seen(file, section, name, server)
            for section in sections(file, data)
            for name, server in section.servers.items()
            if isinstance(server, dict)
        ]
    return servers, unread


def _seen(file: ConfigFile, section: Section, name: str, server: Server) -> Seen:
    if not is_guard(server):
        return Seen(file, section.scope, name, server, None)
    args = server.get("args", [])
    words = [word for word in args if isinstance(word, str)] if isinstance(args, list) else []
    arguments = parse(words[words.index("run") + 1 :])
    foreign = _is_foreign(file, section, name, server)
    return Seen(file, section.scope, name, server, arguments, arguments is None, foreign)


def _is_foreign(file: ConfigFile, section: Section, name: str, server: Server) -> bool:
    """Whether a project brought the guard, and no `init` on this machine."""
    if section.scope != "project":
        return False
    try:
        return not records.wrote(file.path, section.at, name, server)
    except GuardError:
        return True


def guards(servers: Sequence[Seen]) -> Iterator[RunArguments]:
    """The arguments of all guards, but for those that came with a project: what they name is not this user's."""
    for one in servers:
        if one.arguments is not None and not one.foreign:
            yield one.arguments

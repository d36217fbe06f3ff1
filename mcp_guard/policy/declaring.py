"""The sections `agents`, `servers`, `users` and `settings` of all files, put together.

An entry that stands in several files is one entry: tags, groups, patterns and tools add up, and the first name holds.
A setting that is given twice must be given the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import UNSET

from mcp_guard.policy.declarations import UNRECOGNIZED_PREFIX, Agent, Declarations, Server, User
from mcp_guard.policy.document import AgentSection, PolicyDocument, ServerSection, UserSection
from mcp_guard.policy.globs import Glob
from mcp_guard.policy.policy import Settings
from mcp_guard.policy.report import Report
from mcp_guard.policy.scope_checks import Fault, slug_fault, text_fault
from mcp_guard.policy.shapes import Checked
from mcp_guard.policy.tree import Path

LISTS = {"agents": ("tags", "clients"), "servers": ("tags",), "users": ("groups",)}
"""The lists of texts in each section's entries."""


def declarations(files: Sequence[Checked[PolicyDocument]], report: Report) -> Declarations:
    """All that the files declare. Faulty entries are reported."""
    agents: dict[str, Agent] = {}
    servers: dict[str, Server] = {}
    users: dict[str, User] = {}
    for file in files:
        for path, fault in _faults(file):
            report.error(fault.code, fault.message, file.tree.place(file.tree.key(path)), fault.hint)
        _add_agents(agents, file.document.agents)
        _add_servers(servers, file.document.servers)
        _add_users(users, file.document.users)
    return Declarations(agents, servers, users)


def settings(files: Sequence[Checked[PolicyDocument]], report: Report) -> Settings:
    """The settings that the files give, defaults for the rest."""
    given: dict[str, object] = {}
    for file in files:
        for name, value in msgspec.to_builtins(file.document.settings).items():
            if given.setdefault(name, value) != value:
                place = file.tree.place(file.tree.find(("settings", name)))
                report.error(
                    "conflicting-setting", f"`{name}` is `{_written(given[name])}` in a file before this one", place
                )
    return msgspec.structs.replace(Settings(), **given)


def _written(value: object) -> str:
    """A setting's value as it stands in a file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _add_agents(agents: dict[str, Agent], section: Mapping[str, AgentSection]) -> None:
    for slug, entry in section.items():
        before = agents.get(slug, Agent(slug))
        clients = (*before.clients, *(Glob.of(pattern) for pattern in entry.clients))
        agents[slug] = Agent(slug, before.name or entry.name, _united(before.tags, entry.tags), clients)


def _add_servers(servers: dict[str, Server], section: Mapping[str, ServerSection]) -> None:
    for slug, entry in section.items():
        before = servers.get(slug, Server(slug))
        tools = (*before.tools, *((Glob.of(name), tuple(tool.tags)) for name, tool in entry.tools.items()))
        given = ((Glob.of(name), tool.cost) for name, tool in entry.tools.items() if tool.cost is not UNSET)
        tags, costs = _united(before.tags, entry.tags), (*before.costs, *given)
        servers[slug] = Server(slug, before.name or entry.name, tags, tools, costs)


def _add_users(users: dict[str, User], section: Mapping[str, UserSection]) -> None:
    for identity, entry in section.items():
        before = users.get(identity, User(identity))
        groups = _united(before.groups, entry.groups)
        users[identity] = User(identity, before.name or entry.name, before.email or entry.email, groups)


def _united(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _faults(file: Checked[PolicyDocument]) -> Iterator[tuple[Path, Fault]]:
    """What is wrong with the slugs, ids, tags and patterns of one file."""
    document = file.document
    for slug in document.agents:
        if (fault := slug_fault(slug) or _reserved(slug)) is not None:
            yield ("agents", slug), fault
    for section, keys in (("servers", document.servers), ("users", document.users)):
        for key in keys:
            if (fault := text_fault(key)) is not None:
                yield (section, key), fault
    for path, text in _texts(file):
        if (fault := text_fault(text)) is not None:
            yield path, fault


def _reserved(slug: str) -> Fault | None:
    if not slug.startswith(UNRECOGNIZED_PREFIX):
        return None
    return Fault("bad-slug", f"slugs that begin with `{UNRECOGNIZED_PREFIX}` are the guard's own")


def _texts(file: Checked[PolicyDocument]) -> Iterator[tuple[Path, str]]:
    """Every tag, group and pattern of the declarations, with its path."""
    for section, names in LISTS.items():
        for key, entry in getattr(file.document, section).items():
            for name in names:
                for position, text in enumerate(getattr(entry, name)):
                    yield (section, key, name, position), text
    for slug, server in file.document.servers.items():
        for tool, entry in server.tools.items():
            yield ("servers", slug, "tools", tool), tool
            for position, tag in enumerate(entry.tags):
                yield ("servers", slug, "tools", tool, "tags", position), tag

"""What is known of a client, as plain values: its name, its files, and where in them servers stand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from mcp_guard.policy.values import Json

Scope = Literal["user", "project", "local"]
Syntax = Literal["json", "toml"]
System = Literal["linux", "macos", "windows"]
Path: TypeAlias = tuple[str, ...]
Server: TypeAlias = Mapping[str, Json]

ANY = "*"  # in the path of a section: every key there is


class Surroundings(msgspec.Struct, frozen=True):
    """Where to look: whose home, which project (a directory and the root of its repository), on which system."""

    home: str
    directories: Sequence[str]
    system: System
    environment: Mapping[str, str]

    def applications(self) -> str:
        """The directory in which desktop applications keep what they know."""
        if self.system == "macos":
            return f"{self.home}/Library/Application Support"
        if self.system == "windows":
            return self.environment.get("APPDATA") or f"{self.home}/AppData/Roaming"
        return self.environment.get("XDG_CONFIG_HOME") or f"{self.home}/.config"


class ConfigFile(msgspec.Struct, frozen=True):
    """A file in which a client may have servers. `sections`: for each scope, the path of keys that leads to them."""

    client: str
    path: str
    sections: Sequence[tuple[Scope, Path]]
    syntax: Syntax = "json"


class Client(msgspec.Struct, frozen=True):
    """A client: its slug, which is also what policies call the agent; its name; and its files, there or not.

    `alone`: nobody else reads its files, so whoever starts a server from one of them is this client.
    """

    slug: str
    title: str
    files: Callable[[Surroundings], Sequence[ConfigFile]]
    alone: Callable[[ConfigFile], bool] = lambda _: True


class Section(msgspec.Struct, frozen=True):
    """One place in a file at which servers stand, by name."""

    scope: Scope
    at: Path
    servers: Mapping[str, Json]


def sections(file: ConfigFile, data: Json) -> list[Section]:
    """The sections of a file that are there, in the file's order."""
    return [
        Section(scope, at, servers)
        for scope, pattern in file.sections
        for at, servers in _matches(data, pattern, ())
        if isinstance(servers, dict)
    ]


def _matches(data: Json, pattern: Path, at: Path) -> list[tuple[Path, Json]]:
    if not pattern:
        return [(at, data)]
    if not isinstance(data, dict):
        return []
    names = list(data) if pattern[0] == ANY else [pattern[0]] if pattern[0] in data else []
    return [found for name in names for found in _matches(data[name], pattern[1:], (*at, name))]
